//! The delivery, with the word to sign it.

use hookgate_sdk::crypto::{self, Encoding, Part as Piece};
use hookgate_sdk::deliveries::Delivery;
use hookgate_sdk::json::Json;
use hookgate_sdk::slot::{self, Form, Part};
use hookgate_sdk::transform::Failure;

use crate::check::{SCHEME, is_id};

/// The delivery under the configuration.
pub(crate) fn make(table: &Json<'_>) -> Result<Vec<Delivery>, Failure> {
    let id = match table.get("id").and_then(Json::as_text) {
        Some(template) => id(template).map_err(Failure::Permanent)?,
        None => None,
    };
    let delivery = Delivery::new();
    if delivery.set_signature(SCHEME, "keys", id.as_deref()) {
        Ok(vec![delivery])
    } else {
        Err(Failure::Permanent(
            "the host does not sign with `keys`".into(),
        ))
    }
}

/// What the template makes, or its digest where the scheme cannot take it; none when a part is missing,
/// and then it is the webhook's own.
fn id(template: &str) -> Result<Option<String>, String> {
    let mut id = String::new();
    for part in slot::parts(template) {
        match part.map_err(|_| "`id` is wrong in the configuration")? {
            Part::Text(text) => id.push_str(text),
            Part::Slot(slot, _) => match slot::find(slot, Form::Text)? {
                Some(value) if !value.is_empty() => id.push_str(&value),
                _ => return Ok(None),
            },
        }
    }
    if is_id(&id) {
        return Ok(Some(id));
    }
    crypto::digest("sha256", &[Piece::Text(&id)], Encoding::Hex)
        .map(Some)
        .map_err(|_| "the host makes no SHA-256".into())
}
