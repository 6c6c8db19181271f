//! What operators do to dead letters and to what waits: what was done, who did it, and whether it is on disk.

use std::time::SystemTime;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;

use super::{State, letters, reply, views};
use crate::delivery::{Filter, Moved, Replayed};
use crate::telemetry::{Event, Operator, OperatorEvent};

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Replay,
    Discard,
}

/// To which deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Dead letters.
    Dead,
    /// What waits.
    Waiting,
    /// Both of one webhook.
    One,
}

/// Does it to those that are meant, and never to all by accident. What was done is on record.
pub(super) async fn act(
    state: &State,
    request: &Parts,
    deed: Deed,
    reach: Reach,
    by: Operator<'_>,
) -> Response<Full<Bytes>> {
    let refused = |why: &str| reply::sentence(StatusCode::BAD_REQUEST, why);
    let question = match letters::question(request) {
        Ok(question) => question,
        Err(why) => return refused(&why),
    };
    let (filter, to) = (&question.wanted.filter, question.to.as_deref());
    if reach == Reach::One && filter.id.is_none() {
        return refused("say which one: `?id=wh_...`");
    }
    if filter.is_any() && !question.all {
        return refused(
            "say which ones: `id`, `route`, `upstream`, `reason`, `since`, `until`; or `all=true`",
        );
    }
    let done = match deed {
        Deed::Replay => replay(state, filter, to, reach, by),
        Deed::Discard => discard(state, filter, reach, by),
    };
    match done {
        Ok(mut done) => {
            // Whoever hears of it may pull the plug.
            done.is_on_disk = (state.caught_up)(deed == Deed::Discard).await;
            reply::json(StatusCode::OK, &done)
        }
        Err(why) => reply::sentence(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

fn replay(
    state: &State,
    filter: &Filter,
    to: Option<&str>,
    reach: Reach,
    by: Operator<'_>,
) -> Result<views::Done, String> {
    let hurried = match reach {
        Reach::Dead => Moved::default(),
        Reach::Waiting | Reach::One => (state.hurry)(filter, to)?,
    };
    let replayed = match reach {
        Reach::Waiting => Ok(Replayed::default()),
        Reach::Dead | Reach::One => (state.replay)(filter, to),
    };
    let replayed = dead_or(replayed, hurried, filter)?;
    let which = &which(filter);
    if reach == Reach::Dead || replayed != Replayed::default() {
        let Replayed { replayed, kept, .. } = replayed;
        emit(
            state,
            OperatorEvent::Replayed {
                by,
                which,
                to,
                replayed,
                kept,
            },
        );
    }
    if hurried.moved > 0 {
        let hurried = hurried.moved;
        emit(
            state,
            OperatorEvent::Hurried {
                by,
                which,
                to,
                hurried,
            },
        );
    }
    Ok(views::Done {
        replayed: Some(replayed.replayed),
        kept: Some(replayed.kept),
        why: replayed.why.into_iter().collect(),
        hurried: hurried.moved,
        in_flight: hurried.in_flight,
        ..views::Done::default()
    })
}

fn discard(
    state: &State,
    filter: &Filter,
    reach: Reach,
    by: Operator<'_>,
) -> Result<views::Done, String> {
    let withdrawn = match reach {
        Reach::Dead => Moved::default(),
        Reach::Waiting | Reach::One => (state.withdraw)(filter)?,
    };
    let discarded = match reach {
        Reach::Waiting => Ok(0),
        Reach::Dead | Reach::One => (state.discard)(filter),
    };
    let discarded = dead_or(discarded, withdrawn, filter)?;
    let which = &which(filter);
    if reach == Reach::Dead || discarded > 0 {
        emit(
            state,
            OperatorEvent::Discarded {
                by,
                which,
                discarded,
            },
        );
    }
    let Moved {
        moved, in_flight, ..
    } = withdrawn;
    if moved + in_flight > 0 {
        emit(
            state,
            OperatorEvent::Withdrawn {
                by,
                which,
                discarded: moved,
                in_flight,
            },
        );
    }
    Ok(views::Done {
        discarded: Some(discarded + moved),
        in_flight,
        ..views::Done::default()
    })
}

/// What was done to dead letters; that there are none is no matter where something was done to what waits.
fn dead_or<T: Default>(
    dead: Result<T, String>,
    moved: Moved,
    filter: &Filter,
) -> Result<T, String> {
    match dead {
        Err(_) if moved.moved + moved.in_flight > 0 => Ok(T::default()),
        Err(_) if moved.stranded > 0 => Err(
            "its route or its upstream is gone from the configuration: put it back and reload, or say where \
             to with `--to`"
                .to_owned(),
        ),
        Err(_) if moved.carried > 0 => {
            let id = filter.id.map(|id| format!("of `{id}` "));
            let of = id.unwrap_or_default();
            Err(format!(
                "the sender {of}waits for it still, and hears what becomes of it; ask again then"
            ))
        }
        dead => dead,
    }
}

fn emit(state: &State, event: OperatorEvent<'_>) {
    state.telemetry.emit(&Event::Operator(event));
}

/// A filter in words, for the record.
fn which(filter: &Filter) -> String {
    let time = |time: &Option<SystemTime>| {
        let stamp = Timestamp::try_from((*time)?).ok()?;
        Some(format!("{stamp:.3}"))
    };
    let said = [
        ("id", filter.id.map(|id| id.to_string())),
        ("route", filter.route.clone()),
        ("upstream", filter.upstream.clone()),
        ("reason", filter.reason.clone()),
        ("since", time(&filter.since)),
        ("until", time(&filter.until)),
    ];
    let said = said
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    let said: Vec<String> = said.collect();
    match said.as_slice() {
        [] => "all".to_owned(),
        said => said.join(" "),
    }
}
