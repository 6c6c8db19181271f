//! From the file as written to the plan as meant, in one fallible step that finds all problems.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::buffer;
use super::document::{Document, Place};
use super::draft::Draft;
use super::file::{Config, LogFormat, LogLevel};
use super::forgeries::{Outcomes, Tried};
use super::problem::{Problems, Report};
use super::routes::{self, Built, Material};
use super::secrets::{Environment, Lookup};
use super::server;
use super::shelf::Shelf;
use super::sources::Sources;
use super::upstreams;
use crate::admin;
use crate::delivery::{Bounds, Buffer, Contract, Plans, Share, Storage, Upstream};
use crate::fetch::Source;
use crate::gate::Routes;
use crate::listener;
use crate::plugin::Catalog;
use crate::preset::Scheme;
use crate::telemetry::Telemetry;

/// A configuration file is read by people: more is a file named by mistake.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What a plan is built with, and what it was before.
#[derive(Clone, Copy)]
pub struct Provisions<'a> {
    /// Compiled plugins; what is in it is not compiled again.
    pub catalog: &'a Catalog,
    /// Where the meters come from.
    pub telemetry: &'a Telemetry,
    /// The buffer of which each route gets a share.
    pub buffer: &'a Buffer,
    /// Cores, unless the file says how many workers there are.
    pub workers: NonZeroUsize,
    /// Reads an environment variable.
    pub environment: Environment<'a>,
    /// The plan in force: what did not change is kept, with its connections and its share of the buffer.
    pub previous: Option<&'a Plan>,
}

/// A compiled, checked configuration.
pub struct Plan {
    /// Where senders call, with certificates opened.
    pub listener: listener::Settings,
    /// Threads that serve webhooks.
    pub workers: usize,
    /// Where operators look; none: nowhere.
    pub admin: Option<admin::Settings>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// The least important lines that are written.
    pub log_level: LogLevel,
    /// What senders call.
    pub routes: Arc<Routes>,
    /// What each route promises, by its name.
    pub contracts: BTreeMap<String, Arc<Contract>>,
    /// The servers that receive deliveries.
    pub upstreams: BTreeMap<Arc<str>, Arc<Upstream>>,
    /// The size of the buffer.
    pub buffer: Bounds,
    /// Where what is held is.
    pub storage: Storage,
    /// How long the orderly end may take.
    pub drain_grace: Duration,
    /// What is legal, but likely to hurt.
    pub warnings: Report,
    /// Published keys, to be fetched anew from time to time.
    pub sources: Vec<Arc<Source>>,
    /// Each route in a few words, by name.
    pub summary: Vec<RouteSummary>,
    /// How many different plugins its routes use.
    plugins: usize,
    /// What each route was made from, to tell which ones a reload changes.
    pub(super) makings: BTreeMap<String, String>,
    pub(super) shares: BTreeMap<String, (Bounds, Arc<Share>)>,
    /// Which verifiers were asked about forgeries.
    tried: Outcomes,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

impl Plan {
    /// How many different plugins its routes use.
    #[must_use]
    pub fn plugins(&self) -> usize {
        self.plugins
    }
}

impl Plans for Plan {
    fn contract(&self, route: &str) -> Option<&Arc<Contract>> {
        self.contracts.get(route)
    }

    fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.get(name)
    }
}

/// What a reload changes, in one line: `+ route a, - route b, ~ route c, ~ upstream d`.
#[must_use]
pub fn difference(before: &Plan, after: &Plan) -> String {
    let mut changes = Vec::new();
    compare(
        &mut changes,
        "route",
        &before.makings,
        &after.makings,
        |a, b| a == b,
    );
    compare(
        &mut changes,
        "upstream",
        &before.upstreams,
        &after.upstreams,
        Arc::ptr_eq,
    );
    match changes.is_empty() {
        true => "routes and upstreams are as before".to_owned(),
        false => changes.join(", "),
    }
}

fn compare<K: Ord + fmt::Display, V>(
    changes: &mut Vec<String>,
    kind: &str,
    before: &BTreeMap<K, V>,
    after: &BTreeMap<K, V>,
    is_same: impl Fn(&V, &V) -> bool,
) {
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        changes.push(format!("+ {kind} {name}"));
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        changes.push(format!("- {kind} {name}"));
    }
    for (name, value) in after {
        if before.get(name).is_some_and(|other| !is_same(other, value)) {
            changes.push(format!("~ {kind} {name}"));
        }
    }
}

