//! What a webhook is known by: the value of a header, or one of its JSON body.

use crate::crypto::{self, Encoding};
use crate::json::Json;
use crate::problem::Problems;
use crate::transform::Failure;
use crate::{body_is_json, header, json_text};

/// The ways to say where it is; a configuration has one of them.
pub const BY: [&str; 2] = ["header", "pointer"];
/// What may happen to a webhook without it.
const MISSING: [&str; 2] = ["refuse", "deliver"];
/// The longest key that the host takes; a longer one is digested.
const KEY_BYTES_MAX: usize = 1 << 10;

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// The webhook has none.
    Missing(String),
    /// Nobody can say whether it has one.
    Fault(String),
}

impl Unknown {
    /// Lets a webhook without a key pass where the configuration allows that.
    ///
    /// # Errors
    /// A failure where it does not, and where nobody can say.
    pub fn allowed(self, table: &Json<'_>) -> Result<(), Failure> {
        match self {
            Self::Missing(_) if table.get("missing").and_then(Json::as_text) == Some("deliver") => {
                Ok(())
            }
            Self::Missing(what) | Self::Fault(what) => Err(Failure::Permanent(what)),
        }
    }
}

/// What the configuration's `header` or `pointer` finds in the webhook, in at most as many bytes as the
/// host takes for a key; nothing where the configuration has neither.
#[must_use]
pub fn key(table: &Json<'_>) -> Option<Result<String, Unknown>> {
    let text = |name| table.get(name).and_then(Json::as_text);
    let found = match (text("header"), text("pointer")) {
        (Some(name), _) => of_header(name),
        (None, Some(pointer)) => of_body(pointer),
        (None, None) => return None,
    };
    Some(found.and_then(|key| match key.len() {
        0 => Err(Unknown::Missing("the key is empty".into())),
        1..=KEY_BYTES_MAX => Ok(key),
        _ => sha256(&[crypto::Part::Text(&key)]),
    }))
}

/// The only value of this header.
///
/// # Errors
/// It is absent, repeated or no text.
pub fn of_header(name: &str) -> Result<String, Unknown> {
    header::only(name).map_err(|why| Unknown::Missing(format!("the header `{name}` {why}")))
}

fn of_body(pointer: &str) -> Result<String, Unknown> {
    match json_text(pointer) {
        Some(value) if value != "null" => Ok(value),
        None if !body_is_json() => {
            let what = format!("the body is not JSON, so nothing is at `{pointer}`");
            Err(Unknown::Missing(what))
        }
        _ => Err(Unknown::Missing(format!("`{pointer}` is absent"))),
    }
}

/// The SHA-256 of these parts, in hexadecimal digits.
///
/// # Errors
/// The host makes none.
pub fn sha256(parts: &[crypto::Part<'_>]) -> Result<String, Unknown> {
    crypto::digest("sha256", parts, Encoding::Hex)
        .map_err(|_| Unknown::Fault("the host makes no SHA-256".into()))
}

impl Problems {
    /// What is wrong with the value of `kind`, one of [`BY`].
    pub fn known_by(&mut self, kind: &str, text: &str) {
        match kind {
            "header" => self.header_name("/header", text),
            _ => self.json_pointer("/pointer", text),
        }
    }

    /// What is wrong with `missing`, which says what happens to a webhook without a key.
    pub fn missing_key(&mut self, table: &Json<'_>) {
        if let Some(missing) = self.text("", table, "missing") {
            self.one_of("", "missing", missing, &MISSING);
        }
    }
}
