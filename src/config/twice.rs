//! A table or a key that is given twice: where it is given first.
//!
//! The parser tells only where the second one is, so the first is looked for by what is written. Where it
//! is written in another way (`[a.b]` and `b = {}` below `[a]`) it is not found, and not shown.

use std::ops::Range;

use super::problem::Problem;

/// The problem; nothing where it only follows from a table that is given twice, which is a problem of its
/// own. `at` is the second key.
pub(super) fn twice(text: &str, at: Range<usize>) -> Option<Problem> {
    let lines = Lines::of(text);
    let here = lines.around(at.start)?;
    if let Some(header) = here.header() {
        let first = lines
            .before(here)
            .find(|line| line.header().as_ref() == Some(&header));
        let problem = Problem::error(at, format!("the table `{header}` is given twice"))
            .help("a table may be given once; merge the two or rename one");
        return Some(also(problem, first.map(Line::content)));
    }
    let name = text.get(at.clone()).unwrap_or_default();
    let problem = Problem::error(at.clone(), format!("`{name}` is given twice"))
        .help("a key may be given once; keep one of the two");
    let Some(key) = here.key().filter(|key| at.start <= key.end) else {
        let inline = inline(text, here.start, &at);
        return Some(also(problem, inline));
    };
    let table = lines.before(here).filter(|line| line.is_header()).last();
    let header = table.and_then(Line::header);
    let is_same = |line: &Line<'_>| line.is_header() && line.header() == header;
    if let Some(table) = table
        && header.is_some()
        && lines.before(table).any(|line| is_same(&line))
    {
        return None;
    }
    let start = table.map_or(0, |table| table.start);
    let key = text.get(key).unwrap_or_default();
    let of_table = lines.before(here).filter(|line| line.start >= start);
    let first = of_table
        .filter_map(|line| line.key())
        .find(|span| text.get(span.clone()) == Some(key));
    Some(also(problem, first))
}

fn also(problem: Problem, first: Option<Range<usize>>) -> Problem {
    match first {
        Some(first) => problem.also(first, "first here"),
        None => problem,
    }
}

/// The same key before `at` on its line, which begins at `start`.
fn inline(text: &str, start: usize, at: &Range<usize>) -> Option<Range<usize>> {
    let (before, name) = (text.get(start..at.start)?, text.get(at.clone())?);
    let mut found = before.match_indices(name).map(|(place, _)| place);
    let place = found.find(|place| {
        let (left, right) = before.split_at_checked(*place).unwrap_or_default();
        let right = right.get(name.len()..).unwrap_or_default();
        left.trim_end().ends_with(['{', ',']) && right.trim_start().starts_with('=')
    })?;
    Some(start + place..start + place + name.len())
}

/// A line, and where it begins.
#[derive(Clone, Copy, Debug)]
struct Line<'t> {
    start: usize,
    text: &'t str,
}

impl Line<'_> {
    /// Without the blanks around it.
    fn content(self) -> Range<usize> {
        let text = self.text.trim_end();
        let blanks = text.len() - text.trim_start().len();
        self.start + blanks..self.start + text.len()
    }

    fn is_header(self) -> bool {
        self.text.trim_start().starts_with('[')
    }

    /// The path of `[a.b]`, as it would be written without blanks; not of `[[a.b]]`.
    fn header(self) -> Option<String> {
        let inside = self.text.trim_start().strip_prefix('[')?;
        let (path, _) = inside.split_once(']')?;
        let parts: Vec<&str> = path.split('.').map(str::trim).collect();
        (!path.starts_with('[')).then(|| parts.join("."))
    }

    /// Where its key stands.
    fn key(self) -> Option<Range<usize>> {
        let (key, _) = self.text.split_once('=')?;
        let blanks = key.len() - key.trim_start().len();
        Some(self.start + blanks..self.start + key.trim_end().len())
    }
}

struct Lines<'t>(Vec<Line<'t>>);

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let mut start = 0;
        let lines = text.split_inclusive('\n').map(|text| {
            let line = Line { start, text };
            start += text.len();
            line
        });
        Self(lines.collect())
    }

    fn around(&self, at: usize) -> Option<Line<'t>> {
        self.0.iter().rev().find(|line| line.start <= at).copied()
    }

    fn before(&self, line: Line<'t>) -> impl Iterator<Item = Line<'t>> {
        self.0
            .iter()
            .take_while(move |before| before.start < line.start)
            .copied()
    }
}
