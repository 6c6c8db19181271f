//! The steps in which a route uses its plugins: each with its configuration, its keys, and what is asked
//! beside it.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::document::Place;
use super::draft::Draft;
use super::file::{self, OnFailureWord};
use super::goldens::Subject;
use super::problem::Problem;
use super::secrets;
use super::shapes::{SECRET_CURE, SECRET_IN_THE_OPEN};
use super::shelf::{Shelf, refuse_plugin};
use super::signature::{self, Expanded};
use super::with::{self, KeyFound, Keys, Origin};
use super::words;
use crate::fetch::Confirmation;
use crate::plugin::{self, Candidate, Key, Keyring, OnFailure, Plugin, Stage};
use crate::preset::{self, Algorithm, EventName, KeyFormat, Preset, Scheme};
use crate::telemetry::{PluginMeters, Telemetry};

/// One use of a plugin, ready, and what its preset says about the route.
pub(super) struct Prepared {
    pub step: plugin::Step,
    pub plugin: Arc<Plugin>,
    /// What is asked beside it.
    pub candidate: Option<Candidate>,
    pub preset: Option<&'static Preset>,
    /// How its sender signs, where that is known.
    pub scheme: Option<Scheme>,
    /// What names its first key in logs.
    pub key: Option<String>,
    /// Forgeries that it refused.
    pub forgeries: usize,
    /// What its sender may have us confirm.
    pub confirmation: Option<Confirmation>,
}

impl Prepared {
    /// It is the only plugin of its route. The event's name, which `signature` notes for those that come
    /// after it, would be read from every webhook for nobody.
    pub(super) fn is_alone(&mut self) {
        if let Some(scheme) = &self.scheme {
            let scheme = Scheme {
                event: None,
                ..scheme.clone()
            };
            self.step.config = signature::json(&scheme).to_string().into();
        }
    }
}

impl Prepared {
    /// What it was made from, to tell whether a reload changes it: a secret by its digest.
    pub(super) fn making(&self) -> impl fmt::Debug + use<> {
        let keys = self.step.keys.values().flatten();
        let keys: Vec<_> = keys.map(|key| key.digest()).collect();
        (Arc::clone(&self.step.config), self.plugin.digest(), keys)
    }
}

/// A plugin's configuration: how it came about, as the guest reads it, and its keys.
type Question<'a> = (&'a Subject<'a>, &'a str, &'a Keyring);

