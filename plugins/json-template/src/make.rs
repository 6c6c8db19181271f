//! The delivery, from the configuration and the webhook.

use hookgate_sdk::deliveries::Delivery;
use hookgate_sdk::json::{Json, escape_into};
use hookgate_sdk::{body_is_json, json_text, webhook};

use crate::path;
use crate::render::{Form, Missing, Origin, Render, fits_header};
use crate::slot::Slot;

/// What is delivered under `config`, or why it cannot be made.
pub(crate) fn make(config: &str) -> Result<Delivery, String> {
    let table = Json::read(config).map_err(|_| "the configuration is not JSON")?;
    let missing = match table.get("missing").and_then(Json::as_text) {
        None | Some("empty") => Missing::Empty,
        Some("refuse") => Missing::Refuse,
        Some(_) => return Err("`missing` is unknown in the configuration".into()),
    };
    let render = Render { find, missing };
    let delivery = Delivery::new();
    if let Some(template) = table.get("body") {
        let mut body = String::new();
        render.json(&mut body, template)?;
        delivery.set_body_text(&body);
        delivery.set_header("content-type", "application/json");
    }
    for (name, template) in table.get("headers").map(Json::members).unwrap_or_default() {
        let template = template
            .as_text()
            .ok_or("`headers` is wrong in the configuration")?;
        let mut value = String::new();
        render.pieces(template, |piece, _| value.push_str(piece))?;
        if !fits_header(&value) {
            return Err(format!(
                "the value for the header `{name}` holds control characters"
            ));
        }
        delivery.set_header(name, &value);
    }
    if let Some(template) = table.get("path").and_then(Json::as_text) {
        let mut target = String::new();
        render.pieces(template, |piece, origin| match origin {
            Origin::Operator => target.push_str(piece),
            Origin::Sender => path::escape_into(&mut target, piece),
        })?;
        if path::has_dot_segment(&target) {
            return Err("the value for the path is `.` or `..`".into());
        }
        delivery.set_path(&target);
    }
    Ok(delivery)
}

/// The value of a slot in the webhook.
fn find(slot: Slot<'_>, form: Form) -> Result<Option<String>, String> {
    let text = match slot {
        Slot::Pointer(pointer) => {
            let value = match form {
                Form::Json => webhook::json(pointer),
                Form::Text => json_text(pointer),
            };
            if value.is_none() && !body_is_json() {
                return Err(format!(
                    "the body is not JSON, so nothing is at `{pointer}`"
                ));
            }
            return Ok(value);
        }
        Slot::Header(name) => webhook::header(name),
        Slot::Note(key) => webhook::note(key),
        Slot::Query(name) => webhook::query_param(name),
    };
    Ok(text.map(|text| match form {
        Form::Text => text,
        Form::Json => {
            let mut quoted = String::from("\"");
            escape_into(&mut quoted, &text);
            quoted.push('"');
            quoted
        }
    }))
}
