//! `[routes]`: what senders call, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Uri};

use super::document::Place;
use super::draft::{BYTE, Draft, GIB, HOUR, MILLISECOND};
use super::file::{self, AckWord};
use super::plan::{Provisions, RouteSummary};
use super::problem::Problem;
use super::retry;
use super::server::ServerPart;
use super::shapes::OneOrMany;
use super::steps::{Prepared, Shelf};
use super::units::Size;
use super::upstreams::Upstreams;
use super::words;
use crate::delivery::{Ack, Bounds, Contract, Share, Upstream};
use crate::gate;
use crate::plugin::{Chain, Stage};
use crate::preset::{Preset, PresetAck};
use crate::route::{Methods, Pattern, Table};

/// Most senders wait at least this long; those who wait less have a preset.
const DEADLINE: Duration = Duration::from_secs(10);

/// What HTTP defines (RFC 9110, 9.3), and PATCH (RFC 5789); anything else is a slip of the hand.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::OPTIONS,
    Method::PATCH,
];

/// What all routes are made of.
pub(super) struct Material<'a> {
    pub server: &'a ServerPart,
    pub upstreams: &'a Upstreams,
    pub bounds: Bounds,
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
    let pattern = pattern(draft, place, name, written);
    let upstreams = forward(
        draft,
        place,
        name,
        written.forward.as_ref(),
        material.upstreams,
        used,
    );
    let allow = draft.networks(&place.key("allow"), &written.allow);
    let public_url = public_url(draft, place, written.public_url.as_deref());
    let sizes = (BYTE, GIB);
    let body_bytes_max = draft.size(
        &place.key("max_body"),
        written.max_body,
        material.server.body_bytes_max,
        sizes,
    );
    let times = (MILLISECOND, HOUR);
    let body_time = draft.time(
        &place.key("body_time"),
        written.body_time,
        material.server.body_time,
        times,
    );
    let policy = retry::policy(draft, &place.key("retry"), written.retry.as_ref());
    let telemetry = material.provisions.telemetry;
    let steps: Vec<Option<Prepared>> = written
        .plugins
        .iter()
        .enumerate()
        .map(|(index, step)| {
            shelf.step(
                draft,
                &place.key("plugins").index(index),
                step,
                name,
                telemetry,
            )
        })
        .collect();
    let preset = steps.iter().flatten().find_map(|prepared| prepared.preset);
    let ack = ack(draft, place, written, preset);
    let default = preset
        .and_then(|preset| preset.deadline)
        .unwrap_or(DEADLINE);
    let deadline = draft.time(&place.key("deadline"), written.deadline, default, times);
    let bounds = bounds(draft, place, written, material.bounds);

    // With a step that did not load there is no telling.
    let prepared: Vec<Prepared> = steps.into_iter().collect::<Option<_>>()?;
    let verifies = prepared
        .iter()
        .any(|prepared| prepared.plugin.stages().contains(&Stage::Verify));
    unverified(draft, place, name, written, verifies);
    let (pattern, upstreams) = (pattern?, upstreams?);
    let meters = telemetry.route(name);
    let share = share(name, bounds, material.provisions);
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
        plugins: prepared
            .iter()
            .map(|prepared| prepared.plugin.name().to_string())
            .collect(),
        verifies,
        ack: ack.as_str(),
        deadline,
        upstreams: upstreams
            .iter()
            .map(|upstream| upstream.name().to_string())
            .collect(),
        preset: preset.map(|preset| preset.name.to_owned()),
        key: prepared
            .iter()
            .find(|prepared| prepared.preset.is_some())
            .and_then(|prepared| prepared.key.clone()),
    };
    let configs: Vec<&str> = prepared
        .iter()
        .map(|prepared| &*prepared.step.config)
        .collect();
    let digests: Vec<_> = prepared
        .iter()
        .map(|prepared| prepared.plugin.digest())
        .collect();
    let making = format!("{written:?} {configs:?} {digests:?}");
    let names = upstreams
        .iter()
        .map(|upstream| Arc::clone(upstream.name()))
        .collect();
    let contract = Contract {
        ack,
        deadline,
        policy,
        upstreams,
        share: Arc::clone(&share),
        meters: Arc::clone(&meters),
    };
    let route = gate::Route {
        name: name.into(),
        body_bytes_max,
        body_time,
        allow,
        public_url,
        chain: Chain::new(prepared.into_iter().map(|prepared| prepared.step).collect()),
        contract: Arc::new(contract),
        upstreams: names,
        meters,
    };
    Some(Built {
        pattern,
        route: Arc::new(route),
        share: (bounds, share),
        summary,
        making,
    })
}

