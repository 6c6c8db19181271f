//! Plugins: those of `[plugins]`, loaded once, and the steps in which a route uses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::document::Place;
use super::draft::{Draft, HOUR, MILLISECOND, SECOND};
use super::file::{self, Grant, OnFailureWord};
use super::problem::Problem;
use super::secrets;
use super::shapes::SECRET_IN_THE_OPEN;
use super::signature;
use super::units::{Size, Time};
use super::with::{self, Keys};
use super::words;
use crate::plugin::{
    self, Catalog, Grants, Key, Keyring, Limits, LoadError, OnFailure, Plugin, Reason, Reuse,
    Source, Stage,
};
use crate::preset::{self, Algorithm, KeyFormat, Preset, Scheme};
use crate::telemetry::{PluginMeters, Telemetry};

/// The bounds of `limits.time`: beyond ten seconds every sender has gone.
const TIME: (Time, Time) = (MILLISECOND, Time(std::time::Duration::from_secs(10)));
/// The bounds of `limits.memory`: one Wasm page to what a pool can still hold.
const MEMORY: (Size, Size) = (Size(64 << 10), Size(256 << 20));

/// The plugins of a file, by name. None: it did not load, which was reported.
pub(super) struct Shelf<'a> {
    catalog: &'a Catalog,
    own: BTreeMap<String, Own>,
    bundled: BTreeMap<&'static str, Option<Arc<Plugin>>>,
}

struct Own {
    plugin: Option<Arc<Plugin>>,
    signs: bool,
    is_used: bool,
}

/// One use of a plugin, ready, and what its preset says about the route.
pub(super) struct Prepared {
    pub step: plugin::Step,
    pub plugin: Arc<Plugin>,
    pub preset: Option<&'static Preset>,
    /// How its sender signs, where that is known.
    pub scheme: Option<Scheme>,
    /// What names its first key in logs.
    pub key: Option<String>,
}

impl<'a> Shelf<'a> {
    /// Loads every plugin of `[plugins]`, used or not: `check` is there to find what would fail later.
    pub(super) fn load(draft: &mut Draft<'_>, catalog: &'a Catalog, config: &file::Config) -> Self {
        let mut own = BTreeMap::new();
        let written = &config.plugins;
        for name in draft.document.names(&Place::root().key("plugins")) {
            let place = Place::root().key("plugins").key(&name);
            let plugin = written.get(&name).and_then(|plugin| {
                let mut grants = grants(config, &name, plugin);
                grants.reuse = reuse(draft, &place.key("reuse"), plugin.reuse.as_ref());
                load(draft, catalog, &place, &name, plugin, &grants)
            });
            let signs = written
                .get(&name)
                .is_some_and(|plugin| plugin.grant.contains(&Grant::Signing));
            own.insert(
                name,
                Own {
                    plugin,
                    signs,
                    is_used: false,
                },
            );
        }
        Self {
            catalog,
            own,
            bundled: BTreeMap::new(),
        }
    }

    /// Warns about what no route uses.
    pub(super) fn warn_unused(&self, draft: &mut Draft<'_>) {
        for (name, _) in self.own.iter().filter(|(_, own)| !own.is_used) {
            let place = Place::root().key("plugins").key(name);
            draft.warn(
                &place,
                format!("no route uses the plugin `{name}`"),
                "use it, or take it away",
            );
        }
    }

    fn find(&mut self, draft: &mut Draft<'_>, place: &Place, name: &str) -> Option<Arc<Plugin>> {
        if let Some(own) = self.own.get_mut(name) {
            own.is_used = true;
            return own.plugin.clone();
        }
        let Some(bundled) = plugin::bundled().iter().find(|bundled| **bundled == name) else {
            if draft.document.is_broken(&Place::root().key("plugins")) {
                return None;
            }
            let known = plugin::bundled()
                .iter()
                .copied()
                .chain(self.own.keys().map(String::as_str));
            let help = words::cure(name, known, "plugins");
            draft.refuse(
                &place.key("use"),
                format!("there is no plugin `{name}`"),
                help,
            );
            return None;
        };
        if let Some(loaded) = self.bundled.get(bundled) {
            return loaded.clone();
        }
        let grants = Grants {
            // Opens the import; which key it may use is said by each step.
            signing: match *bundled {
                signature::NAME => vec![signature::KEYS.into()],
                other => signs_with(other),
            },
            ..Grants::default()
        };
        let source = Source::Bundled(bundled);
        let loaded = self
            .catalog
            .load(bundled, &source, Limits::default(), &grants);
        let loaded = match loaded {
            Ok(plugin) => Some(plugin),
            Err(error) => {
                refuse_plugin(draft, &place.key("use"), name, &error);
                None
            }
        };
        self.bundled.insert(bundled, loaded.clone());
        loaded
    }

