//! Why a spool cannot be used, each with its cure.

use std::io;
use std::path::PathBuf;

/// Why a spool cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It cannot be made, or not be written.
    #[error("cannot use the spool `{}`; it is a directory of its own that Hookgate's user may write", directory.display())]
    Directory {
        /// Which one.
        directory: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Somebody else has it open.
    #[error("the spool `{}` is in use by another process; end that one first, or give each its own", .0.display())]
    InUse(PathBuf),
    /// It was written in a way that is not known here.
    #[error(
        "the spool `{}` is in version {found} of its format, and this build reads version {known}; start the build that wrote it, and let it deliver what it holds",
        directory.display()
    )]
    Format {
        /// Which one.
        directory: PathBuf,
        /// What it says.
        found: u64,
        /// What is known.
        known: u64,
    },
    /// Its engine has written it in a way that it does not read any more.
    #[error(
        "the spool `{}` is in version {found} of its engine's format, which this build does not read; start the build that wrote it, and let it deliver what it holds",
        directory.display()
    )]
    Engine {
        /// Which one.
        directory: PathBuf,
        /// What it says.
        found: u8,
    },
    /// It is not as it was written.
    #[error(
        "the spool `{}` is damaged: {what}; put the directory back from a copy, or move it away to start without what it holds",
        directory.display()
    )]
    Damaged {
        /// Which one.
        directory: PathBuf,
        /// Where.
        what: String,
    },
    /// It holds sealed rows, and there is no key.
    #[error("the spool `{}` is sealed; add the `key` that it was sealed with", .0.display())]
    Sealed(PathBuf),
    /// It holds rows in the clear, and there is a key.
    #[error(
        "the spool `{}` holds deliveries in the clear, and there is a `key`; start without the key until they are delivered",
        .0.display()
    )]
    Unsealed(PathBuf),
    /// It holds rows that were sealed with another key.
    #[error("the spool `{}` was sealed with another `key`; give it that one until what it holds is delivered", .0.display())]
    WrongKey(PathBuf),
}

impl SpoolError {
    /// Whether starting again will not help.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Self::InUse(_) | Self::Directory { .. })
    }
}
