//! Calls that ask whether somebody is there who knows the secret: they are answered here.

use hookgate_sdk::log::{self, Level};
use hookgate_sdk::verify::{Response, Verdict};
use hookgate_sdk::{crypto, signing};

use crate::facts::{Escape, Facts};
use crate::judge::{Stop, failure};
use crate::place;
use crate::scheme::Handshake;

/// What a MAC is made over has no more bytes: tokens of providers have some forty.
const MAX_MAC_MESSAGE: usize = 256;

/// The answer to the first handshake that this webhook is, of those that are answered before
/// (`signed` is false) or behind the signature.
pub(crate) fn answer(facts: &mut Facts<'_>, signed: bool) -> Result<Option<Verdict>, Stop> {
    let scheme = facts.scheme;
    for handshake in scheme.handshakes.iter().filter(|one| one.signed == signed) {
        if facts.hold(&handshake.when)? {
            return respond(facts, handshake).map(Some);
        }
    }
    Ok(None)
}

fn respond<'a>(facts: &mut Facts<'a>, handshake: &Handshake<'a>) -> Result<Verdict, Stop> {
    facts.require(&handshake.require)?;
    if let Some((place, key)) = handshake.token {
        let candidate = place::text(place, &facts.body).unwrap_or_default();
        let equal =
            crypto::equals_secret(key, &candidate).map_err(|error| failure(error, key, "token"))?;
        if !equal {
            return Err(Stop::reject("the token of the handshake does not match"));
        }
    }
    if let Some((template, encoding)) = handshake.mac {
        let message = facts.render(template, Escape::None)?;
        if !is_token(&message) {
            return Err(Stop::reject(
                "the handshake asks for a MAC of more than a token",
            ));
        }
        let scheme = facts.scheme;
        let part = [crypto::Part::Text(&message)];
        let mac = signing::sign(scheme.key, scheme.how.algorithm, &part, encoding)
            .map_err(|error| failure(error, scheme.key, scheme.how.algorithm))?;
        facts.mac = Some(mac);
    }
    if let Some(template) = handshake.log {
        let message = facts.render(template, Escape::None)?;
        log::write(Level::Warn, &message, &[]);
    }
    let escape = match handshake.content_type {
        "application/json" => Escape::Json,
        _ => Escape::None,
    };
    let mut headers = Vec::new();
    let body = facts.render(handshake.body, escape)?;
    if !body.is_empty() {
        headers.push(("content-type".into(), handshake.content_type.into()));
        // What is echoed was written by a stranger.
        headers.push(("x-content-type-options".into(), "nosniff".into()));
    }
    Ok(Verdict::Respond(Response {
        status: handshake.status,
        headers,
        body,
    }))
}

/// Whoever may ask for MACs of any text may ask for the signature of a forged webhook. A token has no
/// brace, quote, colon, dot or line, so no MAC of one is the signature of a webhook.
fn is_token(message: &str) -> bool {
    (1..=MAX_MAC_MESSAGE).contains(&message.len())
        && message
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_~+/=".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::{MAX_MAC_MESSAGE, is_token};

    #[test]
    fn a_mac_is_made_over_tokens_and_nothing_that_could_be_a_webhook() {
        for token in ["qgg8vlvZRS6UYooatFL8Aw", "MDAwLWExYg==", "a-b_c~d+e/f"] {
            assert!(is_token(token), "{token}");
        }
        for other in [
            "",
            "{}",
            "\"a\"",
            "[1]",
            "1.5",
            "v0:1:a",
            "a b",
            "a\nb",
            "ä",
            "a=1&b=2",
            &"a".repeat(MAX_MAC_MESSAGE + 1),
        ] {
            assert!(!is_token(other), "{other}");
        }
    }
}
