//! What is wrong with a configuration, as the operator reads it: a place, a fact, a way out.

use std::fmt;
use std::io::IsTerminal;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde_json::json;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is applied.
    Error,
    /// Legal, but likely to hurt.
    Warning,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Whether it stops the plan.
    pub severity: Severity,
    /// Bytes of the file; none when there is no file to point into.
    pub span: Option<Range<usize>>,
    /// What is wrong: lower case, no final period.
    pub message: String,
    /// A few words beside the caret.
    pub label: Option<String>,
    /// A second place that matters, with its words.
    pub also: Option<(Range<usize>, String)>,
    /// What would be right.
    pub help: Option<String>,
}

impl Problem {
    /// Something that stops the plan.
    #[must_use]
    pub fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            span: Some(span),
            message: message.into(),
            label: None,
            also: None,
            help: None,
        }
    }

    /// Something that the operator should know before it hurts.
    #[must_use]
    pub fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(span, message)
        }
    }

    /// Adds words beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Shows a second place.
    #[must_use]
    pub fn also(mut self, span: Range<usize>, label: impl Into<String>) -> Self {
        self.also = Some((span, label.into()));
        self
    }
}

/// The problems found so far, and what must not be shown when they are.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    masked: Vec<Range<usize>>,
    /// Lines of which only what cannot be a secret is shown.
    guarded: Vec<Range<usize>>,
}

/// A word of a broken line that is as long as this may be a secret.
const SECRET_BYTES_MIN: usize = 8;

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// The value at `span` looks like a secret: a report covers it with asterisks.
    pub(super) fn mask(&mut self, span: Range<usize>) {
        self.masked.push(span);
    }

    /// The line at `line` is broken, and speaks of secrets: a report covers the long words of its value.
    pub(super) fn mask_texts(&mut self, line: Range<usize>) {
        self.guarded.push(line);
    }

    pub(super) fn errors(&self) -> usize {
        self.list
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count()
    }

    pub(super) fn into_report(self, file: &str, source: &str) -> Report {
        let mut bytes = source.as_bytes().to_vec();
        for span in &self.masked {
            for byte in bytes.get_mut(span.clone()).into_iter().flatten() {
                if *byte != b'\n' {
                    *byte = b'*';
                }
            }
        }
        for line in &self.guarded {
            if let Some(line) = bytes.get_mut(line.clone()) {
                cover(line);
            }
        }
        let has_errors = self.errors() > 0;
        let mut problems = self.list;
        // Half of the warnings about a broken file are consequences of what is broken.
        problems.retain(|problem| !has_errors || problem.severity == Severity::Error);
        problems.sort_by_key(|problem| {
            problem
                .span
                .as_ref()
                .map_or((0, 0), |span| (span.start, span.end))
        });
        // One mistake may be met twice, as the two users of one name do.
        problems.dedup_by(|a, b| a.span == b.span && a.message == b.message);
        Report {
            file: file.to_owned(),
            source: String::from_utf8_lossy(&bytes).into_owned(),
            problems,
        }
    }
}

/// Covers the long words of the value on a line whose key speaks of secrets.
fn cover(line: &mut [u8]) {
    let key = line.split(|byte| *byte == b'=').next().unwrap_or_default();
    let is_value = key.len() < line.len();
    let speaks = |word: &[u8]| {
        let mut windows = line.windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word))
    };
    let words: [&[u8]; 4] = [b"key", b"secret", b"token", b"password"];
    if !is_value || !words.into_iter().any(speaks) {
        return;
    }
    let start = key.len();
    let value = line.get_mut(start..).unwrap_or_default();
    let is_of_word = |byte: &u8| !b" \t=[]{},\"'".contains(byte);
    for word in value.chunk_by_mut(|a, b| is_of_word(a) == is_of_word(b)) {
        if word.len() >= SECRET_BYTES_MIN && word.first().is_some_and(is_of_word) {
            word.fill(b'*');
        }
    }
}

/// All errors of one configuration, or all warnings where there is no error; sorted by place.
///
/// `Display` is what the operator reads, without colour. Secrets that were written into the file are
/// covered.
#[derive(Clone, Debug, Default)]
pub struct Report {
    file: String,
    source: String,
    problems: Vec<Problem>,
}

