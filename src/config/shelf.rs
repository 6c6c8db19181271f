//! `[plugins]`: loaded once, whatever they are used for, and what each may do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Place;
use super::draft::{Draft, HOUR, MILLISECOND, SECOND};
use super::file::{self, Grant};
use super::forgeries::Tried;
use super::problem::Problem;
use super::secrets;
use super::signature;
use super::sources::Sources;
use super::steps::signs_with;
use super::units::{Size, Time};
use super::words;
use crate::plugin::{self, Catalog, Grants, Limits, LoadError, Plugin, Reason, Reuse, Source};

/// The bounds of `limits.time`: beyond ten seconds every sender has gone.
const TIME: (Time, Time) = (MILLISECOND, Time(std::time::Duration::from_secs(10)));
/// The bounds of `limits.memory`: one Wasm page to what a pool can still hold.
const MEMORY: (Size, Size) = (Size(64 << 10), Size(256 << 20));

/// The plugins of a file, by name. None: it did not load, which was reported.
pub(super) struct Shelf<'a> {
    catalog: &'a Catalog,
    /// Which verifiers were asked about forgeries.
    pub tried: Tried,
    /// The published keys that were opened.
    pub sources: Sources<'a>,
    own: BTreeMap<String, Own>,
    bundled: BTreeMap<&'static str, Option<Arc<Plugin>>>,
}

struct Own {
    plugin: Option<Arc<Plugin>>,
    signs: bool,
    is_used: bool,
}

impl<'a> Shelf<'a> {
    /// Loads every plugin of `[plugins]`, used or not: `check` is there to find what would fail later.
    pub(super) fn load(
        draft: &mut Draft<'_>,
        catalog: &'a Catalog,
        config: &file::Config,
        (tried, sources): (Tried, Sources<'a>),
    ) -> Self {
        let names = draft.document.names(&Place::root().key("plugins"));
        let own = names.into_iter().map(|name| {
            let place = Place::root().key("plugins").key(&name);
            let own = Own::load(draft, catalog, config, &place, &name);
            (name, own)
        });
        Self {
            catalog,
            tried,
            sources,
            own: own.collect(),
            bundled: BTreeMap::new(),
        }
    }

    /// The same for a fixture, whose plugin is written at the root of the document.
    pub(super) fn of_fixture(
        draft: &mut Draft<'_>,
        catalog: &'a Catalog,
        config: &file::Config,
    ) -> Self {
        let own = config.plugins.keys().map(|name| {
            let own = Own::load(draft, catalog, config, &Place::root(), name);
            (name.clone(), own)
        });
        Self {
            catalog,
            tried: Tried::default(),
            sources: Sources::new(catalog, &[]),
            own: own.collect(),
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

    /// The plugin that the key at `place` names.
    pub(super) fn find(
        &mut self,
        draft: &mut Draft<'_>,
        place: &Place,
        name: &str,
    ) -> Option<Arc<Plugin>> {
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
            draft.refuse(place, format!("there is no plugin `{name}`"), help);
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
                refuse_plugin(draft, place, name, &error);
                None
            }
        };
        self.bundled.insert(bundled, loaded.clone());
        loaded
    }

    /// Whether a plugin of `[plugins]` is granted signing; none when it is not of `[plugins]`.
    pub(super) fn signs(&self, name: &str) -> Option<bool> {
        self.own.get(name).map(|own| own.signs)
    }
}

impl Own {
    fn load(
        draft: &mut Draft<'_>,
        catalog: &Catalog,
        config: &file::Config,
        place: &Place,
        name: &str,
    ) -> Self {
        let written = config.plugins.get(name);
        let plugin = written.and_then(|plugin| {
            let mut grants = grants(config, name, plugin);
            grants.reuse = reuse(draft, &place.key("reuse"), plugin.reuse.as_ref());
            load(draft, catalog, place, name, plugin, &grants)
        });
        Self {
            plugin,
            signs: written.is_some_and(|plugin| plugin.grant.contains(&Grant::Signing)),
            is_used: false,
        }
    }
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
pub(super) fn refuse_plugin(draft: &mut Draft<'_>, place: &Place, name: &str, error: &LoadError) {
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
