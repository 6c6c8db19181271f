//! The file as a tree in which every key and value knows its place.
//!
//! Serde stops at the first thing it does not like. [`Document::read`] notes it, cuts it out and reads
//! again, so that one mistake never hides another. Meaning is checked later, by looking up the place
//! of what is meant ([`Document::value`]), so the types of `file.rs` stay free of spans.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::problem::{Problem, Problems};
use super::shapes::SECRET_IN_THE_OPEN;
use super::words;

/// More mistakes than this in one file are a file of another program.
const PROBLEMS_MAX: usize = 100;

/// Where something stands: keys and indices from the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl Place {
    /// The root table.
    pub(super) fn root() -> Self {
        Self::default()
    }

    pub(super) fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    pub(super) fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// Follows an RFC 6901 pointer; digits index where the document has a list.
    pub(super) fn pointer(&self, pointer: &str) -> Self {
        let mut steps = self.0.clone();
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            steps.push(token.parse().map_or(Step::Key(token), Step::Index));
        }
        Self(steps)
    }

    /// The innermost table entry: elements of a list are not cut out one by one.
    fn entry(&self) -> Self {
        let is_index = |step: &&Step| matches!(step, Step::Index(_));
        let indices = self.0.iter().rev().take_while(is_index).count();
        Self(
            self.0
                .get(..self.0.len() - indices)
                .unwrap_or_default()
                .to_vec(),
        )
    }

    fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// The line of `text` that the byte at `at` is on; it ends before its newline.
fn line_at(text: &str, at: usize) -> Range<usize> {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after.find('\n').map_or(text.len(), |newline| at + newline);
    start..end
}

/// A parsed file.
#[derive(Debug)]
pub(super) struct Document<'t> {
    root: Spanned<DeValue<'t>>,
    /// What was cut out because it was wrong: not missing, only not usable.
    broken: Vec<Place>,
}

