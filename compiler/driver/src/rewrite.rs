//! Rewriting on the way to the compiler.
//!
//! The optimiser is not believed: what it makes is compiled only if the verifier proves that each
//! execution is the one of the source, for any number of subflows and packets, and if it fits. Else
//! the source is compiled, and the report says why.

use std::fmt::{self, Write as _};

use progmp_codegen_ebpf::{Code, Error, Options, compile};
use progmp_ir::Program;
use progmp_rewrite::{Left, Trace, optimize};
use progmp_verifier::{Refinement, refines};

/// What was compiled.
#[derive(Debug)]
pub struct Lowered {
    /// The program that was compiled: the source's, or a cheaper one.
    pub program: Program,
    /// The code, or why there is none.
    pub code: Result<Code, Error>,
    /// Which of them, and why.
    pub outcome: Outcome,
    /// What the optimiser did, also if it was not used.
    pub trace: Trace,
}

/// What became of rewriting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is switched off.
    Off,
    /// The optimiser left the program alone.
    Left(Left),
    /// The optimiser found nothing that is cheaper.
    Nothing,
    /// The rewritten program is used: it is proved to decide as the source.
    Used,
    /// The rewritten program decides otherwise: a mistake of ours.
    Refuted,
    /// It is not known whether the rewritten program decides as the source.
    Unknown,
    /// The rewritten program cannot be compiled.
    TooLarge(String),
}

impl Outcome {
    /// Whether the optimiser did something that could not be used.
    pub const fn is_amiss(&self) -> bool {
        matches!(self, Self::Refuted | Self::Unknown | Self::TooLarge(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => write!(f, "off"),
            Self::Left(Left::Random) => write!(f, "not tried: it uses RANDOM"),
            Self::Left(Left::TooLarge) => write!(f, "not tried: it is too long"),
            Self::Nothing => write!(f, "nothing is cheaper"),
            Self::Used => write!(f, "used: proved to decide as the source, for any size"),
            Self::Refuted => write!(
                f,
                "not used: the rewritten program decides otherwise, which is a fault of the optimiser"
            ),
            Self::Unknown => write!(
                f,
                "not used: it is not shown that the rewritten program decides as the source"
            ),
            Self::TooLarge(why) => {
                write!(f, "not used: the rewritten program does not fit: {why}")
            }
        }
    }
}

/// Rewrites, if that is wanted, and compiles.
///
/// The effort of the proof does not depend on any option, so that equal sources give equal bytes.
pub fn lowered(program: &Program, options: &Options, rewriting: bool) -> Lowered {
    let source = |outcome, trace| Lowered {
        program: program.clone(),
        code: compile(program, options),
        outcome,
        trace,
    };
    if !rewriting {
        return source(Outcome::Off, Trace::default());
    }
    let optimized = optimize(program, &progmp_rules::all());
    let (after, trace) = (optimized.program, optimized.trace);
    if let Some(left) = optimized.left {
        return source(Outcome::Left(left), trace);
    }
    if after == *program {
        return source(Outcome::Nothing, trace);
    }
    match refines(program, &after, &progmp_verifier::Options::default()) {
        Refinement::Proved => {}
        Refinement::Refuted(_) => return source(Outcome::Refuted, trace),
        Refinement::Unknown => return source(Outcome::Unknown, trace),
    }
    match compile(&after, options) {
        Ok(code) => Lowered {
            program: after,
            code: Ok(code),
            outcome: Outcome::Used,
            trace,
        },
        Err(error) => source(Outcome::TooLarge(error.to_string()), trace),
    }
}

/// What was done and what became of it, for people.
pub fn report(name: &str, source: &Result<Code, Error>, lowered: &Lowered) -> String {
    let mut text = format!("{name}: {}\n", lowered.outcome);
    if let (Ok(before), Ok(after), Outcome::Used) = (source, &lowered.code, &lowered.outcome) {
        let _ = writeln!(
            text,
            "instructions: {} before, {} after",
            before.insns.len(),
            after.insns.len()
        );
    }
    if lowered.trace != Trace::default() {
        let _ = write!(text, "\n{}", lowered.trace);
    }
    text
}

#[cfg(test)]
mod tests {
    use progmp_codegen_ebpf::Loops;

    use super::*;

    fn outcome(text: &str, rewriting: bool) -> Outcome {
        let parsed = progmp_syntax::parse("test", text.as_bytes(), &[]);
        let program = parsed.program.expect("it has no mistake");
        let options = Options {
            loops: Loops::MayGoto,
        };
        let lowered = lowered(&program, &options, rewriting);
        let used = lowered.outcome == Outcome::Used;
        assert_eq!(used, lowered.program != program);
        lowered.outcome
    }

    #[test]
    fn a_program_is_replaced_only_by_one_that_is_proved() {
        let cheaper = "IF (Q.COUNT == 0) { RETURN; } SUBFLOWS.TOP.PUSH(Q.POP());";
        assert_eq!(outcome(cheaper, true), Outcome::Used);
        assert_eq!(outcome(cheaper, false), Outcome::Off);
        let random = "SET(R1, RANDOM + 0);";
        assert_eq!(outcome(random, true), Outcome::Left(Left::Random));
        assert_eq!(outcome("RETURN;", true), Outcome::Nothing);
        let long = "SET(R1, R1 + 0);".repeat(1_000);
        assert_eq!(outcome(&long, true), Outcome::Left(Left::TooLarge));
    }
}