impl Shelf<'_> {
    /// Prepares the step at `place`.
    pub(super) fn step(
        &mut self,
        draft: &mut Draft<'_>,
        place: &Place,
        written: &file::Step,
        (route, sender): (&str, Option<&'static Preset>),
        telemetry: &Telemetry,
    ) -> Option<Prepared> {
        let Some(name) = written.name.as_deref() else {
            draft.missing(
                place,
                "use",
                "this step does not say which plugin it uses",
                r#"add use = "signature", or another plugin's name"#,
            );
            return None;
        };
        let before = draft.problems.errors();
        // The table is read even when the plugin is unknown, for it may be wrong as well.
        let Expanded {
            json,
            keys,
            scheme,
            preset,
            confirmation,
        } = read(draft, place, written, (name, sender));
        let plugin = self.find(draft, &place.key("use"), name)?;
        self.signing(draft, place, written, name, &keys);
        on_failure(draft, place, written, &plugin);
        let key = keys
            .values()
            .flatten()
            .next()
            .map(|key| draft.lookup.address(&key.found.label()));
        let algorithm = scheme.as_ref().map(|scheme| scheme.algorithm);
        let keyring = self.keyring(draft, keys, (name, algorithm));
        let config = match &json {
            Value::Null => "{}".to_owned(),
            json => json.to_string(),
        };
        let subject = Subject {
            name,
            config: &json,
            scheme: scheme.as_ref(),
            preset,
        };
        // A table that is already known to be wrong would be complained about twice.
        let mut forgeries = 0;
        if draft.problems.errors() == before {
            let question = (&subject, config.as_str(), &keyring);
            forgeries = self.ask(draft, (place, "use"), &plugin, question);
        }
        let right =
            (draft.problems.errors() == before).then_some((&subject, config.as_str(), &keyring));
        let candidate = self
            .candidate(draft, place, written, &plugin, right)
            .map(|candidate| Candidate {
                meters: telemetry.shadow(route, name, candidate.name()),
                plugin: candidate,
            });
        let meters = meters(telemetry, name, route, &plugin, &keyring);
        let step = plugin::Step {
            plugin: Arc::clone(&plugin),
            config: config.into(),
            keys: keyring,
            signing: signing_keys(written, name, scheme.as_ref()),
            on_failure: match written.on_failure {
                Some(OnFailureWord::Skip) => OnFailure::Skip,
                Some(OnFailureWord::Refuse) | None => OnFailure::Refuse,
            },
            meters,
        };
        Some(Prepared {
            step,
            plugin,
            candidate,
            preset,
            scheme,
            key,
            forgeries,
            confirmation,
        })
    }

    /// The keys of a step, those that are published fetched.
    fn keyring(
        &mut self,
        draft: &mut Draft<'_>,
        keys: Keys,
        (plugin, algorithm): (&str, Option<Algorithm>),
    ) -> Keyring {
        let mut keyring = Keyring::new();
        for (name, found) in keys {
            let mut active = Vec::new();
            for KeyFound { found, span } in found {
                let label = found.label();
                let key = match found {
                    Origin::Here(found) => Some(Arc::new(Key::new(found.label, found.secret))),
                    Origin::Published(_) if compares(plugin, algorithm) => {
                        let what = "what everybody can fetch is no secret";
                        let problem = Problem::error(span.clone(), what);
                        draft.problems.push(problem.help(SECRET_CURE));
                        None
                    }
                    Origin::Published(settings) => self.sources.open(draft, settings, &span),
                };
                let Some(key) = key else { continue };
                if let Some(algorithm) = algorithm.filter(|algorithm| algorithm.asks_of_keys())
                    && name == signature::KEYS
                    && let Err(reason) = key.fits(algorithm.as_str())
                {
                    draft
                        .problems
                        .push(Problem::error(span, format!("`{label}` {reason}")));
                }
                active.push(key);
            }
            keyring.insert(name.into(), active);
        }
        keyring
    }

    /// The plugin that is asked beside `plugin`; asked about the configuration unless that is wrong.
    fn candidate(
        &mut self,
        draft: &mut Draft<'_>,
        place: &Place,
        written: &file::Step,
        plugin: &Plugin,
        question: Option<Question<'_>>,
    ) -> Option<Arc<Plugin>> {
        let name = written.shadow.as_deref()?;
        let at = place.key("shadow");
        let found = self.find(draft, &at, name)?;
        shadow(draft, &at, plugin, &found)?;
        if let Some((subject, config, keys)) = question {
            let subject = Subject { name, ..*subject };
            self.ask(draft, (place, "shadow"), &found, (&subject, config, keys));
        }
        Some(found)
    }

    /// Asks the plugin that a key of the step names what it thinks of its configuration, and about
    /// forgeries. Gives how many of those it refused.
    fn ask(
        &mut self,
        draft: &mut Draft<'_>,
        (step, key): (&Place, &str),
        plugin: &Plugin,
        (subject, config, keys): Question<'_>,
    ) -> usize {
        let before = draft.problems.errors();
        let place = step.key(key);
        check(draft, (step, &place), plugin, (config, keys));
        match draft.problems.errors() == before {
            true => (self.tried).ask(draft, &place, plugin, (subject, config)),
            false => 0,
        }
    }

    fn signing(
        &self,
        draft: &mut Draft<'_>,
        place: &Place,
        written: &file::Step,
        name: &str,
        keys: &Keys,
    ) {
        let place = place.key("signing");
        if !written.signing.is_empty() && self.signs(name) != Some(true) {
            let help = match self.signs(name).is_some() {
                true => format!("add grant = [\"signing\"] to [plugins.{name}]"),
                false => "the bundled plugins do not sign".to_owned(),
            };
            draft.refuse_key(&place, format!("`{name}` may not sign"), help);
            return;
        }
        for (index, key) in written.signing.iter().enumerate() {
            if !keys.contains_key(key) {
                let help = words::cure(key, keys.keys().map(String::as_str), "secrets in `with`");
                draft.refuse(
                    &place.index(index),
                    format!("`with` has no secret `{key}`"),
                    help,
                );
            }
        }
    }
}

