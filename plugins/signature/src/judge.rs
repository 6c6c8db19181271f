//! The verdict on one webhook. Cheapest refusal first; the body is touched by the host, once.

use std::borrow::Cow;
use std::cell::OnceCell;

use hookgate_sdk::json::Json;
use hookgate_sdk::verify::{Failure, Rejection, Response, Verdict};
use hookgate_sdk::webhook::{self, WebhookInfo};
use hookgate_sdk::{crypto, json_text};

use crate::header::{items, only_item};
use crate::message::{self, Part};
use crate::scheme::{Event, Handshake, Scheme, Source};
use crate::window;

/// What ends the way to an acceptance.
enum Stop {
    /// The sender is not who it says, or does not say it right.
    Reject(String),
    /// The fault is not the sender's.
    Fail(Failure),
}

impl Stop {
    fn permanent(reason: &str) -> Self {
        Self::Fail(Failure::Permanent(reason.into()))
    }
}

/// The verdict under `config`.
pub(crate) fn judge(config: &str) -> Result<Verdict, Failure> {
    let verdict = Json::read(config)
        .map_err(|_| Stop::permanent("the configuration is not JSON"))
        .and_then(|table| {
            let scheme = Scheme::read(&table).map_err(Stop::permanent)?;
            authenticate(&scheme)?;
            Ok(welcome(&scheme))
        });
    match verdict {
        Ok(verdict) => verdict,
        Err(Stop::Reject(reason)) => Ok(Verdict::Reject(Rejection {
            status: 401,
            reason,
        })),
        Err(Stop::Fail(failure)) => Err(failure),
    }
}

/// Passes when a signature covers the message and the time is right.
fn authenticate(scheme: &Scheme<'_>) -> Result<(), Stop> {
    let lines = webhook::header_values(scheme.signature.header);
    let candidates = items(&scheme.signature, &lines).map_err(reject)?;
    let info = OnceCell::new();
    let timestamp = match &scheme.timestamp {
        None => None,
        Some(rule) => {
            let text = timestamp(&rule.source, scheme, &lines)?;
            let received_at_ms = info.get_or_init(webhook::info).received_at_ms;
            window::admit(&text, rule, received_at_ms).map_err(reject)?;
            Some(text)
        }
    };
    let message = message(scheme, timestamp.as_deref(), &info)?;
    let parts: Vec<_> = message
        .iter()
        .map(|part| match part {
            Some(text) => crypto::Part::Text(text),
            None => crypto::Part::Body,
        })
        .collect();
    let mut malformed = 0;
    for candidate in &candidates {
        match crypto::verify(
            scheme.key,
            scheme.algorithm,
            &parts,
            candidate,
            scheme.encoding,
        ) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(crypto::CryptoError::Malformed) => malformed += 1,
            Err(error) => return Err(Stop::Fail(failure(error, scheme))),
        }
    }
    Err(Stop::Reject(if malformed == candidates.len() {
        "the signature cannot be decoded".into()
    } else {
        "the signature does not match".into()
    }))
}

/// The timestamp as received; from the lines at hand when it shares the signature's header.
fn timestamp(source: &Source<'_>, scheme: &Scheme<'_>, lines: &[Vec<u8>]) -> Result<String, Stop> {
    let found = if source.header.eq_ignore_ascii_case(scheme.signature.header) {
        only_item(source, lines).map(str::to_owned)
    } else {
        only_item(source, &webhook::header_values(source.header)).map(str::to_owned)
    };
    found.map_err(reject)
}

/// The signed message: texts, and none where the body stands.
fn message<'a>(
    scheme: &Scheme<'a>,
    timestamp: Option<&'a str>,
    info: &'a OnceCell<WebhookInfo>,
) -> Result<Vec<Option<Cow<'a, str>>>, Stop> {
    let mut message = Vec::with_capacity(8);
    for part in message::parts(scheme.signed) {
        let part = part.map_err(|_| Stop::permanent("`signed` is wrong in the configuration"))?;
        message.push(match part {
            Part::Text(text) => Some(Cow::Borrowed(text)),
            Part::Body => None,
            Part::Timestamp => Some(Cow::Borrowed(timestamp.ok_or_else(|| {
                Stop::permanent("`signed` names a timestamp and the configuration has none")
            })?)),
            Part::Method => Some(Cow::Borrowed(
                info.get_or_init(webhook::info).method.as_str(),
            )),
            Part::Path => Some(Cow::Borrowed(info.get_or_init(webhook::info).path.as_str())),
            Part::Url => Some(Cow::Borrowed(
                info.get_or_init(webhook::info)
                    .public_url
                    .as_deref()
                    .ok_or_else(|| {
                        Stop::permanent("`signed` names the url: set `public_url` of the route")
                    })?,
            )),
            Part::Header(header) => {
                let source = Source {
                    header,
                    separator: None,
                    prefix: "",
                };
                let lines = webhook::header_values(header);
                Some(Cow::Owned(
                    only_item(&source, &lines).map_err(reject)?.to_owned(),
                ))
            }
            Part::Query(name) => Some(Cow::Owned(webhook::query_param(name).ok_or_else(|| {
                Stop::Reject(format!("the signed query parameter `{name}` is absent"))
            })?)),
        });
    }
    Ok(message)
}

/// What an authentic webhook gets: an answer when it asks for one, else the way on.
fn welcome(scheme: &Scheme<'_>) -> Result<Verdict, Failure> {
    if let Some(handshake) = &scheme.handshake
        && json_text(handshake.pointer).as_deref() == Some(handshake.equals)
    {
        return answer(handshake);
    }
    let event = match scheme.event {
        Some(Event::Header(name)) => webhook::header(name),
        Some(Event::Pointer(pointer)) => webhook::json_string(pointer),
        None => None,
    };
    if let Some(event) = event {
        webhook::set_note("event", &event);
    }
    Ok(Verdict::Accept)
}

fn answer(handshake: &Handshake<'_>) -> Result<Verdict, Failure> {
    let body = json_text(handshake.respond).ok_or_else(|| {
        Failure::Permanent(format!(
            "the handshake has nothing at `{}`",
            handshake.respond
        ))
    })?;
    let headers = vec![("content-type".into(), handshake.content_type.into())];
    Ok(Verdict::Respond(Response {
        status: 200,
        headers,
        body,
    }))
}

fn reject(refusal: impl std::fmt::Display) -> Stop {
    Stop::Reject(refusal.to_string())
}

fn failure(error: crypto::CryptoError, scheme: &Scheme<'_>) -> Failure {
    let Scheme { key, algorithm, .. } = scheme;
    match error {
        crypto::CryptoError::KeyUnavailable => {
            Failure::Temporary(format!("the key `{key}` is not available now"))
        }
        crypto::CryptoError::UnknownKey => {
            Failure::Permanent(format!("the route has no key `{key}`"))
        }
        crypto::CryptoError::Unsupported | crypto::CryptoError::Malformed => Failure::Permanent(
            format!("`{algorithm}` is unknown or does not fit the key `{key}`"),
        ),
    }
}
