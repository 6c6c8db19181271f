//! Whether the verifiers of a plan refuse forgeries: each is asked once, and not again by a reload that
//! changes nothing about it.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use super::document::Place;
use super::draft::Draft;
use super::goldens::HELP;
use super::goldens::{self, Subject};
use super::shelf::refuse_plugin;
use crate::plugin::{Golden, LoadError, Plugin, Reason};

/// The plugin, its configuration, and by whose sample it was asked.
type Trial = [u8; SHA256_OUTPUT_LEN];

/// What became of a trial.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// Forgeries that were refused.
    refused: usize,
    /// What could not be tried: what is said of it, and the cure.
    untried: Vec<(String, String)>,
}

/// What a plan knows of its verifiers.
pub(super) type Outcomes = BTreeMap<Trial, Outcome>;

/// The trials of one plan.
#[derive(Debug, Default)]
pub(super) struct Tried {
    /// Those of the plan before.
    before: Outcomes,
    now: Outcomes,
}

impl Tried {
    /// None yet; what was tried for the plan in force need not be tried again.
    pub(super) fn after(before: Option<&Outcomes>) -> Self {
        Self {
            before: before.cloned().unwrap_or_default(),
            now: Outcomes::new(),
        }
    }

    /// What the next plan need not try.
    pub(super) fn into_outcomes(self) -> Outcomes {
        self.now
    }

    /// Asks the plugin, which the key at `place` names, about forgeries. Gives how many it refused.
    pub(super) fn ask(
        &mut self,
        draft: &mut Draft<'_>,
        place: &Place,
        plugin: &Plugin,
        (subject, config): (&Subject<'_>, &str),
    ) -> usize {
        let trial = trial(plugin, subject, config);
        let known = self.now.get(&trial).or_else(|| self.before.get(&trial));
        let outcome = match known {
            Some(outcome) => outcome.clone(),
            None => match outcome(plugin, subject, config) {
                Ok(outcome) => outcome,
                Err(error) => {
                    refuse_plugin(draft, place, plugin.name(), &error);
                    return 0;
                }
            },
        };
        for (what, help) in &outcome.untried {
            draft.warn(place, what.as_str(), help.as_str());
        }
        let refused = outcome.refused;
        self.now.insert(trial, outcome);
        refused
    }
}

fn outcome(plugin: &Plugin, subject: &Subject<'_>, config: &str) -> Result<Outcome, LoadError> {
    let goldens = goldens::of(subject);
    let mut untried: Vec<_> = goldens
        .untried
        .into_iter()
        .map(|untried| (untried.what, untried.help.to_owned()))
        .collect();
    let mut refused = 0;
    // What a plugin brings itself is asked about beside each of ours.
    let each: Vec<&[Golden]> = match goldens.made.as_slice() {
        [] => vec![&[]],
        made => made.chunks(1).collect(),
    };
    for golden in each {
        match (plugin.refuses_forgeries(config, golden), golden) {
            (Ok(count), _) => refused += count,
            (Err(error), [_ours]) => match error.reason() {
                // Where a scheme is the operator's own, ours is a guess: it is no fault of the scheme.
                Reason::RefusesGolden(_, said) => untried.push((
                    format!("no forgery of this scheme is tried at load: the webhook that is made up for it is refused: {said}"),
                    HELP.to_owned(),
                )),
                _ => return Err(error),
            },
            (Err(error), _) => return Err(error),
        }
    }
    Ok(Outcome { refused, untried })
}

fn trial(plugin: &Plugin, subject: &Subject<'_>, config: &str) -> Trial {
    let mut sha = Context::new(&SHA256);
    sha.update(&plugin.digest());
    let preset = subject.preset.map_or("", |preset| preset.name);
    // No name holds a NUL, and what follows the last one is the rest.
    for text in [plugin.name(), "\0", preset, "\0", config] {
        sha.update(text.as_bytes());
    }
    let mut trial = [0; SHA256_OUTPUT_LEN];
    trial.copy_from_slice(sha.finish().as_ref());
    trial
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::{Outcomes, Subject, Tried, trial};
    use crate::config::document::{Document, Place};
    use crate::config::draft::Draft;
    use crate::config::goldens::tests::{careless, catalog};
    use crate::config::problem::Problems;
    use crate::config::secrets::Lookup;
    use crate::preset;

    /// How many errors there are when a verifier that takes everything is asked.
    fn errors(before: &Outcomes, asked: &str) -> usize {
        let (mut problems, environment) = (Problems::default(), |_: &str| None);
        let document = Document::parse("", &mut problems).unwrap();
        let lookup = Lookup {
            base: Path::new(""),
            environment: &environment,
        };
        let mut draft = Draft {
            document,
            problems,
            lookup,
        };
        let preset = preset::find("github").unwrap();
        let (subject, plugin) = (subject(preset), careless(&catalog()));
        let mut tried = Tried::after(Some(before));
        tried.ask(&mut draft, &Place::root(), &plugin, (&subject, asked));
        draft.problems.errors()
    }

    fn subject(preset: &'static preset::Preset) -> Subject<'static> {
        Subject {
            name: "signature",
            config: &Value::Null,
            scheme: Some(&preset.scheme),
            preset: Some(preset),
        }
    }

    #[test]
    fn what_was_tried_is_not_tried_again_until_it_changes() {
        let github = subject(preset::find("github").unwrap());
        let known = trial(&careless(&catalog()), &github, "{}");

        assert_eq!(errors(&Outcomes::new(), "{}"), 1);
        let before = Outcomes::from([(known, super::Outcome::default())]);
        assert_eq!(errors(&before, "{}"), 0);
        assert_eq!(errors(&before, r#"{"event":"x"}"#), 1);
    }
}
