//! Of the verifiers to which the sender shows the secret itself: a token, or a name with its password.
//! They cover nothing of the webhook.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Covers, Golden, Place, Shown, golden, header, pair};
use crate::preset::{Algorithm, escape};

const NOTHING: Covers = Covers {
    body: false,
    past: false,
    future: false,
};

/// Of the plugin `token`.
pub(super) fn token(config: &Value) -> Option<Golden> {
    let text = |name| config.get(name).and_then(Value::as_str);
    let pair = pair::of(Algorithm::Token)?;
    let secret = std::str::from_utf8(&pair.private).ok()?;
    let value = format!("{}{secret}", text("prefix").unwrap_or_default());
    let shown = Shown {
        place: match text("query") {
            Some(name) => Place::Query(escape(name).into()),
            None => header(text("header")?)?,
        },
        value: &value,
        proof: secret,
    };
    golden("token", &shown, text("keys")?, pair, NOTHING)
}

/// Of the plugin `basic-auth`: the first of its users. The others differ by name and password only.
pub(super) fn basic(config: &Value) -> Option<Golden> {
    let (name, key) = config.get("users")?.as_object()?.iter().next()?;
    let pair = pair::of(Algorithm::Token)?;
    let secret = std::str::from_utf8(&pair.private).ok()?;
    let proof = STANDARD.encode(format!("{name}:{secret}"));
    let shown = Shown {
        place: header("authorization")?,
        value: &format!("Basic {proof}"),
        proof: &proof,
    };
    golden("user", &shown, key.as_str()?, pair, NOTHING)
}