fn pattern(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    written: &file::Route,
) -> Option<Pattern> {
    let methods = methods(draft, &place.key("methods"), written.methods.as_ref());
    let host = match written
        .host
        .as_deref()
        .map(|host| host_name(draft, &place.key("host"), host))
    {
        None => None,
        Some(host) => Some(host?),
    };
    let Some(path) = written.path.as_deref() else {
        draft.missing(
            place,
            "path",
            format!("route `{name}` has no `path`"),
            format!("add path = \"/{name}\""),
        );
        return None;
    };
    let at = place.key("path");
    if !path.starts_with('/') {
        draft.refuse(
            &at,
            "a path begins with `/`",
            format!("did you mean `/{path}`?"),
        );
        return None;
    }
    if let Some(mark) = path
        .chars()
        .find(|c| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control())
    {
        let help = "a route is matched by the path alone; the query is passed on";
        draft.refuse(
            &at,
            format!("a path has no `{}`", mark.escape_default()),
            help,
        );
        return None;
    }
    Some(Pattern {
        host,
        path: path.into(),
        methods: methods?,
    })
}

fn methods(draft: &mut Draft<'_>, place: &Place, written: Option<&OneOrMany>) -> Option<Methods> {
    let Some(written) = written else {
        return Some(Methods::new(vec![Method::POST]));
    };
    if written.items.is_empty() {
        draft.refuse(
            place,
            "the route takes no method at all",
            r#"take the key away for ["POST"]"#,
        );
        return None;
    }
    let mut methods = Vec::new();
    for (index, text) in written.items.iter().enumerate() {
        let at = if written.listed {
            place.index(index)
        } else {
            place.clone()
        };
        match METHODS.iter().find(|method| method.as_str() == text) {
            Some(method) => methods.push(method.clone()),
            None => {
                let known = METHODS.iter().map(Method::as_str);
                let help = words::cure(text, known, "methods");
                draft.refuse(
                    &at,
                    format!("`{}` is not a method", text.escape_default()),
                    help,
                );
            }
        }
    }
    (methods.len() == written.items.len()).then(|| Methods::new(methods))
}

fn host_name(draft: &mut Draft<'_>, place: &Place, text: &str) -> Option<Box<str>> {
    let host = text.to_ascii_lowercase();
    let plain = host.strip_prefix("*.").unwrap_or(&host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let is_name = plain.split('.').all(is_label) || plain.parse::<std::net::IpAddr>().is_ok();
    if is_name {
        return Some(host.into());
    }
    let help = match text
        .split_once("://")
        .map_or(text, |(_, rest)| rest)
        .split([':', '/'])
        .next()
    {
        Some(name) if name != text && !name.is_empty() && !name.contains('*') => {
            format!("did you mean `{name}`? scheme, port and path do not belong here")
        }
        _ => "write it like `hooks.example.com`, or `*.example.com` for one more label".to_owned(),
    };
    draft.refuse(
        place,
        format!("`{}` is not the name of a host", text.escape_default()),
        help,
    );
    None
}

fn public_url(draft: &mut Draft<'_>, place: &Place, written: Option<&str>) -> Option<Arc<str>> {
    let text = written?;
    let is_url = text.parse::<Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
    });
    if !is_url {
        draft.refuse(
            &place.key("public_url"),
            "this is not a URL that a sender could call",
            "write it in full, like \"https://hooks.example.com/twilio\"",
        );
    }
    Some(text.into())
}

fn forward(
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
) -> Ack {
    let ack = match (written.ack, preset.map(|preset| preset.ack)) {
        (Some(AckWord::Upstream), _) | (None, None | Some(PresetAck::Upstream)) => Ack::Upstream,
        (Some(AckWord::Buffered), _) | (None, Some(PresetAck::Buffered)) => Ack::Buffered,
        (Some(AckWord::Early), _) => Ack::Early,
    };
    let is_lossy = written.lossy == Some(true);
    let at = place.key("ack");
    match ack {
        Ack::Early if !is_lossy => draft.refuse(
            &at,
            "`early` says 2xx for what a crash would lose: the buffer is in memory",
            "use `ack = \"buffered\"`, or add `lossy = true` if losing some is acceptable",
        ),
        Ack::Upstream | Ack::Buffered if is_lossy => draft.refuse(
            &place.key("lossy"),
            format!("`lossy` means nothing with `ack = \"{}\"`", ack.as_str()),
            "take it away; it belongs to `ack = \"early\"`",
        ),
        Ack::Buffered => {
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
        Ack::Early | Ack::Upstream => {}
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
        _ => provisions.buffer.share(bounds),
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
