//! `[routes]`: what senders call, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use ipnet::IpNet;

use super::buffer::BufferPart;
use super::document::Place;
use super::draft::{BYTE, Draft, GIB, HOUR, MILLISECOND};
use super::file::{self, AckWord};
use super::pattern;
use super::plan::{Provisions, RouteSummary};
use super::problem::Problem;
use super::retry;
use super::server::ServerPart;
use super::shapes::OneOrMany;
use super::shelf::Shelf;
use super::steps::Prepared;
use super::units::Size;
use super::upstreams::Upstreams;
use super::words;
use crate::delivery::{Ack, Bounds, Contract, Share, Upstream};
use crate::gate;
use crate::plugin::{Chain, Stage};
use crate::preset::{Preset, PresetAck, Scheme};
use crate::route::{Methods, Pattern, Table};

/// Most senders wait at least this long; those who wait less have a preset.
const DEADLINE: Duration = Duration::from_secs(10);

/// What all routes are made of.
pub(super) struct Material<'a> {
    pub server: &'a ServerPart,
    pub upstreams: &'a Upstreams,
    pub buffer: &'a BufferPart,
    pub provisions: &'a Provisions<'a>,
}

/// A route that is complete.
pub(super) struct Built {
    pub pattern: Pattern,
    pub route: Arc<gate::Route>,
    pub share: (Bounds, Arc<Share>),
    pub summary: RouteSummary,
    /// What it was made from, without the keys.
    pub making: String,
}

/// Builds every route that can be built; the others are noted.
pub(super) fn routes(
    draft: &mut Draft<'_>,
    written: &BTreeMap<String, file::Route>,
    material: &Material<'_>,
    shelf: &mut Shelf<'_>,
) -> (Vec<Built>, BTreeSet<String>) {
    let mut built = Vec::new();
    let mut used = BTreeSet::new();
    let all = Place::root().key("routes");
    for (name, route) in written {
        let place = all.key(name);
        draft.name(&place, name, "a route");
        built.extend(build(
            draft, &place, name, route, material, shelf, &mut used,
        ));
    }
    if written.is_empty() && !draft.document.has(&all) && !draft.document.is_broken(&all) {
        draft.refuse_key(
            &all,
            "there is no route: every webhook would be answered 404",
            "add [routes.NAME] with `path` and `forward`",
        );
    }
    (built, used)
}

/// Puts routes into the table; conflicts are shown at both places.
pub(super) fn table(draft: &mut Draft<'_>, built: &[Built]) -> Option<Table<Arc<gate::Route>>> {
    let pairs = built
        .iter()
        .map(|built| (built.pattern.clone(), Arc::clone(&built.route)))
        .collect();
    let conflicts = match Table::build(pairs) {
        Ok(table) => return Some(table),
        Err(conflicts) => conflicts,
    };
    let place = |index: usize| {
        let name = built.get(index).map_or("", |built| &built.route.name);
        Place::root().key("routes").key(name).key("path")
    };
    for conflict in conflicts {
        let span = draft.document.value(&place(conflict.second));
        if conflict.first == conflict.second {
            draft.problems.push(Problem::error(span, conflict.reason));
            continue;
        }
        let name = |index: usize| built.get(index).map_or("", |built| &built.route.name);
        let message = format!(
            "routes `{}` and `{}` conflict: {}",
            name(conflict.first),
            name(conflict.second),
            conflict.reason
        );
        let first = draft.document.value(&place(conflict.first));
        draft.problems.push(
            Problem::error(span, message)
                .also(first, "the other one")
                .help("give them different paths, hosts or methods"),
        );
    }
    None
}

