//! The published keys of a plan: each set is opened once, and kept by the next plan if it is as before.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::draft::Draft;
use super::problem::Problem;
use crate::fetch::{Found, Settings, Source};
use crate::plugin::{Catalog, Key};

/// What was opened.
pub(super) struct Sources<'a> {
    catalog: &'a Catalog,
    before: &'a [Arc<Source>],
    now: Vec<Arc<Source>>,
}

impl<'a> Sources<'a> {
    /// None yet; those of the plan in force are there.
    pub(super) fn new(catalog: &'a Catalog, before: &'a [Arc<Source>]) -> Self {
        Self {
            catalog,
            before,
            now: Vec::new(),
        }
    }

    /// What somebody has to look after.
    pub(super) fn into_all(self) -> Vec<Arc<Source>> {
        self.now
    }

    /// The keys of a set; blocks where it has to be fetched.
    pub(super) fn open(
        &mut self,
        draft: &mut Draft<'_>,
        settings: Settings,
        span: &Range<usize>,
    ) -> Option<Arc<Key>> {
        let mut known = self.now.iter().chain(self.before);
        let source = match known.find(|source| *source.settings() == settings) {
            Some(source) => Arc::clone(source),
            None => Arc::new(self.fetch(draft, settings, span)?),
        };
        let key = Arc::clone(source.key());
        if !self.now.iter().any(|other| Arc::ptr_eq(other, &source)) {
            self.now.push(source);
        }
        Some(key)
    }

    fn fetch(
        &self,
        draft: &mut Draft<'_>,
        settings: Settings,
        span: &Range<usize>,
    ) -> Option<Source> {
        let url = settings.label();
        match Source::open(settings, self.catalog) {
            Ok((source, Found::Fetched)) => Some(source),
            Ok((source, Found::Kept(age, why))) => {
                let age = words(age);
                let problem = Problem::warning(
                    span.clone(),
                    format!("`{url}` {why}: its keys are those of {age} ago"),
                );
                draft
                    .problems
                    .push(problem.help("they are fetched as soon as it answers"));
                Some(source)
            }
            Err(why) => {
                let problem = Problem::error(span.clone(), format!("`{url}` {why}"));
                draft.problems.push(problem.help(HELP));
                None
            }
        }
    }
}

const HELP: &str = "keys are fetched when the configuration is loaded; an address of a private network needs \
    private = true, and an authority of one's own ca = \"PATH\"";

/// To the minute: what was kept is a day old at most.
fn words(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0 => "a moment".to_owned(),
        1..60 => format!("{minutes} min"),
        _ => format!("{} h", minutes / 60),
    }
}