    /// Prepares the step at `place`.
    pub(super) fn step(
        &mut self,
        draft: &mut Draft<'_>,
        place: &Place,
        written: &file::Step,
        route: &str,
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
        let (json, keys, scheme, preset) = if name == signature::NAME {
            let expanded = signature::expand(
                &mut draft.document,
                place,
                draft.lookup,
                &mut draft.problems,
            );
            (
                expanded.json,
                expanded.keys,
                expanded.scheme,
                expanded.preset,
            )
        } else if written.with.is_none() {
            (Value::Null, Keys::new(), None, None)
        } else {
            let (json, keys) = with::to_json(
                &mut draft.document,
                &place.key("with"),
                key_format(name),
                draft.lookup,
                &mut draft.problems,
            );
            (json, keys, None, None)
        };
        let plugin = self.find(draft, place, name)?;
        self.signing(draft, place, written, name, &keys);
        on_failure(draft, place, written, &plugin);
        let key = keys
            .values()
            .flatten()
            .next()
            .map(|key| draft.lookup.address(&key.found.label));
        let keyring = keyring(draft, keys, scheme.as_ref().map(|scheme| scheme.algorithm));
        let config = match json {
            Value::Null => "{}".to_owned(),
            json => json.to_string(),
        };
        // A table that is already known to be wrong would be complained about twice.
        if draft.problems.errors() == before {
            check(draft, place, name, &plugin, (&config, &keyring));
            if draft.problems.errors() == before
                && let Err(error) = plugin.refuses_forgeries(&config, &[])
            {
                refuse_plugin(draft, &place.key("use"), name, &error);
            }
        }
        let meters = meters(telemetry, name, route, &plugin, &keyring);
        let mut signing: Vec<Box<str>> = match written.signing.as_slice() {
            [] => signs_with(name),
            named => named.iter().map(|name| name.as_str().into()).collect(),
        };
        // A handshake that is answered with a MAC was written by the operator, or is the preset's.
        if scheme.as_ref().is_some_and(Scheme::makes_macs) {
            signing.push(signature::KEYS.into());
        }
        let step = plugin::Step {
            plugin: Arc::clone(&plugin),
            config: config.into(),
            keys: keyring,
            signing,
            on_failure: match written.on_failure {
                Some(OnFailureWord::Skip) => OnFailure::Skip,
                Some(OnFailureWord::Refuse) | None => OnFailure::Refuse,
            },
            meters,
        };
        Some(Prepared {
            step,
            plugin,
            preset,
            scheme,
            key,
        })
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
        if !written.signing.is_empty() && !self.own.get(name).is_some_and(|own| own.signs) {
            let help = match self.own.contains_key(name) {
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

/// The bundled plugin that signs: using it is the grant.
const SIGNER: &str = "standard-sign";

/// The keys with which the bundled plugin of that name may sign.
fn signs_with(name: &str) -> Vec<Box<str>> {
    match name {
        SIGNER => vec!["keys".into()],
        _ => Vec::new(),
    }
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

/// What `[plugins]` grants, with the keys that the routes name.
fn grants(config: &file::Config, name: &str, written: &file::Plugin) -> Grants {
    let kv = written.grant.contains(&Grant::Kv);
    if !written.grant.contains(&Grant::Signing) {
        return Grants {
            kv,
            ..Grants::default()
        };
    }
    let steps = config.routes.values().flat_map(|route| &route.plugins);
    let named = steps
        .filter(|step| step.name.as_deref() == Some(name))
        .flat_map(|step| &step.signing);
    let mut signing: Vec<Box<str>> = named.map(|key| key.as_str().into()).collect();
    if signing.is_empty() {
        // Granted and not used: no key has an empty name, so this opens the import and nothing else.
        signing.push("".into());
    }
    Grants {
        signing,
        kv,
        ..Grants::default()
    }
}

/// Whether one instance may serve several webhooks; half of an answer is none.
fn reuse(
    draft: &mut Draft<'_>,
    place: &Place,
    written: Option<&file::PluginReuse>,
) -> Option<Reuse> {
    let written = written?;
    for (key, is_there) in [
        ("webhooks", written.webhooks.is_some()),
        ("time", written.time.is_some()),
    ] {
        if !is_there {
            draft.missing(
                place,
                key,
                format!("`reuse` has no `{key}`"),
                r#"write reuse = { webhooks = 100, time = "1m" }: the memory of one webhook is then there for the next"#,
            );
        }
    }
    let webhooks = written.webhooks?;
    written.time?;
    let default = std::time::Duration::ZERO;
    let time = draft.time(&place.key("time"), written.time, default, (SECOND, HOUR));
    Some(Reuse { webhooks, time })
}

fn load(
    draft: &mut Draft<'_>,
    catalog: &Catalog,
    place: &Place,
    name: &str,
    written: &file::Plugin,
    grants: &Grants,
) -> Option<Arc<Plugin>> {
    draft.name(place, name, "a plugin");
    if plugin::bundled().contains(&name) {
        draft.refuse_key(
            place,
            format!("`{name}` is the name of a bundled plugin"),
            "choose another name; a bundled plugin needs no entry",
        );
        return None;
    }
    let limits = written.limits.as_ref();
    let default = Limits::default();
    let at = place.key("limits");
    let limits = Limits {
        time: draft.time(
            &at.key("time"),
            limits.and_then(|limits| limits.time),
            default.time,
            TIME,
        ),
        memory: draft.size(
            &at.key("memory"),
            limits.and_then(|limits| limits.memory),
            default.memory,
            MEMORY,
        ),
    };
    let digest = written.sha256.as_deref().map(|text| {
        let digest = secrets::sha256(text);
        if digest.is_none() {
            draft.refuse(
                &place.key("sha256"),
                "this is not a SHA-256 digest",
                "it has 64 hex digits, as `sha256sum FILE` prints them",
            );
        }
        digest
    });
    let Some(file) = written.file.as_deref() else {
        draft.missing(
            place,
            "file",
            format!("plugin `{name}` has no `file`"),
            r#"add file = "PATH" with the component"#,
        );
        return None;
    };
    let sha256 = match digest {
        Some(None) => return None,
        Some(Some(digest)) => Some(digest),
        None => None,
    };
    let source = Source::File {
        path: draft.lookup.path(file),
        sha256,
    };
    match catalog.load(name, &source, limits, grants) {
        Ok(plugin) => Some(plugin),
        Err(error) => {
            let key = match error.reason() {
                Reason::DigestDiffers { .. } => "sha256",
                Reason::NotGranted { .. } if draft.document.has(&place.key("grant")) => "grant",
                Reason::NeedsMemory { .. } if draft.document.has(&at) => "limits",
                _ => "file",
            };
            refuse_plugin(draft, &place.key(key), name, &error);
            None
        }
    }
}

/// A plugin's error is one sentence with its cure behind a semicolon.
fn refuse_plugin(draft: &mut Draft<'_>, place: &Place, name: &str, error: &LoadError) {
    let sentence = error.to_string();
    let span = draft.document.value(place);
    // One that is loaded already is called by its name, and a name once is enough.
    let sentence = match sentence.strip_prefix(&format!("`{name}` ")) {
        Some(rest) => format!("plugin `{name}` {rest}"),
        None => format!("plugin `{name}`: {sentence}"),
    };
    draft.problems.push(match sentence.rsplit_once("; ") {
        Some((what, cure)) => Problem::error(span, what).help(cure),
        None => Problem::error(span, sentence),
    });
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

fn keyring(draft: &mut Draft<'_>, keys: Keys, algorithm: Option<Algorithm>) -> Keyring {
    let mut keyring = Keyring::new();
    for (name, found) in keys {
        let mut active = Vec::new();
        for with::KeyFound { found, span } in found {
            let label = found.label.clone();
            let key = Key::new(found.label, found.secret);
            if let Some(algorithm) = algorithm.filter(|algorithm| algorithm.asks_of_keys())
                && name == signature::KEYS
                && let Err(reason) = key.fits(algorithm.as_str())
            {
                draft
                    .problems
                    .push(Problem::error(span, format!("`{label}` {reason}")));
            }
            active.push(Arc::new(key));
        }
        keyring.insert(name.into(), active);
    }
    keyring
}

/// Asks the plugin itself what it thinks of its configuration.
fn check(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    plugin: &Plugin,
    (config, keys): (&str, &Keyring),
) {
    let with = place.key("with");
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
        Err(error) => refuse_plugin(draft, &place.key("use"), name, &error),
    }
}