/// A step's `with`: what the guest reads of it, and what the host keeps. `sender` is who the steps before
/// it say that the route is for.
fn read(
    draft: &mut Draft<'_>,
    place: &Place,
    written: &file::Step,
    (name, sender): (&str, Option<&'static Preset>),
) -> Expanded {
    let (document, problems) = (&mut draft.document, &mut draft.problems);
    if name == signature::NAME {
        return signature::expand(document, place, draft.lookup, problems);
    }
    let mut expanded = Expanded::default();
    if written.with.is_some() {
        let (place, format) = (place.key("with"), key_format(name));
        (expanded.json, expanded.keys) =
            with::to_json(document, &place, format, draft.lookup, problems);
    }
    if name == DEDUPE {
        identify(
            &mut expanded.json,
            sender.and_then(|sender| sender.id.as_ref()),
        );
    }
    expanded
}

/// What tells one webhook from the next is known of many senders.
fn identify(json: &mut Value, id: Option<&EventName>) {
    if json.is_null() {
        *json = Value::Object(serde_json::Map::new());
    }
    let (Value::Object(table), Some(id)) = (json, id) else {
        return;
    };
    if ["header", "pointer", "digest"]
        .iter()
        .any(|name| table.contains_key(*name))
    {
        return;
    }
    let (place, name) = match id {
        EventName::Header(name) => ("header", name),
        EventName::Pointer(pointer) => ("pointer", pointer),
    };
    table.insert(place.to_owned(), name.as_str().into());
}

/// The bundled plugin that delivers once.
const DEDUPE: &str = "dedupe";

/// The bundled plugin that signs: using it is the grant.
const SIGNER: &str = "standard-sign";

/// The keys with which the bundled plugin of that name may sign.
pub(super) fn signs_with(name: &str) -> Vec<Box<str>> {
    match name {
        SIGNER => vec!["keys".into()],
        _ => Vec::new(),
    }
}

/// The keys with which a step may sign.
fn signing_keys(written: &file::Step, name: &str, scheme: Option<&Scheme>) -> Vec<Box<str>> {
    let mut signing = match written.signing.as_slice() {
        [] => signs_with(name),
        named => named.iter().map(|name| name.as_str().into()).collect(),
    };
    // A handshake that is answered with a MAC was written by the operator, or is the preset's.
    if scheme.is_some_and(Scheme::makes_macs) {
        signing.push(signature::KEYS.into());
    }
    signing
}

/// Whether a bundled plugin takes its keys for shared secrets.
fn compares(plugin: &str, algorithm: Option<Algorithm>) -> bool {
    matches!(plugin, "token" | "basic-auth" | SIGNER) || algorithm == Some(Algorithm::Token)
}

/// How a plugin's secrets are written: the one that signs takes what the preset of its scheme takes.
fn key_format(name: &str) -> &'static KeyFormat {
    match name {
        SIGNER => preset::find("standard-webhooks").map_or(&secrets::TEXT, |preset| &preset.key),
        _ => &secrets::TEXT,
    }
}

/// With every series at 0 from the start: a key that never matches must show, so that it can be removed.
fn meters(
    telemetry: &Telemetry,
    name: &str,
    route: &str,
    plugin: &Plugin,
    keyring: &Keyring,
) -> Arc<PluginMeters> {
    let meters = telemetry.plugin(name, route);
    for stage in plugin.stages() {
        meters.serves(stage.as_str());
    }
    for (key, active) in keyring {
        for secret in active {
            meters.holds(key, secret.label());
        }
    }
    meters
}

fn on_failure(draft: &mut Draft<'_>, place: &Place, written: &file::Step, plugin: &Plugin) {
    if written.on_failure == Some(OnFailureWord::Skip) && plugin.stages() == [Stage::Verify] {
        draft.refuse(
            &place.key("on_failure"),
            format!(
                "`{}` verifies: when it fails, the webhook is refused",
                plugin.name()
            ),
            "take it away; only filters and transforms can be skipped",
        );
    }
}

/// Whether a candidate can be asked what the plugin is asked.
fn shadow(draft: &mut Draft<'_>, place: &Place, plugin: &Plugin, candidate: &Plugin) -> Option<()> {
    let (name, stages) = (candidate.name(), plugin.stages());
    if name == plugin.name() {
        draft.refuse(
            place,
            format!("`{name}` is the plugin in force"),
            "name another plugin: the version that may follow it",
        );
        return None;
    }
    let missing = stages
        .iter()
        .find(|stage| !candidate.stages().contains(stage));
    if let Some(stage) = missing {
        let (stage, plugin) = (stage.as_str(), plugin.name());
        draft.refuse(
            place,
            format!("`{name}` has no stage `{stage}`, which `{plugin}` has"),
            "a candidate answers what the plugin in force is asked",
        );
        return None;
    }
    Some(())
}

/// Asks a plugin what it thinks of its configuration.
fn check(
    draft: &mut Draft<'_>,
    (step, place): (&Place, &Place),
    plugin: &Plugin,
    (config, keys): (&str, &Keyring),
) {
    let (with, name) = (step.key("with"), plugin.name());
    match plugin.check(config, keys) {
        Ok(problems) => {
            for problem in problems {
                let span = draft.document.value(&with.pointer(&problem.pointer));
                if problem.message.starts_with(SECRET_IN_THE_OPEN) {
                    draft.problems.mask(span.clone());
                }
                let problem = Problem::error(span, format!("plugin `{name}`: {}", problem.message))
                    .label("says the plugin itself");
                draft.problems.push(problem);
            }
        }
        Err(error) => refuse_plugin(draft, place, name, &error),
    }
}
