//! The verdict on one webhook. Cheapest refusal first; the body is touched by the host, once.

use std::cell::OnceCell;
use std::fmt;

use hookgate_sdk::json::Json;
use hookgate_sdk::verify::{Failure, Rejection, Verdict};
use hookgate_sdk::{crypto, webhook};

use crate::facts::{Facts, Message};
use crate::form;
use crate::handshake;
use crate::header::{items, only_item};
use crate::place;
use crate::scheme::{How, Scheme, Source, TOKEN};
use crate::window;

/// Elements of a body that are signed one by one. Each is read from the body's beginning, so more of
/// them would cost their square.
const MAX_ITEMS: usize = 128;

/// What ends the way to an acceptance.
pub(crate) enum Stop {
    /// The sender is not who it says, or does not say it right.
    Reject(String),
    /// The fault is not the sender's.
    Fail(Failure),
}

impl Stop {
    #[inline(never)]
    pub(crate) fn permanent(reason: &str) -> Self {
        Self::Fail(Failure::Permanent(reason.into()))
    }

    pub(crate) fn reject(refusal: impl fmt::Display) -> Self {
        Self::told(&refusal)
    }

    #[inline(never)]
    fn told(refusal: &dyn fmt::Display) -> Self {
        Self::Reject(refusal.to_string())
    }
}

/// The verdict under `config`.
pub(crate) fn judge(config: &str) -> Result<Verdict, Failure> {
    let verdict = Json::read(config)
        .map_err(|_| Stop::permanent("the configuration is not JSON"))
        .and_then(|table| welcome(&Scheme::read(&table).map_err(Stop::permanent)?));
    match verdict {
        Ok(verdict) => Ok(verdict),
        Err(Stop::Reject(reason)) => Ok(Verdict::Reject(Rejection {
            status: 401,
            reason,
        })),
        Err(Stop::Fail(failure)) => Err(failure),
    }
}

/// An answer to a webhook that asks for one, before or behind its signature; else the way on.
fn welcome(scheme: &Scheme<'_>) -> Result<Verdict, Stop> {
    let document = OnceCell::new();
    let mut facts = Facts::new(scheme, &document);
    if let Some(answer) = handshake::answer(&mut facts, false)? {
        return Ok(answer);
    }
    authenticate(&mut facts)?;
    if let Some(answer) = handshake::answer(&mut facts, true)? {
        return Ok(answer);
    }
    if let Some(event) = scheme
        .event
        .and_then(|event| place::text(event, &facts.body))
    {
        webhook::set_note("event", &event);
    }
    Ok(Verdict::Accept)
}

/// Passes when a signature covers the message, or each element has one, and the time is right.
fn authenticate<'a>(facts: &mut Facts<'a>) -> Result<(), Stop> {
    let scheme = facts.scheme;
    facts.require(&scheme.require)?;
    let mut how = scheme.how;
    for variant in &scheme.variants {
        if facts.hold(&variant.when)? {
            facts.require(&variant.require)?;
            how = variant.how;
            break;
        }
    }
    let Some(items) = scheme.items else {
        return one(facts, how);
    };
    let count = facts.body.count(items);
    if count == 0 {
        return Err(Stop::Reject(format!(
            "`{items}` in the body is no array, or empty"
        )));
    }
    if count > MAX_ITEMS {
        return Err(Stop::Reject(format!(
            "`{items}` in the body has more than {MAX_ITEMS} elements"
        )));
    }
    for index in 0..count {
        facts.body.enter(format!("{items}/{index}"));
        one(facts, how)?;
    }
    facts.body.enter(String::new());
    Ok(())
}

/// Passes when a signature covers the message and the time is right.
fn one<'a>(facts: &mut Facts<'a>, how: How<'a>) -> Result<(), Stop> {
    let scheme = facts.scheme;
    let lines = place::lines(&scheme.signature, &facts.body).map_err(Stop::reject)?;
    let candidates = items(&scheme.signature, &lines).map_err(Stop::reject)?;
    if let Some(rule) = &scheme.timestamp {
        let text = timestamp(&rule.source, facts, &lines)?;
        window::admit(&text, rule, webhook::received_at_ms()).map_err(Stop::reject)?;
        facts.timestamp = Some(text);
    }
    if how.algorithm == TOKEN {
        return token(scheme, &candidates);
    }
    if !scheme.any_port {
        return signature(scheme, how, &facts.message(how.signed)?, &candidates);
    }
    let mut verdict = Ok(());
    for has_port in [false, true] {
        facts.url = Some(form::url(facts.public_url()?, has_port));
        verdict = signature(scheme, how, &facts.message(how.signed)?, &candidates);
        if verdict.is_ok() {
            break;
        }
    }
    verdict
}

/// The timestamp as received; from the lines at hand when it shares the signature's header.
fn timestamp(source: &Source<'_>, facts: &Facts<'_>, lines: &[Vec<u8>]) -> Result<String, Stop> {
    let found = if source.place == facts.scheme.signature.place {
        only_item(source, lines).map(str::to_owned)
    } else {
        let lines = place::lines(source, &facts.body).map_err(Stop::reject)?;
        only_item(source, &lines).map(str::to_owned)
    };
    found.map_err(Stop::reject)
}

fn signature(
    scheme: &Scheme<'_>,
    how: How<'_>,
    message: &Message<'_>,
    candidates: &[&str],
) -> Result<(), Stop> {
    let parts: Vec<_> = message
        .iter()
        .map(|part| match part {
            Some(text) => crypto::Part::Text(text),
            None => crypto::Part::Body,
        })
        .collect();
    let mut malformed = 0;
    for candidate in candidates {
        let matches = crypto::verify(
            scheme.key,
            how.algorithm,
            &parts,
            candidate,
            scheme.encoding,
        );
        match matches {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(crypto::CryptoError::Malformed) => malformed += 1,
            Err(error) => return Err(failure(error, scheme.key, how.algorithm)),
        }
    }
    Err(Stop::reject(if malformed == candidates.len() {
        "the signature cannot be decoded"
    } else {
        "the signature does not match"
    }))
}

fn token(scheme: &Scheme<'_>, candidates: &[&str]) -> Result<(), Stop> {
    for candidate in candidates {
        if crypto::equals_secret(scheme.key, candidate)
            .map_err(|error| failure(error, scheme.key, TOKEN))?
        {
            return Ok(());
        }
    }
    Err(Stop::reject("the token does not match"))
}

/// A fault of the host's or of the operator's.
pub(crate) fn failure(error: crypto::CryptoError, key: &str, algorithm: &str) -> Stop {
    Stop::Fail(match error {
        crypto::CryptoError::KeyUnavailable => {
            Failure::Temporary(format!("the key `{key}` is not available now"))
        }
        crypto::CryptoError::UnknownKey => {
            Failure::Permanent(format!("the route has no key `{key}`"))
        }
        crypto::CryptoError::Unsupported | crypto::CryptoError::Malformed => Failure::Permanent(
            format!("`{algorithm}` is unknown or does not fit the key `{key}`"),
        ),
    })
}
