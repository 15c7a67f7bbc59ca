//! Rewriting on the way to the compiler.
//!
//! The optimiser is not believed: what it makes is compiled only if the verifier proves that each
//! execution is the one of the source, for any number of subflows and packets, and if it fits. Else
//! the source is compiled, and the report says why.

use std::fmt::{self, Write as _};

use progmp_codegen_ebpf::{Code, Error, Options, compile};
use progmp_ir::Program;
use progmp_rewrite::{Left, NoSite, Site, Trace, compress, optimize, sites};
use progmp_verifier::{
    Compression, Level, Property, Refinement, Size, Verdict, compresses, compression_queries,
    prove_gate, refinement_queries, refines,
};

use progmp_syntax::SourceFile;

use crate::levels::Levels;

/// What may be done to a program before it is compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rewriting {
    /// Nothing.
    Off,
    /// It becomes cheaper, and each execution stays the same.
    On,
    /// Before that, one execution is made to do what several would.
    #[default]
    Compress,
}

impl Rewriting {
    /// As the note of an object has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Compress => "compress",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Off, Self::On, Self::Compress];
        all.into_iter().find(|one| one.name() == name)
    }

    /// By the switches of a command line.
    pub const fn of(no_rewrite: bool, no_compress: bool) -> Self {
        match (no_rewrite, no_compress) {
            (true, _) => Self::Off,
            (false, true) => Self::On,
            (false, false) => Self::Compress,
        }
    }
}

/// What became of compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compressed {
    /// These statements go on as long as the window allows.
    Used(Vec<Site>),
    /// There is no place for it.
    NoSite(NoSite),
    /// This condition is not shown.
    NotShown(&'static str),
    /// It is the same in a quiet trigger, but this gate property is not proved of it.
    Gate(Property),
}

impl fmt::Display for Compressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Used(_) => write!(
                f,
                "used: proved to send what the source sends, for any size"
            ),
            Self::NoSite(why) => write!(f, "not tried: {why}"),
            Self::NotShown(what) => write!(f, "not used: it is not shown that {what}"),
            Self::Gate(property) => write!(f, "not used: {property} is not proved of the result"),
        }
    }
}

/// What was compiled.
#[derive(Debug)]
pub struct Lowered {
    /// The program that was compiled: the source's, or a cheaper one.
    pub program: Program,
    /// The code, or why there is none.
    pub code: Result<Code, Error>,
    /// Which of them, and why.
    pub outcome: Outcome,
    /// What was asked for.
    pub rewriting: Rewriting,
    /// What became of compression, if it was asked for.
    pub compressed: Option<Compressed>,
    /// What the optimiser did, also if it was not used.
    pub trace: Trace,
}

