//! Dead letters and what waits, as operators ask for them: which ones are meant.

use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use jiff::fmt::friendly::SpanParser;
use serde::Serialize;

use bytes::Bytes;

use super::{List, Page, State, reply, views};
use crate::delivery::Wanted;
use crate::webhook::WebhookId;

/// Deliveries on a page of a list: what a person reads, and what a program asks for at once.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

/// What the query of a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) wanted: Wanted,
    /// Another upstream than the one that did not take it.
    pub(super) to: Option<String>,
    /// Everything there is, and it is meant so.
    pub(super) all: bool,
    /// With what was received.
    with_webhook: bool,
}

/// `GET /api/dead-letters`.
pub(super) fn dead(state: &State, request: &Parts) -> Response<Full<Bytes>> {
    page(&*state.dead_letters, request, |page, next| {
        views::DeadLetters {
            dead_letters: page.items,
            total: page.total,
            next,
        }
    })
}

/// `GET /api/waiting`: deliveries that are held.
pub(super) fn waiting(state: &State, request: &Parts) -> Response<Full<Bytes>> {
    page(&*state.waiting, request, |page, next| views::Waiting {
        waiting: page.items,
        total: page.total,
        next,
    })
}

/// The page that is asked for, under its own name.
fn page<T, V: Serialize>(
    list: &List<T>,
    request: &Parts,
    view: impl FnOnce(Page<T>, Option<String>) -> V,
) -> Response<Full<Bytes>> {
    let wanted = match question(request) {
        Ok(question) => question.wanted,
        Err(why) => return reply::sentence(StatusCode::BAD_REQUEST, &why),
    };
    match list(&wanted) {
        Ok(page) => {
            let next = page.next.map(|id| id.to_string());
            reply::json(StatusCode::OK, &view(page, next))
        }
        Err(why) => reply::sentence(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

/// `GET /api/webhooks?id=ID`: where a webhook is.
pub(super) fn find(state: &State, request: &Parts) -> Response<Full<Bytes>> {
    let sought = question(request).map(|question| {
        let id = question.wanted.filter.id?;
        let with_webhook = question.with_webhook;
        Some(views::Sought { id, with_webhook })
    });
    match sought {
        Ok(Some(sought)) => {
            let webhook = views::Webhook::new(sought.id, (state.find)(sought));
            reply::json(StatusCode::OK, &webhook)
        }
        Ok(None) => reply::sentence(StatusCode::BAD_REQUEST, "say which one: `?id=wh_...`"),
        Err(why) => reply::sentence(StatusCode::BAD_REQUEST, &why),
    }
}

pub(super) fn question(request: &Parts) -> Result<Question, String> {
    let mut question = Question {
        wanted: Wanted {
            max: PAGE,
            ..Wanted::default()
        },
        to: None,
        all: false,
        with_webhook: false,
    };
    let query = request.uri.query().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = unescape(value).ok_or_else(|| format!("`{name}` is not percent-encoded"))?;
        let Wanted { filter, after, max } = &mut question.wanted;
        match name {
            "id" => filter.id = Some(id(&value)?),
            "route" => filter.route = Some(value),
            "upstream" => filter.upstream = Some(value),
            "reason" => filter.reason = Some(value),
            "since" => filter.since = Some(time(&value)?.into()),
            "until" => filter.until = Some(time(&value)?.into()),
            "after" => *after = Some(id(&value)?),
            "limit" => *max = limit(&value)?,
            "to" => question.to = Some(value),
            "all" if value == "true" => question.all = true,
            "webhook" if value == "true" => question.with_webhook = true,
            _ => return Err(format!("`{name}` means nothing here")),
        }
    }
    Ok(question)
}

fn id(text: &str) -> Result<WebhookId, String> {
    WebhookId::parse(text)
        .ok_or_else(|| format!("`{text}` is no id; one looks like `wh_` and 32 digits"))
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|n| (1..=PAGE_MAX).contains(n));
    limit.ok_or_else(|| format!("`{text}` is no number from 1 to {PAGE_MAX}"))
}

/// A moment, or how long ago it was.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = SpanParser::new().parse_duration(text).ok();
    let ago = ago.filter(|ago| !ago.is_negative());
    let time = ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    time.ok_or_else(|| {
        format!(
            "`{text}` is no time; write how long ago it was, like `10m` or `36h`, or the moment, like \
             `2026-11-21T13:00:00Z`"
        )
    })
}

/// RFC 3986, 2.1; a plus stays a plus.
fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high << 4 | low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Question, String> {
        let uri = format!("/api/dead-letters?{query}");
        let (parts, ()) = http::Request::get(uri).body(()).unwrap().into_parts();
        question(&parts)
    }

    #[test]
    fn a_query_says_which_letters_are_meant() {
        let question =
            asked("route=hook&reason=answered%20500&to=b&since=1970-01-01T00:00:01Z").unwrap();

        let filter = question.wanted.filter;
        assert_eq!(
            (filter.route.as_deref(), filter.reason.as_deref()),
            (Some("hook"), Some("answered 500"))
        );
        assert_eq!(question.to.as_deref(), Some("b"));
        let second = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        assert_eq!(filter.since, Some(second));
        assert!(asked("").unwrap().wanted.filter.is_any());
    }

    #[test]
    fn a_time_is_a_moment_or_how_long_ago_it_was() {
        let since = asked("since=1h%2030m").unwrap().wanted.filter.since;

        let since = Timestamp::try_from(since.unwrap()).unwrap();
        assert!((5_400..5_460).contains(&Timestamp::now().duration_since(since).as_secs()));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_cure() {
        for (query, why) in [
            ("rout=hook", "`rout` means nothing here"),
            ("id=7", "no id; one looks like"),
            ("since=yesterday", "write how long ago it was, like `10m`"),
            ("since=-10m", "`-10m` is no time"),
            ("until=10", "`10` is no time"),
            ("limit=0", "`0` is no number from 1 to 1000"),
            ("limit=1001", "`1001` is no number"),
            ("after=7", "no id; one looks like"),
            ("route=%zz", "not percent-encoded"),
            ("all=yes", "`all` means nothing here"),
        ] {
            let said = asked(query).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
