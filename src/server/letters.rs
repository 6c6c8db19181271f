//! What operators see of dead letters and of what waits, and what they may do to them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use crate::admin::{DeadLetterView, FoundView, TriedView, WebhookView};
use crate::config::Plan;
use crate::delivery::{
    DeadLetter, DeadLetters, Dispatch, Filter, Found, Replayed, Tried, Whereabouts,
};
use crate::webhook::{Webhook, WebhookId};

/// Those that are meant; with what was received where one webhook is asked for.
pub(super) fn list(dead: &DeadLetters, filter: &Filter) -> Vec<DeadLetterView> {
    let letters = dead.list(filter);
    let views = letters.iter().map(|letter| DeadLetterView {
        webhook: filter.id.and_then(|_| letter.webhook()).as_ref().map(shown),
        ..view(letter)
    });
    views.collect()
}

/// By the plan in force: its route's contract, and the upstream of this name as it is now.
pub(super) fn replay(
    dead: &DeadLetters,
    plan: &ArcSwap<Plan>,
    filter: &Filter,
    to: Option<&str>,
) -> Result<Replayed, String> {
    let plan = plan.load();
    if let Some(to) = to.filter(|to| !plan.upstreams.contains_key(*to)) {
        return Err(format!("there is no upstream `{to}`"));
    }
    Ok(dead.replay(filter, |letter| {
        let contract = plan.contracts.get(&*letter.route)?;
        let upstream = plan.upstreams.get(to.unwrap_or(&letter.upstream))?;
        Some((Arc::clone(contract), Arc::clone(upstream)))
    }))
}

/// The deliveries of a webhook, wherever they are; how one ended that is nowhere any more.
pub(super) fn find(workers: &[Dispatch], dead: &DeadLetters, id: WebhookId) -> Vec<FoundView> {
    let known = workers.iter().flat_map(|worker| worker.find(id));
    let known = known.map(|found| found_view(&found));
    let (ended, held): (Vec<_>, Vec<_>) = known.partition(|view| view.ended_ago_ms.is_some());
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let dead = dead.list(&filter).into_iter().map(|letter| FoundView {
        route: letter.route.to_string(),
        upstream: letter.upstream.to_string(),
        state: "dead",
        attempts: Some(letter.attempts),
        next_in_ms: None,
        ended_ago_ms: None,
        tried: tried(&letter.tried),
    });
    let mut all: Vec<FoundView> = held.into_iter().chain(dead).collect();
    // The last end counts, and only of what is nowhere any more.
    for view in ended.into_iter().rev() {
        let is_same =
            |other: &FoundView| (&other.route, &other.upstream) == (&view.route, &view.upstream);
        if !all.iter().any(is_same) {
            all.push(view);
        }
    }
    all
}

fn found_view(found: &Found) -> FoundView {
    let (state, next_in, ago) = match found.whereabouts {
        Whereabouts::Waiting { next_in } => ("waiting", next_in, None),
        Whereabouts::InFlight => ("in-flight", None, None),
        Whereabouts::Carried => ("sender-waits", None, None),
        Whereabouts::Ended { end, ago } => (end.as_str(), None, Some(ago)),
    };
    FoundView {
        route: found.route.to_string(),
        upstream: found.upstream.to_string(),
        state,
        attempts: found.attempts,
        next_in_ms: next_in.map(ms),
        ended_ago_ms: ago.map(ms),
        tried: tried(&found.tried),
    }
}

fn view(letter: &DeadLetter) -> DeadLetterView {
    let time = |wall| Timestamp::try_from(wall).unwrap_or(Timestamp::UNIX_EPOCH);
    DeadLetterView {
        id: letter.id.to_string(),
        route: letter.route.to_string(),
        upstream: letter.upstream.to_string(),
        attempts: letter.attempts,
        reason: letter.reason.to_string(),
        arrived_at: time(letter.arrived),
        given_up_at: time(letter.given_up),
        tried: tried(&letter.tried),
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
