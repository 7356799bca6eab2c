//! The exit status of the command.

/// The exit status that a situation leads to (design, section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 1: failed, nothing changed.
    Failed,
    /// 2: the command line asks for something impossible.
    Usage,
    /// 3: conflicts, or a decision is needed.
    Decision,
    /// 4: interrupted, damaged, or `recover` is needed.
    Damaged,
    /// 75: locked by another.
    Locked,
}

impl Exit {
    /// The number that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Decision => 3,
            Self::Damaged => 4,
            Self::Locked => 75,
        }
    }
}
