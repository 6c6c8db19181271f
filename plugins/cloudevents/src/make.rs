//! The delivery, from the configuration and the webhook.

use hookgate_sdk::deliveries::Delivery;
use hookgate_sdk::json::Json;
use hookgate_sdk::transform::Failure;
use hookgate_sdk::{slot, webhook};

use crate::attributes::{self, Attributes};
use crate::envelope::{Data, document, header_value, is_json};
use crate::time;

/// The delivery under the configuration.
pub(crate) fn make(table: &Json<'_>) -> Result<Vec<Delivery>, Failure> {
    let info = webhook::info();
    let now = time::text(info.received_at_ms);
    let attributes =
        attributes::make(table, info.id, now, &slot::find).map_err(Failure::Permanent)?;
    let delivery = Delivery::new();
    // A sender's own would be taken for attributes of our event.
    for (name, _) in webhook::headers() {
        if name.starts_with("ce-") {
            delivery.remove_header(&name);
        }
    }
    match table.get("mode").and_then(Json::as_text) {
        Some("structured") => structured(&delivery, &attributes).map_err(Failure::Permanent)?,
        _ => {
            for (name, value) in attributes {
                delivery.set_header(&format!("ce-{name}"), &header_value(&value));
            }
        }
    }
    Ok(vec![delivery])
}

fn structured(delivery: &Delivery, attributes: &Attributes) -> Result<(), String> {
    let media_type = webhook::header("content-type");
    let says_json = media_type.as_deref().is_none_or(is_json);
    let json = if says_json { webhook::json("") } else { None };
    let body = if json.is_some() {
        Vec::new()
    } else {
        webhook::body()
    };
    let data = match (&json, std::str::from_utf8(&body)) {
        (Some(json), _) => Data::Json(json),
        (None, Ok("")) => Data::None,
        (None, _) if says_json && media_type.is_some() => {
            return Err("the webhook says that it is JSON, and it is not".into());
        }
        (None, Ok(text)) if media_type.is_some() => Data::Text(text),
        // Without a media type, a text would be taken for JSON.
        (None, _) => Data::Bytes(&body),
    };
    delivery.set_body_text(&document(attributes, media_type.as_deref(), data));
    delivery.set_header(
        "content-type",
        "application/cloudevents+json; charset=utf-8",
    );
    Ok(())
}
