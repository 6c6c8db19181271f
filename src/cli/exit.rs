//! Every exit code, in one place (sysexits.h where it has one).

use std::process::ExitCode;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// All is well.
    Ok,
    /// It could not start, or a webhook sent by hand was not taken.
    Failure,
    /// The command line is wrong.
    Usage,
    /// A second signal ended the drain.
    Forced,
    /// Acknowledged deliveries were lost with the process (`EX_TEMPFAIL`).
    LeftBehind,
    /// Nobody reads what it prints: as a shell tells of a command that SIGPIPE ended.
    Unread,
    /// The configuration is wrong; starting again will not help (`EX_CONFIG`).
    Config,
}

impl Exit {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Forced => 3,
            Self::LeftBehind => 75,
            Self::Config => 78,
            Self::Unread => 141,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
