//! The delivery, from the configuration and the webhook.

use hookgate_sdk::deliveries::Delivery;
use hookgate_sdk::json::Json;
use hookgate_sdk::transform::Failure;
use hookgate_sdk::{header, slot};

use crate::path;
use crate::render::{Missing, Origin, Render};

/// What is delivered under the configuration.
pub(crate) fn make(table: &Json<'_>) -> Result<Vec<Delivery>, Failure> {
    one(table)
        .map(|delivery| vec![delivery])
        .map_err(Failure::Permanent)
}

/// The one delivery, or why it cannot be made.
fn one(table: &Json<'_>) -> Result<Delivery, String> {
    let missing = match table.get("missing").and_then(Json::as_text) {
        None | Some("empty") => Missing::Empty,
        Some("refuse") => Missing::Refuse,
        Some(_) => return Err("`missing` is unknown in the configuration".into()),
    };
    let render = Render {
        find: slot::find,
        missing,
    };
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
        if !header::fits(&value) {
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
