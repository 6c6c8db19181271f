//! What operators see of dead letters and of what waits, and what they may do to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::stranded::Stranded;
use crate::admin::{
    DeadLetterView, EndedView, FoundView, Page, Sought, TriedView, WebhookView, WhereView,
};
use crate::config::Plan;
use crate::delivery::{
    DeadLetter, DeadLetters, Dispatch, Duplicates, End, Filter, Found, Held, Replayed, Tried, Wait,
    Wanted, Whereabouts,
};
use crate::gate::{Ended, Memory};
use crate::webhook::{Webhook, WebhookId};

/// What answers operators.
pub(super) struct Desk {
    pub(super) plan: Arc<ArcSwap<Plan>>,
    pub(super) duplicates: Arc<Duplicates>,
    /// Where it is remembered what was discarded.
    pub(super) memory: Option<Arc<Memory>>,
    pub(super) places: Places,
}

/// Everywhere that a webhook may be.
pub(super) struct Places {
    pub(super) workers: Vec<Dispatch>,
    pub(super) memories: Vec<Arc<Memory>>,
    pub(super) dead: Arc<DeadLetters>,
    pub(super) stranded: Arc<Stranded>,
}

/// Dead letters, with what was received where one webhook is asked for.
///
/// # Errors
/// A name that is wrong.
pub(super) fn list(desk: &Desk, wanted: &Wanted) -> Result<Page<DeadLetterView>, String> {
    let Places { dead, stranded, .. } = &desk.places;
    let mut letters = dead.list(&wanted.filter);
    letters.extend(stranded.letters(&wanted.filter));
    let total = letters.len();
    if total == 0 {
        check_names(&desk.plan.load(), &wanted.filter)?;
    }
    letters.retain(|letter| wanted.after.is_none_or(|after| letter.id > after));
    let left = letters.len();
    wanted.cut(&mut letters, |letter| letter.id);
    let with_webhook = wanted.filter.id.is_some();
    let views = letters.iter().map(|letter| {
        let webhook = with_webhook.then(|| letter.webhook()).flatten();
        DeadLetterView {
            webhook: webhook.as_ref().map(shown),
            ..view(letter)
        }
    });
    Ok(Page {
        next: next(left, letters.iter().map(|letter| letter.id)),
        items: views.collect(),
        total,
    })
}

/// What is held.
///
/// # Errors
/// A name that is wrong.
pub(super) fn waiting(desk: &Desk, wanted: &Wanted) -> Result<Page<FoundView>, String> {
    let Places {
        workers, stranded, ..
    } = &desk.places;
    let Held {
        mut found,
        mut total,
        mut left,
    } = Dispatch::held(workers, wanted);
    let mut strays = stranded.waiting(&wanted.filter);
    total += strays.len();
    strays.retain(|stray| wanted.after.is_none_or(|after| stray.id > after));
    left += strays.len();
    found.extend(strays);
    wanted.cut(&mut found, |found| found.id);
    if total == 0 {
        check_names(&desk.plan.load(), &wanted.filter)?;
    }
    Ok(Page {
        next: next(left, found.iter().map(|found| found.id)),
        items: found.iter().map(found_view).collect(),
        total,
    })
}

/// The last id of a page, where it is not the last page.
fn next(left: usize, page: impl ExactSizeIterator<Item = WebhookId>) -> Option<WebhookId> {
    (left > page.len()).then(|| page.last()).flatten()
}

/// By the plan in force: its route's contract, and its upstream as it is now, if its route still forwards
/// there. A letter whose way is gone stays where it is.
///
/// # Errors
/// A name that is wrong.
pub(super) fn replay(desk: &Desk, filter: &Filter, to: Option<&str>) -> Result<Replayed, String> {
    let Places {
        dead,
        stranded,
        workers,
        ..
    } = &desk.places;
    let plan = desk.plan.load();
    if let Some(to) = to {
        is_known("upstream", to, plan.upstreams.keys())?;
    }
    let mut replayed = dead.replay(filter, |letter| {
        let DeadLetter {
            route, upstream, ..
        } = letter;
        let contract = plan.contracts.get(&**route);
        let contract = contract.ok_or_else(|| {
            format!("there is no route `{route}` any more: put it back and reload, or discard them")
        })?;
        let way = match to {
            Some(to) => plan.upstreams.get(to),
            None => contract.upstreams.iter().find(|to| to.name() == upstream),
        };
        let way = way.ok_or_else(|| {
            let names = names(plan.upstreams.keys());
            format!(
                "route `{route}` does not forward to `{upstream}` any more: say where to with `--to`; there \
                 are: {names}"
            )
        })?;
        Ok((Arc::clone(contract), Arc::clone(way)))
    });
    if let Some(dispatch) = workers.first() {
        let to = to.and_then(|to| plan.upstreams.get(to));
        match stranded.send(filter, true, to, (&plan, dispatch)) {
            Ok(sent) => replayed.replayed += sent,
            Err(why) if replayed == Replayed::default() => return Err(why),
            Err(_) => {}
        }
    }
    if replayed == Replayed::default() {
        check_id(filter)?;
        check_names(&plan, filter)?;
    }
    Ok(replayed)
}