/// A route in a few words, for `hookgate check` and `hookgate routes`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RouteSummary {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub methods: Vec<String>,
    /// The host; none: every host.
    pub host: Option<String>,
    /// The pattern.
    pub path: String,
    /// The names of its plugins, in the order of the file.
    pub plugins: Vec<String>,
    /// Whether one of them verifies.
    pub verifies: bool,
    /// What a 2xx means.
    pub ack: &'static str,
    /// How long the sender waits at most.
    pub deadline: Duration,
    /// Where its webhooks go.
    pub upstreams: Vec<String>,
    /// How many forgeries its plugins were asked about when they were loaded, and refused.
    pub forgeries: usize,
    /// The name of its preset, if it has one.
    pub preset: Option<String>,
    /// Where the first key of its verifying plugin is: `env:NAME`, `file:PATH` or `credential:NAME`.
    pub key: Option<String>,
    /// How its sender signs, where that is known.
    #[serde(skip)]
    pub scheme: Option<Scheme>,
    /// The URL under which senders know it.
    #[serde(skip)]
    pub public_url: Option<String>,
}

/// Reads, checks and compiles the file at `path`. Blocking: it opens files and compiles plugins.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(path: &Path, provisions: &Provisions<'_>) -> Result<Plan, Report> {
    let bytes = super::secrets::read(path, FILE_BYTES_MAX)
        .map_err(|error| Report::unreadable(path, &error))?;
    let text =
        String::from_utf8(bytes).map_err(|_| Report::unreadable(path, "it is not UTF-8 text"))?;
    let base = path.parent().unwrap_or(Path::new(""));
    load_text(&path.display().to_string(), &text, base, provisions)
}

/// The same for a text that is already there; `name` is what problems call it, and paths in it are
/// relative to `base`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_text(
    name: &str,
    text: &str,
    base: &Path,
    provisions: &Provisions<'_>,
) -> Result<Plan, Report> {
    let mut problems = Problems::default();
    let Some(mut document) = Document::parse(text, &mut problems) else {
        return Err(problems.into_report(name, text));
    };
    let config: Config = document
        .read(&Place::root(), &mut problems)
        .unwrap_or_default();
    let lookup = Lookup {
        base,
        environment: provisions.environment,
    };
    let mut draft = Draft {
        document,
        problems,
        lookup,
    };
    let plan = compile(&mut draft, config, provisions);
    let is_wrong = draft.problems.errors() > 0;
    let report = draft.problems.into_report(name, text);
    match plan {
        Some(plan) if !is_wrong => Ok(Plan {
            warnings: report,
            ..plan
        }),
        _ => Err(report),
    }
}

/// Every part is compiled, even when another one is wrong: all problems are found at once.
fn compile(draft: &mut Draft<'_>, mut config: Config, provisions: &Provisions<'_>) -> Option<Plan> {
    let server = server::server(draft, config.server.take().unwrap_or_default());
    let admin = server::admin(draft, &config.admin.take().unwrap_or_default());
    let log = config.log.take().unwrap_or_default();
    let buffer = buffer::buffer(draft, &config.buffer.take().unwrap_or_default());
    let workers = server.workers.unwrap_or(provisions.workers).get();
    let none = BTreeMap::new();
    let previous = provisions.previous.map_or(&none, |plan| &plan.upstreams);
    let upstreams = upstreams::upstreams(
        draft,
        &config.upstreams,
        previous,
        workers,
        provisions.telemetry,
    );
    let tried = Tried::after(provisions.previous.map(|plan| &plan.tried));
    let before = provisions.previous.map_or(&[][..], |plan| &plan.sources);
    let sources = Sources::new(provisions.catalog, before);
    let mut shelf = Shelf::load(draft, provisions.catalog, &config, (tried, sources));
    let material = Material {
        server: &server,
        upstreams: &upstreams,
        buffer: &buffer,
        provisions,
    };
    let (built, used) = routes::routes(draft, &config.routes, &material, &mut shelf);
    let table = routes::table(draft, &built);
    upstreams::warn_unused(draft, &upstreams, &used);
    shelf.warn_unused(draft);

    let contracts = built
        .iter()
        .map(|built| {
            (
                built.summary.name.clone(),
                Arc::clone(&built.route.contract),
            )
        })
        .collect();
    let shares = built
        .iter()
        .map(|built| (built.summary.name.clone(), built.share.clone()))
        .collect();
    let names: BTreeSet<&String> = built
        .iter()
        .flat_map(|built| &built.summary.plugins)
        .collect();
    let plugins = names.len();
    let makings = built
        .iter()
        .map(|built| (built.summary.name.clone(), built.making.clone()))
        .collect();
    let summary = built
        .into_iter()
        .map(|Built { summary, .. }| summary)
        .collect();
    Some(Plan {
        listener: server.listener,
        workers,
        admin,
        log_format: log.format.unwrap_or_default(),
        log_level: log.level.unwrap_or_default(),
        routes: Arc::new(Routes {
            table: table?,
            trusted_proxies: server.trusted_proxies,
        }),
        upstreams: upstreams
            .into_iter()
            .filter_map(|(name, upstream)| Some((name.into(), upstream?)))
            .collect(),
        buffer: buffer.bounds,
        storage: buffer.storage,
        drain_grace: server.drain_grace,
        warnings: Report::default(),
        summary,
        contracts,
        plugins,
        makings,
        shares,
        tried: shelf.tried.into_outcomes(),
        sources: shelf.sources.into_all(),
    })
}
