//! The delivery, with the key that makes its repeat harmless.

use hookgate_sdk::crypto::{self, Encoding};
use hookgate_sdk::deliveries::Delivery;
use hookgate_sdk::json::Json;
use hookgate_sdk::transform::Failure;
use hookgate_sdk::{body_is_json, header, json_text, span};

use crate::key::{self, DEFAULT_SECONDS, Part};

/// The longest key that the host takes; a longer one is digested.
const KEY_BYTES_MAX: usize = 1 << 10;

/// The delivery under the configuration.
pub(crate) fn make(table: &Json<'_>) -> Result<Vec<Delivery>, Failure> {
    let delivery = Delivery::new();
    let seconds = match table.get("for") {
        Some(text) => text.as_text().and_then(span::seconds),
        None => Some(DEFAULT_SECONDS),
    };
    let ttl = seconds
        .and_then(|seconds| u32::try_from(seconds).ok())
        .ok_or_else(|| Failure::Permanent("`for` is wrong in the configuration".into()))?;
    match key(table) {
        Ok(key) => delivery.set_dedupe_key(&key, ttl),
        Err(Missing::Here(_))
            if table.get("missing").and_then(Json::as_text) == Some("deliver") => {}
        Err(Missing::Here(what) | Missing::Fault(what)) => return Err(Failure::Permanent(what)),
    }
    Ok(vec![delivery])
}

/// Why there is no key.
enum Missing {
    /// The webhook has none.
    Here(String),
    /// Nobody can say whether it has one.
    Fault(String),
}

fn key(table: &Json<'_>) -> Result<String, Missing> {
    let text = |name| table.get(name).and_then(Json::as_text);
    let key = if let Some(name) = text("header") {
        header::only(name).map_err(|why| Missing::Here(format!("the header `{name}` {why}")))?
    } else if let Some(pointer) = text("pointer") {
        match json_text(pointer) {
            Some(value) if value != "null" => value,
            None if !body_is_json() => {
                let what = format!("the body is not JSON, so nothing is at `{pointer}`");
                return Err(Missing::Here(what));
            }
            _ => return Err(Missing::Here(format!("`{pointer}` is absent"))),
        }
    } else {
        return digest(text("digest").unwrap_or_default());
    };
    match key.len() {
        0 => Err(Missing::Here("the key is empty".into())),
        1..=KEY_BYTES_MAX => Ok(key),
        _ => sha256(&[crypto::Part::Text(&key)]),
    }
}

fn digest(template: &str) -> Result<String, Missing> {
    let mut message = Vec::new();
    for part in key::parts(template) {
        message.push(match part {
            Ok(Part::Text(text)) => crypto::Part::Text(text),
            Ok(Part::Body) => crypto::Part::Body,
            Ok(Part::Header(name)) => {
                header::only(name)
                    .map_err(|why| Missing::Here(format!("the header `{name}` {why}")))?;
                crypto::Part::Header(name)
            }
            Err(_) => {
                return Err(Missing::Fault(
                    "`digest` is wrong in the configuration".into(),
                ));
            }
        });
    }
    sha256(&message)
}

fn sha256(message: &[crypto::Part<'_>]) -> Result<String, Missing> {
    crypto::digest("sha256", message, Encoding::Hex)
        .map_err(|_| Missing::Fault("the host makes no SHA-256".into()))
}
