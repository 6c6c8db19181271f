//! The verdict on one webhook: the cheap conditions first, the body last.

use hookgate_sdk::filter::{Failure, Verdict};
use hookgate_sdk::json::Json;
use hookgate_sdk::{body_is_json, json_text, webhook};

use crate::condition::{Subject, unmet};
use crate::rules::{is_one_of, unwanted};

/// The verdict under the configuration.
pub(crate) fn judge(table: &Json<'_>) -> Result<Verdict, Failure> {
    let dropped = match event(table)? {
        Some(reason) => Some(reason),
        None => match header(table) {
            Some(reason) => Some(reason),
            None => match body(table)? {
                Some(reason) => Some(reason),
                None => when(table)?,
            },
        },
    };
    Ok(dropped.map_or(Verdict::Forward, Verdict::Drop))
}

/// As [`event`], for the long form.
fn when(table: &Json<'_>) -> Result<Option<String>, Failure> {
    match table.get("when") {
        Some(condition) => unmet(condition, &find).map_err(Failure::Permanent),
        None => Ok(None),
    }
}

fn find(subject: Subject<'_>) -> Result<Option<String>, String> {
    match subject {
        Subject::Json(pointer) => {
            let value = json_text(pointer);
            if value.is_none() && !body_is_json() {
                return Err(not_json(pointer));
            }
            Ok(value)
        }
        Subject::Header(name) => Ok(webhook::header(name)),
        Subject::Query(name) => Ok(webhook::query_param(name)),
        Subject::Note(key) => Ok(webhook::note(key)),
    }
}

fn not_json(pointer: &str) -> String {
    format!("the body is not JSON, so `{pointer}` cannot be judged")
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
            return Err(Failure::Permanent(not_json(pointer)));
        };
        if !is_one_of(&value, alternatives) {
            return Ok(Some(unwanted(&format!("`{pointer}`"), &value)));
        }
    }
    Ok(None)
}