/// Forgets them, but for that they were: who asks where one is hears that it was discarded.
///
/// # Errors
/// A name that is wrong.
pub(super) fn discard(desk: &Desk, filter: &Filter) -> Result<usize, String> {
    let Places { dead, stranded, .. } = &desk.places;
    let memory = desk.memory.as_ref();
    if let Some(memory) = memory {
        for letter in dead.list(filter) {
            memory.discarded(letter.id, letter.route);
        }
    }
    let mut discarded = dead.discard(filter, &desk.duplicates);
    discarded += stranded.discard(filter, true, memory);
    if discarded == 0 {
        check_id(filter)?;
        check_names(&desk.plan.load(), filter)?;
    }
    Ok(discarded)
}

/// Nothing fits, and that is a mistake where a webhook was named.
fn check_id(filter: &Filter) -> Result<(), String> {
    match filter.id {
        Some(id) => Err(format!(
            "`{id}` neither waits nor is a dead letter; `hookgate webhooks find {id}` tells where it is"
        )),
        None => Ok(()),
    }
}

/// Nothing fits, and that is a mistake where a name is none. What is gone from the configuration may still
/// have letters, so names are not looked at where something fits.
pub(super) fn check_names(plan: &Plan, filter: &Filter) -> Result<(), String> {
    if let Some(route) = &filter.route {
        is_known("route", route, plan.contracts.keys())?;
    }
    if let Some(upstream) = &filter.upstream {
        is_known("upstream", upstream, plan.upstreams.keys())?;
    }
    Ok(())
}

pub(super) fn is_known<N>(
    what: &str,
    name: &str,
    mut all: impl Iterator<Item = N> + Clone,
) -> Result<(), String>
where
    N: AsRef<str>,
{
    let known = all.clone();
    match all.any(|known| known.as_ref() == name) {
        true => Ok(()),
        false => Err(format!(
            "there is no {what} `{name}`; there are: {}",
            names(known)
        )),
    }
}

/// In one line.
fn names<N: AsRef<str>>(all: impl Iterator<Item = N>) -> String {
    let mut names = String::new();
    for name in all {
        let comma = if names.is_empty() { "" } else { ", " };
        names.extend([comma, name.as_ref()]);
    }
    names
}

/// The deliveries of a webhook, wherever they are; how one ended that is nowhere any more, and how its call
/// did where there is none. Where one repeats another webhook, that one too.
pub(super) fn find(places: &Places, sought: Sought) -> WhereView {
    let mut view = find_one(places, sought);
    let repeats = view
        .deliveries
        .iter()
        .filter_map(|view| view.repeats.as_deref());
    let repeats: BTreeSet<WebhookId> = repeats.filter_map(WebhookId::parse).collect();
    let repeated = repeats.into_iter().map(|id| {
        let with_webhook = false;
        (id, find_one(places, Sought { id, with_webhook }))
    });
    view.repeated = repeated.collect();
    view
}

fn find_one(places: &Places, sought: Sought) -> WhereView {
    let Sought { id, with_webhook } = sought;
    let bytes = |webhook: Option<Webhook>| webhook.as_ref().map(shown);
    let view = |found: &Found| FoundView {
        webhook: with_webhook.then(|| bytes(found.webhook())).flatten(),
        ..found_view(found)
    };
    let known = places.workers.iter().flat_map(|worker| worker.find(id));
    let known = known.map(|found| view(&found));
    let (ended, held): (Vec<_>, Vec<_>) = known.partition(|view| view.ended_ago_ms.is_some());
    let stranded = places.stranded.find(id);
    let stranded = stranded.iter().map(|stray| FoundView {
        reason: stray.dead.as_ref().map(|letter| letter.reason.to_string()),
        ..view(&stray.found)
    });
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let dead = places.dead.list(&filter);
    let dead = dead.iter().map(|letter| FoundView {
        webhook: with_webhook.then(|| bytes(letter.webhook())).flatten(),
        ..dead_view(letter)
    });
    let mut deliveries: Vec<FoundView> = held.into_iter().chain(stranded).chain(dead).collect();
    // The last end counts, and only of what is nowhere any more.
    for view in ended.into_iter().rev() {
        let is_same = |other: &FoundView| {
            (&other.route, &other.upstream, other.part) == (&view.route, &view.upstream, view.part)
        };
        if !deliveries.iter().any(is_same) {
            deliveries.push(view);
        }
    }
    let ended = places.memories.iter().find_map(|memory| memory.find(id));
    WhereView {
        deliveries,
        ended: ended.map(ended_view),
        repeated: Vec::new(),
    }
}