impl<'t> Document<'t> {
    /// Parses TOML. With syntax errors, all of them are noted and there is no document, for what
    /// follows a syntax error may be understood wrongly.
    pub(super) fn parse(text: &'t str, problems: &mut Problems) -> Option<Self> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let Some(problem) = words::syntax(error, text) else {
                continue;
            };
            // What a broken line says is not known, so neither is whether it holds a secret.
            let also = problem.also.as_ref().map(|(span, _)| span);
            for span in problem.span.iter().chain(also) {
                problems.mask_texts(line_at(text, span.start));
            }
            problems.push(problem);
        }
        let span = table.span();
        errors.is_empty().then(|| Self {
            root: Spanned::new(span, DeValue::Table(table.into_inner())),
            broken: Vec::new(),
        })
    }

    /// Reads the table at `place` as `T`; every mistake in it is noted and left out.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(
        &mut self,
        place: &Place,
        problems: &mut Problems,
    ) -> Option<T> {
        let mut value = self.get(place)?.clone();
        for _ in 0..PROBLEMS_MAX {
            let error =
                match serde_path_to_error::deserialize(ValueDeserializer::from(value.clone())) {
                    Ok(read) => return Some(read),
                    Err(error) => error,
                };
            let mut at = place.clone();
            for segment in error.path() {
                match segment {
                    Segment::Map { key } | Segment::Enum { variant: key } => {
                        at.0.push(Step::Key(key.clone()));
                    }
                    Segment::Seq { index } => at.0.push(Step::Index(*index)),
                    Segment::Unknown => {}
                }
            }
            let (problem, meant) = self.explain(&at, error.inner());
            // It is not missing: it was given under another name.
            self.broken.extend(meant);
            if error.inner().message() == SECRET_IN_THE_OPEN {
                problems.mask(problem.span.clone().unwrap_or_default());
            }
            // `{ value = "..." }` is how a secret is written elsewhere.
            if words::is_about_secret(error.inner().message()) {
                problems.mask(self.value(&at));
            }
            problems.push(problem);
            self.broken.push(at.entry());
            let below = at.0.get(place.0.len()..).unwrap_or_default();
            if !cut(&mut value, below) {
                return None;
            }
        }
        None
    }

    /// What is wrong at `at`, and the place that was probably meant instead.
    fn explain(&self, at: &Place, error: &toml::de::Error) -> (Problem, Option<Place>) {
        let span = error.span().unwrap_or_else(|| self.value(at));
        let parent = Place(
            at.0.get(..at.0.len().saturating_sub(1))
                .unwrap_or_default()
                .to_vec(),
        );
        let key = at.last_key().unwrap_or_default();
        let meant = words::meant_key(error.message(), key).map(|meant| parent.key(meant));
        let problem = words::meaning(
            error.message(),
            key,
            &at.to_string(),
            &parent.to_string(),
            span,
        );
        (problem, meant)
    }

    /// The value at `place`, as parsed.
    pub(super) fn get(&self, place: &Place) -> Option<&Spanned<DeValue<'t>>> {
        place.0.iter().try_fold(&self.root, |value, step| {
            child(value, step).map(|(_, value)| value)
        })
    }

    /// The span of the value at `place`, or of what is nearest around it.
    pub(super) fn value(&self, place: &Place) -> Range<usize> {
        self.nearest(place).1
    }

    /// The span of the key at `place`, or of what is nearest around it.
    pub(super) fn key(&self, place: &Place) -> Range<usize> {
        self.nearest(place).0
    }

    /// Whether `place` was written but could not be used; that was reported already.
    pub(super) fn is_broken(&self, place: &Place) -> bool {
        self.broken
            .iter()
            .any(|broken| place.0.starts_with(&broken.0))
    }

    /// Whether the file says anything at `place`.
    pub(super) fn has(&self, place: &Place) -> bool {
        self.get(place).is_some()
    }

    /// The keys of the table at `place`, in the order of their spelling; none where there is no table.
    pub(super) fn names(&self, place: &Place) -> Vec<String> {
        match self.get(place).map(|value| value.get_ref()) {
            Some(DeValue::Table(table)) => {
                table.keys().map(|key| key.get_ref().to_string()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn nearest(&self, place: &Place) -> (Range<usize>, Range<usize>) {
        let mut here = &self.root;
        // The root's own span is the whole file: point at its first line instead.
        let mut spans = (0..0, 0..0);
        for step in &place.0 {
            let Some((key, value)) = child(here, step) else {
                break;
            };
            // A table that only its children's headers imply has no text of its own.
            let own = value.span();
            let value_span = if own.is_empty() {
                key.clone().unwrap_or(own)
            } else {
                own
            };
            spans = (key.unwrap_or_else(|| value_span.clone()), value_span);
            here = value;
        }
        spans
    }
}

type Child<'d, 't> = (Option<Range<usize>>, &'d Spanned<DeValue<'t>>);

fn child<'d, 't>(value: &'d Spanned<DeValue<'t>>, step: &Step) -> Option<Child<'d, 't>> {
    match (value.get_ref(), step) {
        (DeValue::Table(table), Step::Key(name)) => table
            .iter()
            .find(|(key, _)| key.get_ref() == name)
            .map(|(key, value)| (Some(key.span()), value)),
        (DeValue::Array(list), Step::Index(index)) => list.get(*index).map(|value| (None, value)),
        _ => None,
    }
}

/// Takes the innermost table entry on the way to `steps` out. Elements of a list stay, lest the places
/// behind them move: their list goes instead.
fn cut(value: &mut Spanned<DeValue<'_>>, steps: &[Step]) -> bool {
    let Some((first, rest)) = steps.split_first() else {
        return false;
    };
    match (value.get_mut(), first) {
        (DeValue::Table(table), Step::Key(name)) => {
            let below = table.iter_mut().find(|(key, _)| key.get_ref() == name);
            if below.is_some_and(|(_, value)| cut(value, rest)) {
                return true;
            }
            table.remove(name.as_str()).is_some()
        }
        (DeValue::Array(list), Step::Index(index)) => {
            list.get_mut(*index).is_some_and(|value| cut(value, rest))
        }
        _ => false,
    }
}
