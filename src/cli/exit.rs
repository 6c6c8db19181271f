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
    /// The configuration is wrong; starting again will not help (`EX_CONFIG`).
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Forced => 3,
            Exit::LeftBehind => 75,
            Exit::Config => 78,
        })
    }
}