impl Lowered {
    /// Whether one execution of what was compiled does what several of the source do.
    pub const fn is_compressed(&self) -> bool {
        matches!(self.compressed, Some(Compressed::Used(_)))
    }
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
            Self::Left(Left::Prints) => write!(f, "not tried: it uses PRINT"),
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
/// The effort of the proofs does not depend on any option, so that equal sources give equal bytes.
pub fn lowered(program: &Program, options: &Options, rewriting: Rewriting) -> Lowered {
    let (compressed, told) = match rewriting {
        Rewriting::Compress => {
            let (program, told) = compression(program);
            (program, Some(told))
        }
        Rewriting::Off | Rewriting::On => (None, None),
    };
    let first = compressed.as_ref().unwrap_or(program);
    let lowered = cheaper(first, *options, rewriting, told);
    match (&lowered.code, &lowered.compressed) {
        // What does not fit is not used.
        (Err(_), Some(Compressed::Used(_))) => {
            let told = Compressed::NotShown("it fits");
            cheaper(program, *options, rewriting, Some(told))
        }
        _ => lowered,
    }
}

/// A program of which one execution does what several do, if there is one that may be used.
fn compression(program: &Program) -> (Option<Program>, Compressed) {
    let all = match sites(program) {
        Ok(all) => all,
        Err(why) => return (None, Compressed::NoSite(why)),
    };
    let options = progmp_verifier::Options::default();
    let mut why = None;
    let mut used: Vec<Site> = Vec::new();
    // All places at once, or else each by itself, and with those before it.
    let mut each = all.clone();
    if compresses(program, &compress(program, &all), &options) == Compression::Proved {
        each.clear();
        used = all;
    }
    for site in each {
        let mut more = used.clone();
        more.push(site);
        match compresses(program, &compress(program, &more), &options) {
            Compression::Proved => used = more,
            Compression::Unknown(what) => {
                why.get_or_insert(what);
            }
        }
    }
    if used.is_empty() {
        let why = why.expect("there was a place");
        return (None, Compressed::NotShown(why));
    }
    let compressed = compress(program, &used);
    match unproved(&compressed) {
        Some(property) => (None, Compressed::Gate(property)),
        None => (Some(compressed), Compressed::Used(used)),
    }
}

/// A gate property that is not proved of a program for any size.
fn unproved(program: &Program) -> Option<Property> {
    let levels = Levels::default();
    let options = progmp_verifier::Options::default();
    // What the source is required to do holds of it, and is not asked again.
    let mut program = program.clone();
    program.requirements.clear();
    let report = prove_gate(&program, &options);
    let mut open = report.findings.iter().filter(|finding| {
        let proved = matches!(
            finding.verdict,
            Verdict::Proved {
                size: Size::Any,
                ..
            }
        );
        levels.of(finding) == Level::Gate && !proved
    });
    open.next().map(|finding| finding.property)
}

fn cheaper(
    program: &Program,
    options: Options,
    rewriting: Rewriting,
    compressed: Option<Compressed>,
) -> Lowered {
    let told = compressed.clone();
    let source = |outcome, trace| Lowered {
        program: program.clone(),
        code: compile(program, &options),
        outcome,
        rewriting,
        compressed: told,
        trace,
    };
    if rewriting == Rewriting::Off {
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
    match compile(&after, &options) {
        Ok(code) => Lowered {
            program: after,
            code: Ok(code),
            outcome: Outcome::Used,
            rewriting,
            compressed,
            trace,
        },
        Err(error) => source(Outcome::TooLarge(error.to_string()), trace),
    }
}

/// The queries that prove that what is compiled does as the source, for another solver: name and script.
/// None if the source itself is compiled.
pub fn queries(program: &Program, rewriting: Rewriting) -> Vec<(String, String)> {
    let options = progmp_verifier::Options::default();
    let (compressed, _) = match rewriting {
        Rewriting::Compress => compression(program),
        Rewriting::Off | Rewriting::On => (None, Compressed::NoSite(NoSite::Left)),
    };
    let mut all = Vec::new();
    let mut add = |what: &str, scripts: Option<Vec<String>>| {
        for (number, script) in scripts.into_iter().flatten().enumerate() {
            all.push((format!("{what}-{number:03}"), script));
        }
    };
    if let Some(compressed) = &compressed {
        let scripts = compression_queries(program, compressed, &options);
        add("compresses", scripts);
    }
    if rewriting != Rewriting::Off {
        let first = compressed.as_ref().unwrap_or(program);
        let after = optimize(first, &progmp_rules::all()).program;
        add("refines", refinement_queries(first, &after, &options));
    }
    all
}

/// What was done and what became of it, for people.
pub fn report(
    name: &str,
    source: &SourceFile,
    code: &Result<Code, Error>,
    lowered: &Lowered,
) -> String {
    let mut text = format!("{name}: {}\n", lowered.outcome);
    if let Some(compressed) = &lowered.compressed {
        let _ = writeln!(text, "compression: {compressed}");
        if let Compressed::Used(sites) = compressed {
            for site in sites {
                let line = source.position(site.span.start).line;
                let shown = source.line(line).unwrap_or_default();
                let _ = writeln!(text, "  line {line}: {}", shown.trim());
            }
        }
    }
    if let (Ok(before), Ok(after), Outcome::Used) = (code, &lowered.code, &lowered.outcome) {
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

    fn outcome(text: &str, rewriting: Rewriting) -> Outcome {
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
        assert_eq!(outcome(cheaper, Rewriting::On), Outcome::Used);
        assert_eq!(outcome(cheaper, Rewriting::Off), Outcome::Off);
        let random = "SET(R1, RANDOM + 0);";
        assert_eq!(outcome(random, Rewriting::On), Outcome::Left(Left::Random));
        assert_eq!(outcome("SET(R1, 1);", Rewriting::On), Outcome::Nothing);
        let prints = "VAR x = 0; PRINT(\"here\");";
        assert_eq!(outcome(prints, Rewriting::On), Outcome::Left(Left::Prints));
        let long = "SET(R1, R1 + 0);".repeat(1_000);
        assert_eq!(outcome(&long, Rewriting::On), Outcome::Left(Left::TooLarge));
    }
}
