//! Does this program do what that one does? Asked of each program that the optimiser made.
//!
//! Nothing of the optimiser is read: both programs are run from one arbitrary state, and must agree
//! on actions in order, registers, USER values and queues. The answer tells for which sizes; who asks
//! decides whether these suffice.

use progmp_ir::{Program, SchedState};

use crate::engine::Options;
use crate::equivalence::{Equivalence, equivalent};
use crate::report::Size;

/// The answer to "does the second refine the first?".
#[derive(Clone, Debug)]
pub enum Refinement {
    /// Every execution is the same, up to this size.
    Proved(Size),
    /// Not in this state, as the interpreter shows.
    Refuted(Box<SchedState>),
    /// Not decided, and why.
    Unknown(String),
}

/// Decides whether `after` may stand in for `before`, execution by execution.
pub fn refines(before: &Program, after: &Program, options: &Options) -> Refinement {
    if before == after {
        return Refinement::Proved(Size::Any);
    }
    match equivalent(before, after, options) {
        Equivalence::Equal { size, .. } => Refinement::Proved(size),
        Equivalence::Differ { state, .. } => Refinement::Refuted(state),
        Equivalence::Unknown(why) => Refinement::Unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Program {
        let parsed = progmp_syntax::parse("test", text.as_bytes(), &[]);
        parsed.program.expect("it has no mistake")
    }

    fn answer(before: &str, after: &str) -> Refinement {
        refines(&program(before), &program(after), &Options::default())
    }

    #[test]
    fn a_var_that_is_computed_later_changes_nothing() {
        let before = "VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY); IF (!Q.EMPTY) { ok.MIN(s => s.RTT).PUSH(Q.POP()); }";
        let after = "IF (!Q.EMPTY) { VAR ok = SUBFLOWS.FILTER(s => !s.LOSSY); ok.MIN(s => s.RTT).PUSH(Q.POP()); }";
        assert!(matches!(
            answer(before, after),
            Refinement::Proved(Size::Any)
        ));
    }

    #[test]
    fn a_top_that_is_taken_after_a_pop_is_another_one() {
        let before = "VAR p = Q.TOP; DROP(Q.POP()); SUBFLOWS.TOP.PUSH(p);";
        let after = "DROP(Q.POP()); VAR p = Q.TOP; SUBFLOWS.TOP.PUSH(p);";
        let Refinement::Refuted(state) = answer(before, after) else {
            panic!("they differ");
        };
        assert!(!state.q.is_empty());
    }

    #[test]
    fn the_least_is_not_the_greatest() {
        let before = "SUBFLOWS.MIN(s => s.RTT).PUSH(Q.POP());";
        let after = "SUBFLOWS.MAX(s => s.RTT).PUSH(Q.POP());";
        assert!(matches!(answer(before, after), Refinement::Refuted(_)));
    }
}