fn build(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    written: &file::Route,
    material: &Material<'_>,
    shelf: &mut Shelf<'_>,
    used: &mut BTreeSet<String>,
) -> Option<Built> {
    let telemetry = material.provisions.telemetry;
    let pattern = pattern::pattern(draft, place, name, written);
    let forward = written.forward.as_ref();
    let upstreams = forward_to(draft, place, name, forward, material.upstreams, used);
    let intake = intake(draft, place, written, material.server);
    let policy = retry::policy(draft, &place.key("retry"), written.retry.as_ref());
    let mut sender = None;
    let mut steps: Vec<Option<Prepared>> = (0..)
        .zip(&written.plugins)
        .map(|(index, step)| {
            let place = place.key("plugins").index(index);
            let prepared = shelf.step(draft, &place, step, (name, sender), telemetry);
            sender = sender.or(prepared.as_ref().and_then(|step| step.preset));
            prepared
        })
        .collect();
    if let [Some(only)] = steps.as_mut_slice() {
        only.is_alone();
    }
    let preset = steps.iter().flatten().find_map(|prepared| prepared.preset);
    let scheme = steps.iter().flatten().find_map(|step| step.scheme.as_ref());
    let mut pattern = pattern;
    if let Some(scheme) = scheme {
        url_of_scheme(draft, place, written, scheme);
        pattern = pattern.map(|pattern| with_handshakes(pattern, written, scheme));
    }
    let is_durable = material.buffer.storage.is_durable();
    let ack = ack(draft, place, written, preset, is_durable);
    let default = preset
        .and_then(|preset| preset.deadline)
        .unwrap_or(DEADLINE);
    let deadline = draft.time(
        &place.key("deadline"),
        written.deadline,
        default,
        (MILLISECOND, HOUR),
    );
    let bounds = bounds(draft, place, written, material.buffer.bounds);

    // With a step that did not load there is no telling.
    let steps: Vec<Prepared> = steps.into_iter().collect::<Option<_>>()?;
    let verifies = steps
        .iter()
        .any(|prepared| prepared.plugin.stages().contains(&Stage::Verify));
    unverified(draft, place, name, written, verifies);
    let share = share(name, bounds, material.provisions);
    let meters = telemetry.route(name);
    let upstreams = upstreams?;
    let contract = Contract {
        ack,
        deadline,
        policy,
        upstreams,
        share,
        meters,
        signers: BTreeMap::new(),
    };
    Some(assemble(
        name, written, pattern?, intake, steps, contract, bounds,
    ))
}

/// A route that says no methods takes those of its sender's handshakes, too.
fn with_handshakes(mut pattern: Pattern, written: &file::Route, scheme: &Scheme) -> Pattern {
    if written.methods.is_none() {
        let more = scheme.methods().filter_map(|method| method.parse().ok());
        pattern.methods = Methods::new(iter::once(Method::POST).chain(more).collect());
    }
    pattern
}

/// Some senders sign the URL: the one that they know, which behind a proxy is not ours.
fn url_of_scheme(draft: &mut Draft<'_>, place: &Place, written: &file::Route, scheme: &Scheme) {
    if scheme.names("{url}") && written.public_url.is_none() {
        draft.missing(
            place,
            "public_url",
            "this sender signs the URL that it calls",
            "add public_url = \"https://...\", just as the sender has it",
        );
    }
}

/// What a route takes before anybody is asked.
struct Intake {
    body_bytes_max: usize,
    body_time: Duration,
    allow: Vec<IpNet>,
    public_url: Option<Arc<str>>,
}

fn intake(
    draft: &mut Draft<'_>,
    place: &Place,
    written: &file::Route,
    server: &ServerPart,
) -> Intake {
    let (max_body, body_time) = (place.key("max_body"), place.key("body_time"));
    Intake {
        body_bytes_max: draft.size(
            &max_body,
            written.max_body,
            server.body_bytes_max,
            (BYTE, GIB),
        ),
        body_time: draft.time(
            &body_time,
            written.body_time,
            server.body_time,
            (MILLISECOND, HOUR),
        ),
        allow: draft.networks(&place.key("allow"), &written.allow),
        public_url: pattern::public_url(draft, place, written.public_url.as_deref()),
    }
}

