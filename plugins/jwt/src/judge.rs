//! The verdict on one webhook. The signature comes before anything that the token claims.

use hookgate_sdk::crypto::{self, CryptoError, Encoding, Part};
use hookgate_sdk::json::Json;
use hookgate_sdk::verify::{Failure, Verdict};
use hookgate_sdk::{header, key, webhook};

use crate::claims;
use crate::rules::{BodyDigest, Keys, Rules};
use crate::token::{self, Token};

/// What ends the way to an acceptance.
enum Stop {
    /// The sender is not who it says, or does not say it right.
    Reject(String),
    /// The fault is not the sender's.
    Fail(Failure),
}

/// The verdict under the configuration.
pub(crate) fn judge(table: &Json<'_>) -> Result<Verdict, Failure> {
    match authenticate(table) {
        Ok(()) => Ok(Verdict::Accept),
        Err(Stop::Reject(reason)) => Ok(key::unauthorized(reason)),
        Err(Stop::Fail(failure)) => Err(failure),
    }
}

fn authenticate(table: &Json<'_>) -> Result<(), Stop> {
    let rules = Rules::read(table).map_err(|field| {
        let text = format!("`{field}` is wrong in the configuration");
        Stop::Fail(Failure::Permanent(text))
    })?;
    let name = rules.header;
    let value = header::only(name).map_err(|why| reject(format!("the header `{name}` {why}")))?;
    let text = value
        .split_at_checked(rules.prefix.len())
        .filter(|(begin, _)| begin.eq_ignore_ascii_case(rules.prefix))
        .map(|(_, token)| token)
        .ok_or_else(|| reject(format!("the header `{name}` does not begin as it should")))?;
    let token = Token::read(text).map_err(reject)?;
    let head = token::table(&token.header).map_err(reject)?;
    let kid = token::key_id(&head, rules.algorithm).map_err(reject)?;
    let key = match rules.keys {
        Keys::Any(name) => name,
        Keys::Named(names) => kid
            .and_then(|kid| names.get(kid))
            .and_then(Json::as_text)
            .ok_or_else(|| reject("the token is signed with a key that is not ours"))?,
    };
    signature(&rules, key, &token)?;
    let payload = token::table(&token.payload).map_err(reject)?;
    claims::admit(&rules, &payload, webhook::info().received_at_ms / 1_000).map_err(reject)?;
    match rules.body {
        Some(digest) => body(digest, &payload),
        None => Ok(()),
    }
}

fn signature(rules: &Rules<'_>, key: &str, token: &Token<'_>) -> Result<(), Stop> {
    let message = [Part::Text(token.signed)];
    let algorithm = rules.host_algorithm;
    match crypto::verify(
        key,
        algorithm,
        &message,
        token.signature,
        Encoding::Base64url,
    ) {
        Ok(true) => Ok(()),
        Ok(false) => Err(reject("the signature does not match")),
        Err(CryptoError::Malformed) => Err(reject("the signature cannot be decoded")),
        Err(error) => Err(Stop::Fail(key::unusable(error, key, algorithm))),
    }
}

/// The token covers itself only; with this it covers the body as well.
fn body(digest: BodyDigest<'_>, payload: &Json<'_>) -> Result<(), Stop> {
    let BodyDigest {
        claim,
        algorithm,
        encoding,
    } = digest;
    let claimed = payload
        .get(claim)
        .and_then(Json::as_text)
        .ok_or_else(|| reject(format!("the claim `{claim}` is missing")))?;
    let actual = crypto::digest(algorithm, &[Part::Body], encoding).map_err(|_| {
        Stop::Fail(Failure::Permanent(format!(
            "the host makes no `{algorithm}`"
        )))
    })?;
    if claimed == actual {
        Ok(())
    } else {
        Err(reject("the token is about another body"))
    }
}

fn reject(reason: impl Into<String>) -> Stop {
    Stop::Reject(reason.into())
}
