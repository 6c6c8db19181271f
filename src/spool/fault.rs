//! Why the engine did not do something, and what an operator is told of it.

use std::io;
use std::path::PathBuf;

use super::SpoolError;

/// Why the engine did not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Engine(redb::Error),
    #[error("a row is longer than what can be written")]
    TooLong,
    #[error("the file is closed")]
    Stopped,
    #[error("its file is not in its directory any more: nobody would find what is written there")]
    Gone,
}

impl Error {
    /// What an operator is told.
    pub(super) fn told(&self, directory: PathBuf) -> SpoolError {
        let damaged = |directory, what: &str| SpoolError::Damaged {
            directory,
            what: what.to_owned(),
        };
        match self {
            Self::Engine(redb::Error::Io(error)) => match error.kind() {
                io::ErrorKind::UnexpectedEof => damaged(directory, "its file ends too early"),
                io::ErrorKind::InvalidData => damaged(directory, &error.to_string()),
                kind => SpoolError::Directory {
                    directory,
                    error: io::Error::new(kind, error.to_string()),
                },
            },
            Self::Engine(redb::Error::UpgradeRequired(found)) => SpoolError::Engine {
                directory,
                found: *found,
            },
            other => damaged(directory, &other.to_string()),
        }
    }
}

macro_rules! from_engine {
    ($($error:ty),*) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Engine(redb::Error::from(error))
            }
        })*
    };
}

from_engine!(
    io::Error,
    redb::DatabaseError,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::CompactionError
);
