//! The delivery, with the key that makes its repeat harmless.

use hookgate_sdk::crypto;
use hookgate_sdk::deliveries::Delivery;
use hookgate_sdk::json::Json;
use hookgate_sdk::known::{self, Unknown};
use hookgate_sdk::span;
use hookgate_sdk::transform::Failure;

use crate::key::{self, DEFAULT_SECONDS, Part};

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
    let key = known::key(table).unwrap_or_else(|| {
        let template = table.get("digest").and_then(Json::as_text);
        digest(template.unwrap_or_default())
    });
    match key {
        Ok(key) => delivery.set_dedupe_key(&key, ttl),
        Err(unknown) => unknown.allowed(table)?,
    }
    Ok(vec![delivery])
}

fn digest(template: &str) -> Result<String, Unknown> {
    let mut message = Vec::new();
    for part in key::parts(template) {
        message.push(match part {
            Ok(Part::Text(text)) => crypto::Part::Text(text),
            Ok(Part::Body) => crypto::Part::Body,
            Ok(Part::Header(name)) => {
                known::of_header(name)?;
                crypto::Part::Header(name)
            }
            Err(_) => {
                return Err(Unknown::Fault(
                    "`digest` is wrong in the configuration".into(),
                ));
            }
        });
    }
    known::sha256(&message)
}