fn assemble(
    name: &str,
    written: &file::Route,
    pattern: Pattern,
    intake: Intake,
    steps: Vec<Prepared>,
    mut contract: Contract,
    bounds: Bounds,
) -> Built {
    let names = contract
        .upstreams
        .iter()
        .map(|upstream| Arc::clone(upstream.name()));
    let names: Vec<Arc<str>> = names.collect();
    let preset = steps.iter().find(|prepared| prepared.preset.is_some());
    let summary = RouteSummary {
        name: name.to_owned(),
        methods: pattern
            .methods
            .as_slice()
            .iter()
            .map(Method::to_string)
            .collect(),
        host: pattern.host.as_deref().map(str::to_owned),
        path: pattern.path.to_string(),
        plugins: steps
            .iter()
            .map(|prepared| prepared.plugin.name().to_string())
            .collect(),
        verifies: steps
            .iter()
            .any(|step| step.plugin.stages().contains(&Stage::Verify)),
        ack: contract.ack.as_str(),
        deadline: contract.deadline,
        upstreams: names.iter().map(ToString::to_string).collect(),
        forgeries: steps.iter().map(|step| step.forgeries).sum(),
        preset: preset
            .and_then(|step| step.preset)
            .map(|preset| preset.name.to_owned()),
        key: preset.and_then(|step| step.key.clone()),
        scheme: steps.iter().find_map(|step| step.scheme.clone()),
        public_url: written.public_url.clone(),
    };
    let makings: Vec<_> = steps.iter().map(Prepared::making).collect();
    let making = format!("{written:?} {makings:?}");
    let success = preset.and_then(|step| step.preset?.success);
    let share = (bounds, Arc::clone(&contract.share));
    let confirmation = (steps.iter()).find_map(|prepared| prepared.confirmation.clone());
    let chain = chain(steps);
    contract.signers = chain.signers();
    let route = gate::Route {
        name: name.into(),
        body_bytes_max: intake.body_bytes_max,
        body_time: intake.body_time,
        allow: intake.allow,
        public_url: intake.public_url,
        chain,
        meters: Arc::clone(&contract.meters),
        contract: Arc::new(contract),
        success: success.and_then(|status| StatusCode::from_u16(status).ok()),
        upstreams: names,
        confirmation,
    };
    Built {
        pattern,
        route: Arc::new(route),
        share,
        summary,
        making,
    }
}

fn chain(steps: Vec<Prepared>) -> Chain {
    let (steps, candidates): (Vec<_>, Vec<_>) = steps
        .into_iter()
        .map(|prepared| (prepared.step, prepared.candidate))
        .unzip();
    let seated = candidates.into_iter().enumerate();
    seated
        .filter_map(|(place, candidate)| Some((place, candidate?)))
        .fold(Chain::new(steps), |chain, (place, candidate)| {
            chain.shadow(place, candidate)
        })
}

fn forward_to(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    written: Option<&OneOrMany>,
    upstreams: &Upstreams,
    used: &mut BTreeSet<String>,
) -> Option<Vec<Arc<Upstream>>> {
    let Some(written) = written.filter(|written| !written.items.is_empty()) else {
        let help = words::listed(&upstreams.keys().map(String::as_str).collect::<Vec<_>>());
        let help = if help.is_empty() {
            "add [upstreams.NAME] with its `url`, and forward = \"NAME\"".to_owned()
        } else {
            format!("add forward = \"NAME\"; the upstreams are: {help}")
        };
        draft.missing(
            place,
            "forward",
            format!("route `{name}` does not say where its webhooks go"),
            help,
        );
        return None;
    };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, text) in written.items.iter().enumerate() {
        let at = if written.listed {
            place.key("forward").index(index)
        } else {
            place.key("forward")
        };
        if !seen.insert(text) {
            draft.refuse(
                &at,
                format!("`{text}` would receive every webhook twice"),
                "take one of them away",
            );
        }
        match upstreams.get(text) {
            Some(upstream) => {
                used.insert(text.clone());
                found.push(upstream.clone());
            }
            None if draft.document.is_broken(&Place::root().key("upstreams")) => found.push(None),
            None => {
                let help = words::cure(text, upstreams.keys().map(String::as_str), "upstreams");
                draft.refuse(
                    &at,
                    format!("there is no upstream `{}`", text.escape_default()),
                    help,
                );
                found.push(None);
            }
        }
    }
    found.into_iter().collect()
}

