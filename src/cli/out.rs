//! What commands print. Whoever reads it may stop reading (`hookgate routes | head -1`): the standard
//! library's macros panic then, and these end the command.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};

use super::exit::Exit;

/// Writes to stdout.
macro_rules! print {
    ($($text:tt)*) => {
        $crate::cli::out::write(::std::format_args!($($text)*))
    };
}

/// Writes a line to stdout.
macro_rules! println {
    () => {
        $crate::cli::out::write(::std::format_args!("\n"))
    };
    ($($text:tt)*) => {
        $crate::cli::out::write(::std::format_args!("{}\n", ::std::format_args!($($text)*)))
    };
}

/// Writes to stdout, or ends the process: quietly where nobody reads any more, and with a word where the
/// disk is full. Nothing is lost with it: commands that serve print before they begin.
#[expect(
    clippy::exit,
    reason = "nobody is left to be told anything, whatever the command still does"
)]
pub(super) fn write(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    let written = out.write_fmt(text).and_then(|()| out.flush());
    let Err(error) = written else { return };
    if error.kind() != ErrorKind::BrokenPipe {
        eprintln!("error: cannot print: {error}");
        std::process::exit(Exit::Failure.code().into());
    }
    std::process::exit(Exit::Unread.code().into());
}