fn dead_view(letter: &DeadLetter) -> FoundView {
    FoundView {
        id: letter.id.to_string(),
        route: letter.route.to_string(),
        upstream: letter.upstream.to_string(),
        part: part(letter.part),
        state: "dead",
        attempts: letter.attempts,
        arrived_at: time(letter.arrived),
        age_ms: ms_since(letter.arrived),
        waits_for: None,
        next_at: None,
        next_in_ms: None,
        ended_ago_ms: Some(ms_since(letter.given_up)),
        repeats: None,
        reason: Some(letter.reason.to_string()),
        tried: tried(&letter.tried),
        webhook: None,
    }
}

/// As an upstream is told.
fn part(part: u16) -> Option<u16> {
    part.checked_sub(1)
}

fn ended_view(ended: Ended) -> EndedView {
    EndedView {
        route: ended.route.map(|route| route.to_string()),
        outcome: ended.outcome,
        status: ended.status,
        plugin: ended.plugin.map(|plugin| plugin.to_string()),
        reason: ended.reason.map(String::from),
        ago_ms: ms(ended.at.elapsed()),
    }
}

fn found_view(found: &Found) -> FoundView {
    let (state, ago) = match found.whereabouts {
        Whereabouts::Waiting { .. } => ("waiting", None),
        Whereabouts::InFlight => ("in-flight", None),
        Whereabouts::Carried { .. } => ("sender-waits", None),
        Whereabouts::Stranded => ("stranded", None),
        Whereabouts::Ended { end, ago } => (end.as_str(), Some(ago)),
    };
    let (next_in, wait) = match found.whereabouts {
        Whereabouts::Waiting { next_in, wait } => (next_in, Some(wait)),
        Whereabouts::Carried { next } => next.unzip(),
        _ => (None, None),
    };
    FoundView {
        id: found.id.to_string(),
        route: found.route.to_string(),
        upstream: found.upstream.to_string(),
        part: part(found.part),
        state,
        attempts: found.attempts,
        arrived_at: time(found.id.arrived()),
        age_ms: ms_since(found.id.arrived()),
        waits_for: wait.map(Wait::as_str),
        next_at: next_in.map(|next_in| time((Timestamp::now() + next_in).into())),
        next_in_ms: next_in.map(ms),
        ended_ago_ms: ago.map(ms),
        repeats: match found.whereabouts {
            Whereabouts::Ended {
                end: End::Duplicate { of },
                ..
            } => of.map(|id| id.to_string()),
            _ => None,
        },
        reason: None,
        tried: tried(&found.tried),
        webhook: None,
    }
}

/// Nothing where the wall clock was set back meanwhile.
fn ms_since(wall: SystemTime) -> u64 {
    let since = Timestamp::now().duration_since(time(wall));
    ms(since.try_into().unwrap_or_default())
}

/// To the millisecond, as the log has it.
fn time(wall: SystemTime) -> Timestamp {
    let time = Timestamp::try_from(wall).unwrap_or_default();
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or_default()
}

fn view(letter: &DeadLetter) -> DeadLetterView {
    DeadLetterView {
        id: letter.id.to_string(),
        route: letter.route.to_string(),
        upstream: letter.upstream.to_string(),
        part: part(letter.part),
        attempts: letter.attempts,
        reason: letter.reason.to_string(),
        arrived_at: time(letter.arrived),
        given_up_at: time(letter.given_up),
        tried: tried(&letter.tried),
        is_stranded: letter.is_stranded,
        webhook: None,
    }
}

fn shown(webhook: &Webhook) -> WebhookView {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields = webhook.fields.iter();
    WebhookView {
        method: webhook.method.to_string(),
        target: webhook.target.to_string(),
        fields: fields
            .map(|(name, value)| (name.to_owned(), text(value)))
            .collect(),
        body: text(&webhook.body),
        body_bytes: webhook.body.len(),
    }
}

fn tried(tried: &[Tried]) -> Vec<TriedView> {
    let views = tried.iter().map(|tried| TriedView {
        attempt: tried.attempt,
        after_ms: ms(tried.after),
        reason: tried.reason.to_string(),
    });
    views.collect()
}

fn ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