/// What the sender's 2xx means, and whether that can be kept in a crash.
fn ack(
    draft: &mut Draft<'_>,
    place: &Place,
    written: &file::Route,
    preset: Option<&Preset>,
    is_durable: bool,
) -> Ack {
    let ack = match (written.ack, preset.map(Preset::ack)) {
        (Some(AckWord::Upstream), _) | (None, None | Some(PresetAck::Upstream)) => Ack::Upstream,
        (Some(AckWord::Buffered), _) | (None, Some(PresetAck::Buffered)) => Ack::Buffered,
        (Some(AckWord::Early), _) => Ack::Early,
    };
    let is_lossy = written.lossy == Some(true);
    let at = place.key("ack");
    match ack {
        Ack::Early if !is_lossy && !is_durable => draft.refuse(
            &at,
            "`early` says 2xx for what a crash would lose: the buffer is in memory",
            "add `spool = \"DIR\"` to [buffer], or `lossy = true` here if losing some is acceptable",
        ),
        Ack::Early if is_lossy && is_durable => draft.refuse(
            &place.key("lossy"),
            "`lossy` means nothing with a spool: nothing is lost",
            "take it away",
        ),
        Ack::Upstream | Ack::Buffered if is_lossy => draft.refuse(
            &place.key("lossy"),
            format!("`lossy` means nothing with `ack = \"{}\"`", ack.as_str()),
            "take it away; it belongs to `ack = \"early\"`",
        ),
        Ack::Buffered if !is_durable => {
            let why = if written.ack.is_none() {
                preset.map_or(String::new(), |preset| {
                    format!(" (the default for {})", preset.title)
                })
            } else {
                String::new()
            };
            draft.warn(
                &at,
                format!("`ack = \"buffered\"`{why}: a crash can lose what waits in memory"),
                "with `ack = \"upstream\"` the sender keeps what was not delivered, if it calls again",
            );
        }
        Ack::Early | Ack::Buffered | Ack::Upstream => {}
    }
    ack
}

fn bounds(draft: &mut Draft<'_>, place: &Place, written: &file::Route, whole: Bounds) -> Bounds {
    let Some(part) = &written.buffer else {
        return whole;
    };
    let at = place.key("buffer");
    let bytes = draft.size(
        &at.key("max_bytes"),
        part.max_bytes,
        whole.bytes,
        (BYTE, Size(whole.bytes)),
    );
    let deliveries = part
        .max_deliveries
        .map_or(whole.deliveries, NonZeroUsize::get);
    if deliveries > whole.deliveries {
        let help = format!("`[buffer]` holds {} in all", whole.deliveries);
        draft.refuse(
            &at.key("max_deliveries"),
            "a route's part cannot be larger than the whole buffer",
            help,
        );
    }
    Bounds { bytes, deliveries }
}

/// The share that the route had, with what it holds, where the bounds are as before.
fn share(name: &str, bounds: Bounds, provisions: &Provisions<'_>) -> Arc<Share> {
    let before = provisions.previous.and_then(|plan| plan.shares.get(name));
    match before {
        Some((same, share)) if *same == bounds => Arc::clone(share),
        _ => provisions.buffer.share_of(name, bounds),
    }
}

fn unverified(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    written: &file::Route,
    verifies: bool,
) {
    let is_public = written.public == Some(true);
    if !verifies && !is_public {
        draft.warn(
            place,
            format!("route `{name}` verifies nothing: forged webhooks reach its upstreams"),
            "add a plugin such as `signature`, or say `public = true` if that is meant",
        );
    }
    if verifies && is_public {
        draft.warn(
            &place.key("public"),
            format!("route `{name}` is said to be public, yet it verifies"),
            "take `public` away",
        );
    }
}