/// Whether a report is written with terminal colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For pipes, files and logs.
    Never,
    /// For a terminal that wants it.
    Always,
}

impl Colour {
    /// What standard error wants: colour on a terminal, unless `NO_COLOR` says otherwise
    /// (no-color.org) or the terminal is a dumb one.
    #[must_use]
    pub fn for_stderr() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        match std::io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb {
            true => Self::Always,
            false => Self::Never,
        }
    }
}

impl Report {
    /// The file could not be read at all.
    pub(super) fn unreadable(path: &Path, error: &str) -> Self {
        let problem = Problem {
            span: None,
            ..Problem::error(0..0, format!("cannot read `{}`: {error}", path.display()))
                .help("name another file with --config, or try `hookgate demo`, which needs none")
        };
        Self {
            file: path.display().to_string(),
            source: String::new(),
            problems: vec![problem],
        }
    }

    /// Sorted by place: errors, or warnings where there is no error.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many of them stop the plan.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
            .count()
    }

    /// Each problem in one line, `FILE:LINE:COLUMN: what; cure`, for logs.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.problems
            .iter()
            .map(|problem| {
                let place = problem.span.as_ref().map(|span| self.position(span.start));
                let place =
                    place.map_or(String::new(), |(line, column)| format!(":{line}:{column}"));
                let help = problem
                    .help
                    .as_ref()
                    .map_or(String::new(), |help| format!("; {help}"));
                format!("{}{place}: {}{help}", self.file, problem.message)
            })
            .collect()
    }

    /// What the operator reads.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let renderer = match colour {
            Colour::Never => Renderer::plain(),
            Colour::Always => Renderer::styled(),
        };
        let mut text = String::new();
        for problem in &self.problems {
            text.push_str(&renderer.render(&[self.group(problem)]));
            text.push_str("\n\n");
        }
        text.push_str(&self.last_line());
        text.push('\n');
        text
    }

    /// For `check --json` and the admin API: an array of objects with `severity`, `file`, `line`,
    /// `column`, `end_line`, `end_column`, `message` and, where there are any, `label` and `help`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let problems: Vec<_> = self
            .problems
            .iter()
            .map(|problem| {
                let span = problem.span.clone();
                let start = span.as_ref().map(|span| self.position(span.start));
                let end = span.as_ref().map(|span| self.position(span.end));
                json!({
                    "severity": match problem.severity { Severity::Error => "error", Severity::Warning => "warning" },
                    "file": self.file,
                    "line": start.map(|at| at.0), "column": start.map(|at| at.1),
                    "end_line": end.map(|at| at.0), "end_column": end.map(|at| at.1),
                    "message": problem.message, "label": problem.label, "help": problem.help,
                })
            })
            .collect();
        serde_json::Value::from(problems).to_string()
    }

    fn group<'r>(&'r self, problem: &'r Problem) -> annotate_snippets::Group<'r> {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(problem.message.as_str());
        let Some(span) = problem.span.clone() else {
            let group = annotate_snippets::Group::with_title(title);
            return match &problem.help {
                Some(help) => group.element(Level::HELP.message(help.as_str())),
                None => group,
            };
        };
        let mut caret = AnnotationKind::Primary.span(span);
        if let Some(label) = &problem.label {
            caret = caret.label(label.as_str());
        }
        let mut snippet = Snippet::source(self.source.as_str())
            .path(self.file.as_str())
            .annotation(caret);
        if let Some((span, label)) = &problem.also {
            snippet = snippet.annotation(
                AnnotationKind::Context
                    .span(span.clone())
                    .label(label.as_str()),
            );
        }
        let group = title.element(snippet);
        match &problem.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }

    fn last_line(&self) -> String {
        let count = |number: usize, word: &str| match number {
            1 => format!("1 {word}"),
            _ => format!("{number} {word}s"),
        };
        match (self.errors(), self.problems.len()) {
            (0, 0) => format!("{}: no problems", self.file),
            (0, warnings) => format!("{}: {}", self.file, count(warnings, "warning")),
            (errors, _) => format!("{}: {}", self.file, count(errors, "error")),
        }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.source.get(..offset).unwrap_or(&self.source);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |line| line.chars().count())
            + 1;
        (line, column)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Colour::Never))
    }
}

impl std::error::Error for Report {}
