//! The attributes of an event (CloudEvents 1.0.2, "Context Attributes"), from their templates. Where
//! values come from is an argument, so that nothing here knows a host.

use hookgate_sdk::json::Json;
use hookgate_sdk::slot::{self, Form, Part, Slot};

use crate::time::is_timestamp;

/// What the configuration may not leave out, `id` and `time` having a default of our own.
pub const REQUIRED: [&str; 2] = ["source", "type"];
/// The other templates.
pub const OPTIONAL: [&str; 4] = ["id", "subject", "time", "dataschema"];
/// The longest name of an extension ("Naming Conventions": should not be longer).
pub const NAME_CHARS_MAX: usize = 20;

/// Names and values, in the order in which they are written; `specversion` comes first.
pub type Attributes = Vec<(String, String)>;

/// The attributes under the configuration. `id` and `time` are what they are without a template.
///
/// # Errors
/// A sentence for the operator: which attribute the webhook lacks.
pub fn make<F>(table: &Json<'_>, id: String, time: String, find: &F) -> Result<Attributes, String>
where
    F: Fn(Slot<'_>, Form) -> Result<Option<String>, String>,
{
    let mut attributes = vec![("specversion".to_owned(), "1.0".to_owned())];
    let of = |name: &str| match table.get(name).and_then(Json::as_text) {
        Some(template) => render(name, template, find),
        None => Ok(None),
    };
    let id = match (of("id")?, table.get("id")) {
        (Some(id), _) => id,
        (None, None) => id,
        (None, Some(_)) => {
            return Err("the webhook lacks what the attribute `id` is made of".into());
        }
    };
    attributes.push(("id".to_owned(), id));
    for name in REQUIRED {
        let value = of(name)?
            .ok_or_else(|| format!("the webhook lacks what the attribute `{name}` is made of"))?;
        attributes.push((name.to_owned(), value));
    }
    let written = of("time")?.filter(|time| is_timestamp(time));
    attributes.push(("time".to_owned(), written.unwrap_or(time)));
    for name in ["subject", "dataschema"] {
        attributes.extend(of(name)?.map(|value| (name.to_owned(), value)));
    }
    for (name, template) in table
        .get("extensions")
        .map(Json::members)
        .unwrap_or_default()
    {
        let template = template.as_text().unwrap_or_default();
        let value = render(name, template, find)?;
        attributes.extend(value.map(|value| (name.to_string(), value)));
    }
    Ok(attributes)
}

/// A template filled in; none when a part is missing or nothing is left.
fn render<F>(name: &str, template: &str, find: &F) -> Result<Option<String>, String>
where
    F: Fn(Slot<'_>, Form) -> Result<Option<String>, String>,
{
    let is_uri = matches!(name, "source" | "dataschema");
    let mut value = String::new();
    for part in slot::parts(template) {
        match part.map_err(|_| format!("the template of `{name}` is wrong"))? {
            Part::Text(text) => value.push_str(text),
            Part::Slot(slot, _) => match find(slot, Form::Text)? {
                None => return Ok(None),
                Some(text) if is_uri => escape_into(&mut value, &text),
                Some(text) => value.push_str(&text),
            },
        }
    }
    if value.contains(char::is_control) {
        // "Type System": a string holds none.
        return Err(format!(
            "the attribute `{name}` would hold control characters"
        ));
    }
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// Appends a sender's text to a URI, its slashes being path (RFC 3986, sections 2.3 and 3.3).
fn escape_into(out: &mut String, text: &str) {
    percent(out, text, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte)
    });
}

/// Appends `text` with every byte that is not `kept` as `%41`.
pub fn percent(out: &mut String, text: &str, kept: impl Fn(u8) -> bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii() && kept(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(HEX.get(usize::from(digit)).map(|&digit| char::from(digit)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, Json, Slot, make};

    #[expect(clippy::unnecessary_wraps, reason = "the form of a finder")]
    fn find(slot: Slot<'_>, _: Form) -> Result<Option<String>, String> {
        Ok(match slot {
            Slot::Pointer("/repo") => Some("acme/a b%?".into()),
            Slot::Pointer("/at") => Some("2018-04-05T17:31:00Z".into()),
            Slot::Pointer("/empty") => Some(String::new()),
            Slot::Pointer("/evil") => Some("a\r\nb".into()),
            Slot::Note("event") => Some("push".into()),
            _ => None,
        })
    }

    fn of(config: &str) -> Result<Vec<String>, String> {
        let table = Json::read(config).unwrap();
        let made = make(&table, "wh_1".into(), "NOW".into(), &find)?;
        Ok(made
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect())
    }

    #[test]
    fn attributes_are_made_of_the_webhook() {
        let config = r#"{"source":"https://x/{/repo}","type":"com.github.{note:event}","time":"{/at}",
            "subject":"{/repo}","dataschema":"{/none}","extensions":{"partitionkey":"{/repo}","none":"{/none}"}}"#;
        let expected = [
            "specversion=1.0",
            "id=wh_1",
            "source=https://x/acme/a%20b%25%3F",
            "type=com.github.push",
            "time=2018-04-05T17:31:00Z",
            "subject=acme/a b%?",
            "partitionkey=acme/a b%?",
        ];
        assert_eq!(of(config).unwrap(), expected);
    }

    #[test]
    fn a_time_that_is_none_is_when_the_webhook_came() {
        let made = of(r#"{"source":"s","type":"t","time":"{/repo}"}"#).unwrap();
        assert!(made.contains(&"time=NOW".to_owned()));
    }

    #[test]
    fn what_an_event_must_have_is_not_left_out() {
        for (config, name) in [
            (r#"{"source":"{/none}","type":"t"}"#, "source"),
            (r#"{"source":"s","type":"{/empty}"}"#, "type"),
            (r#"{"source":"s","type":"t","id":"{header:x-id}"}"#, "id"),
            (
                r#"{"source":"s","type":"t","subject":"{/evil}"}"#,
                "subject",
            ),
        ] {
            let said = of(config).unwrap_err();
            assert!(said.contains(&format!("`{name}`")), "{said}");
        }
    }
}
