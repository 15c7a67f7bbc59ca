//! Exit codes: what a shell or a CI gate is told.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything holds.
    Accepted,
    /// A property is refuted, or two schedulers differ.
    Rejected,
    /// A file or the command line is wrong.
    BadInput,
    /// Nothing is refuted, but something could not be decided.
    Unknown,
    /// A fault of the tool itself.
    Fault,
}

impl Exit {
    /// The process exit code.
    pub const fn code(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::Rejected => 1,
            Self::BadInput => 2,
            Self::Unknown => 3,
            Self::Fault => 70,
        }
    }

    /// Of two, the one that a caller must hear of: 70 before 2 before 1 before 3 before 0.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let urgency = |exit| match exit {
            Self::Fault => 4,
            Self::BadInput => 3,
            Self::Rejected => 2,
            Self::Unknown => 1,
            Self::Accepted => 0,
        };
        if urgency(other) > urgency(self) {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_the_first_of_70_2_1_3_counts() {
        let order = [
            Exit::Fault,
            Exit::BadInput,
            Exit::Rejected,
            Exit::Unknown,
            Exit::Accepted,
        ];
        for (i, a) in order.into_iter().enumerate() {
            for b in order.into_iter().skip(i) {
                assert_eq!(a.and(b), a);
                assert_eq!(b.and(a), a);
            }
        }
        assert_eq!(order.map(Exit::code), [70, 2, 1, 3, 0]);
    }
}
