//! The log: one line for each event, on stderr, as text for people or JSON for pipelines.
//!
//! Every value is escaped here, where lines are written, so that no event can forget it.

use std::fmt::{self, Write};
use std::io::IsTerminal;

use jiff::Timestamp;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;
use thiserror::Error;
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::escape::{Escaping, Within};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `time LEVEL sentence key=value`; colour on a terminal unless `NO_COLOR` is set.
    Text,
    /// One flat object in each line: `ts`, `level`, `msg`, `target`, then the event's own keys.
    Json,
}

impl Format {
    /// Text if a person reads stderr, JSON otherwise.
    #[must_use]
    pub fn for_stderr() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

/// Why the log cannot be set up.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter has a mistake.
    #[error(
        "log filter `{filter}` is not understood: {reason}; write for example `info` or `info,hookgate::access=debug`"
    )]
    Filter {
        /// As given.
        filter: String,
        /// The parser's words.
        reason: String,
    },
    /// Somebody else in this process was first.
    #[error("the log is already set up")]
    AlreadySet,
}

/// Sends the log to stderr, once for the process. `filter` is a level, or levels by target
/// (`info,hookgate::access=debug`).
///
/// # Errors
/// The filter is not understood, or the log is already set up.
pub fn init(format: Format, filter: &str) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(filter).map_err(|reason| LogError::Filter {
        filter: filter.to_owned(),
        reason: reason.to_string(),
    })?;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = if std::io::stderr().is_terminal() && !no_color {
        Colour::On
    } else {
        Colour::Off
    };
    let subscriber = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .event_format(Lines {
            format,
            colour,
            clock: Timestamp::now,
        })
        .with_writer(std::io::stderr)
        .with_env_filter(filter)
        .finish();
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::AlreadySet)
}

/// Whether levels are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    On,
    Off,
}

/// Writes events as lines.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) format: Format,
    pub(super) colour: Colour,
    pub(super) clock: fn() -> Timestamp,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::new(self.format);
        event.record(&mut line);
        let Line {
            message,
            fields,
            report,
            ..
        } = line;
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        match self.format {
            Format::Text => {
                write_time(&mut writer, (self.clock)())?;
                let (on, off) = match self.colour {
                    Colour::On => (colour(level), "\x1b[0m"),
                    Colour::Off => ("", ""),
                };
                write!(writer, " {on}{level:>5}{off} {message}{fields}")?;
                report
                    .lines()
                    .try_for_each(|line| write!(writer, "\n    {line}"))?;
            }
            Format::Json => {
                writer.write_str("{\"ts\":\"")?;
                write_time(&mut writer, (self.clock)())?;
                let level = word(level);
                write!(writer, "\",\"level\":\"{level}\",\"msg\":\"{message}\"")?;
                write!(writer, ",\"target\":\"{target}\"{fields}}}")?;
            }
        }
        writer.write_char('\n')
    }
}

/// RFC 3339 in UTC, always with three digits of a second, so that columns line up.
fn write_time(writer: &mut Writer<'_>, now: Timestamp) -> fmt::Result {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER
        .print_timestamp(&now, StdFmtWrite(writer))
        .map_err(|_| fmt::Error)
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// The parts of a line, escaped, as an event gives them.
struct Line {
    format: Format,
    message: String,
    /// Each with its separator before it.
    fields: String,
    /// Several lines for a person; in text they stand below the line.
    report: String,
}

impl Line {
    fn new(format: Format) -> Self {
        Self {
            format,
            message: String::new(),
            fields: String::new(),
            report: String::new(),
        }
    }

    /// A number or a word that needs no quotes.
    fn bare(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let name = field.name();
        let written = match self.format {
            Format::Text => write!(self.fields, " {name}={value}"),
            Format::Json => write!(self.fields, ",\"{name}\":{value}"),
        };
        debug_assert!(written.is_ok(), "a String takes everything");
    }

    fn quoted(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let (out, within) = match (field.name(), self.format) {
            ("message", Format::Text) => (&mut self.message, Within::Sentence),
            ("message", Format::Json) => (&mut self.message, Within::Quotes),
            ("report", Format::Text) => return self.below(value),
            _ => return self.value(field, value),
        };
        let written = Escaping { out, within }.write_fmt(value);
        debug_assert!(written.is_ok(), "a String takes everything");
    }

    fn value(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let mut text = String::new();
        let written = Escaping {
            out: &mut text,
            within: Within::Quotes,
        }
        .write_fmt(value);
        debug_assert!(written.is_ok(), "a String takes everything");
        let is_word = !text.is_empty() && !text.contains([' ', '=', '"', '\\']);
        if is_word && self.format == Format::Text {
            self.bare(field, format_args!("{text}"));
        } else {
            self.bare(field, format_args!("\"{text}\""));
        }
    }

    fn below(&mut self, value: fmt::Arguments<'_>) {
        for line in value.to_string().lines() {
            let written = Escaping {
                out: &mut self.report,
                within: Within::Sentence,
            }
            .write_str(line);
            debug_assert!(written.is_ok(), "a String takes everything");
            self.report.push('\n');
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.quoted(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.quoted(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for the others.
        if value.is_finite() {
            self.bare(field, format_args!("{value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, init};

    #[test]
    fn a_filter_with_a_mistake_is_shown_with_a_right_one() {
        let mistake = init(Format::Text, "hookgate=loud").unwrap_err().to_string();

        assert!(
            mistake.starts_with("log filter `hookgate=loud` is not understood: "),
            "{mistake}"
        );
        assert!(mistake.ends_with("write for example `info` or `info,hookgate::access=debug`"));
    }
}
