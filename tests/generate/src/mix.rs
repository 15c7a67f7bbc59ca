//! How often each construct occurs in a generated program.

/// Weights and limits of generated programs. A weight of 0 leaves a construct out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Nodes (statements and operators) of a program, at most about so many.
    pub size: u32,
    /// Statements of a block at most.
    pub block: usize,
    /// Blocks within each other at most.
    pub blocks: u32,
    /// Operators within each other at most.
    pub depth: u32,
    /// Lambdas within each other at most (the language allows 8).
    pub lambdas: u32,
    /// Weight of PUSH.
    pub push: u32,
    /// Weight of IF.
    pub branch: u32,
    /// Weight of FOREACH.
    pub foreach: u32,
    /// Weight of VAR.
    pub var: u32,
    /// Weight of SET.
    pub set: u32,
    /// Weight of `SET_USER`.
    pub set_user: u32,
    /// Weight of DROP.
    pub drop: u32,
    /// Weight of PRINT.
    pub print: u32,
    /// Weight of VOID.
    pub void: u32,
    /// Weight of RETURN.
    pub ret: u32,
    /// How many of 100 operands of PUSH and DROP, and initialisers, are a POP.
    pub pop: u32,
    /// How many of 100 integer leaves are RANDOM.
    pub random: u32,
    /// How many of 100 integer leaves are `CURRENT_TIME_MS`.
    pub time: u32,
    /// How many of 100 values are the literal NULL.
    pub null: u32,
    /// How many of 100 integer properties of subflows may be of tier B.
    pub tier_b: u32,
    /// How many of 100 integers are `* / %` or a SUM where they could be.
    pub hard_arithmetic: u32,
    /// How many of 100 statements carry a comment, odd white space or spare parentheses.
    pub layout: u32,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            size: 60,
            block: 5,
            blocks: 4,
            depth: 4,
            lambdas: 3,
            push: 8,
            branch: 5,
            foreach: 2,
            var: 4,
            set: 3,
            set_user: 2,
            drop: 1,
            print: 1,
            void: 1,
            ret: 1,
            pop: 40,
            random: 4,
            time: 4,
            null: 2,
            tier_b: 3,
            hard_arithmetic: 15,
            layout: 5,
        }
    }
}

impl Mix {
    /// Small programs, for tests that solve something for each.
    pub fn small() -> Self {
        Self {
            size: 20,
            block: 3,
            blocks: 2,
            depth: 2,
            lambdas: 2,
            ..Self::default()
        }
    }

    /// Programs without `* / %` and SUM: what the any-size proofs treat exactly.
    pub fn plain_arithmetic() -> Self {
        Self {
            hard_arithmetic: 0,
            ..Self::default()
        }
    }
}
