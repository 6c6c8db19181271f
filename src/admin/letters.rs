//! Dead letters and what waits, as operators ask for them: which ones are meant, and what was done.

use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;

use bytes::Bytes;

use super::{State, reply, views};
use crate::delivery::Filter;
use crate::webhook::WebhookId;

/// What the query of a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Question {
    filter: Filter,
    /// Another upstream than the one that did not take it.
    to: Option<String>,
    /// Every dead letter there is, and it is meant so.
    all: bool,
}

/// What may be done to dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Replay,
    Discard,
}

/// `GET /api/dead-letters`.
pub(super) fn list(state: &State, request: &Parts) -> Response<Full<Bytes>> {
    match question(request) {
        Ok(question) => {
            let dead_letters = (state.dead_letters)(&question.filter);
            reply::json(StatusCode::OK, &views::DeadLetters { dead_letters })
        }
        Err(why) => reply::sentence(StatusCode::BAD_REQUEST, &why),
    }
}

/// `GET /api/webhooks?id=ID`: where a webhook is.
pub(super) fn find(state: &State, request: &Parts) -> Response<Full<Bytes>> {
    match question(request) {
        Ok(Question {
            filter: Filter { id: Some(id), .. },
            ..
        }) => {
            let deliveries = (state.find)(id);
            let id = id.to_string();
            reply::json(StatusCode::OK, &views::Webhook { id, deliveries })
        }
        Ok(_) => reply::sentence(StatusCode::BAD_REQUEST, "say which one: `?id=wh_...`"),
        Err(why) => reply::sentence(StatusCode::BAD_REQUEST, &why),
    }
}

/// `POST /api/dead-letters/replay` and `.../discard`: those that are meant, and never all by accident.
pub(super) fn act(state: &State, request: &Parts, deed: Deed) -> Response<Full<Bytes>> {
    let question = match question(request) {
        Ok(question) if question.filter.is_any() && !question.all => {
            let why = "say which ones: `id`, `route`, `upstream`, `reason`, `since`, `until`; or `all=true`";
            return reply::sentence(StatusCode::BAD_REQUEST, why);
        }
        Ok(question) => question,
        Err(why) => return reply::sentence(StatusCode::BAD_REQUEST, &why),
    };
    match deed {
        Deed::Discard => {
            let discarded = (state.discard)(&question.filter);
            reply::json(StatusCode::OK, &views::Discarded { discarded })
        }
        Deed::Replay => match (state.replay)(&question.filter, question.to.as_deref()) {
            Ok(replayed) => reply::json(
                StatusCode::OK,
                &views::Replayed {
                    replayed: replayed.replayed,
                    kept: replayed.kept,
                },
            ),
            Err(why) => reply::sentence(StatusCode::UNPROCESSABLE_ENTITY, &why),
        },
    }
}

fn question(request: &Parts) -> Result<Question, String> {
    let mut question = Question::default();
    let query = request.uri.query().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = unescape(value).ok_or_else(|| format!("`{name}` is not percent-encoded"))?;
        let filter = &mut question.filter;
        match name {
            "id" => {
                let id = WebhookId::parse(&value);
                let why = || format!("`{value}` is no id; one looks like `wh_` and 32 digits");
                filter.id = Some(id.ok_or_else(why)?);
            }
            "route" => filter.route = Some(value),
            "upstream" => filter.upstream = Some(value),
            "reason" => filter.reason = Some(value),
            "since" => filter.since = Some(time(&value)?.into()),
            "until" => filter.until = Some(time(&value)?.into()),
            "to" => question.to = Some(value),
            "all" if value == "true" => question.all = true,
            _ => return Err(format!("`{name}` means nothing here")),
        }
    }
    Ok(question)
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no time; write it like `2026-11-21T13:00:00Z`"))
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

        let filter = question.filter;
        assert_eq!(
            (filter.route.as_deref(), filter.reason.as_deref()),
            (Some("hook"), Some("answered 500"))
        );
        assert_eq!(question.to.as_deref(), Some("b"));
        let second = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        assert_eq!(filter.since, Some(second));
        assert!(asked("").unwrap().filter.is_any());
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_cure() {
        for (query, why) in [
            ("rout=hook", "`rout` means nothing here"),
            ("id=7", "no id; one looks like"),
            ("since=yesterday", "write it like `2026-"),
            ("route=%zz", "not percent-encoded"),
            ("all=yes", "`all` means nothing here"),
        ] {
            let said = asked(query).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
