//! The verdict on one webhook: the cheap conditions first, the body last.

use hookgate_sdk::filter::{Failure, Verdict};
use hookgate_sdk::json::Json;
use hookgate_sdk::{body_is_json, json_text, webhook};

use crate::rules::{is_one_of, unwanted};

/// The verdict under `config`.
pub(crate) fn judge(config: &str) -> Result<Verdict, Failure> {
    let table = Json::read(config)
        .map_err(|_| Failure::Permanent("the configuration is not JSON".into()))?;
    let dropped = match event(&table)? {
        Some(reason) => Some(reason),
        None => match header(&table) {
            Some(reason) => Some(reason),
            None => body(&table)?,
        },
    };
    Ok(dropped.map_or(Verdict::Forward, Verdict::Drop))
}

/// Why the event is not wanted; none when it is.
fn event(table: &Json<'_>) -> Result<Option<String>, Failure> {
    let Some(alternatives) = table.get("event") else {
        return Ok(None);
    };
    let event = webhook::note("event").ok_or_else(|| {
        Failure::Permanent(
            "no earlier plugin named the event: give `signature` a preset that does, or an \
             `event` of its own"
                .into(),
        )
    })?;
    Ok((!is_one_of(&event, alternatives)).then(|| unwanted("the event", &event)))
}

/// As [`event`]; the reason does not show the value, which may be a credential.
fn header(table: &Json<'_>) -> Option<String> {
    table
        .get("header")?
        .members()
        .iter()
        .find_map(|(name, alternatives)| match webhook::header(name) {
            None => Some(format!("the header `{name}` is absent")),
            Some(value) if is_one_of(&value, alternatives) => None,
            Some(_) => Some(format!("the header `{name}` is not as wanted")),
        })
}

fn body(table: &Json<'_>) -> Result<Option<String>, Failure> {
    let Some(conditions) = table.get("json") else {
        return Ok(None);
    };
    for (pointer, alternatives) in conditions.members() {
        let Some(value) = json_text(pointer) else {
            if body_is_json() {
                return Ok(Some(format!("`{pointer}` is absent")));
            }
            return Err(Failure::Permanent(format!(
                "the body is not JSON, so `{pointer}` cannot be judged"
            )));
        };
        if !is_one_of(&value, alternatives) {
            return Ok(Some(unwanted(&format!("`{pointer}`"), &value)));
        }
    }
    Ok(None)
}
