//! Templates filled in. Where values come from is an argument, so that nothing here knows a host.

use hookgate_sdk::json::{Json, escape_into};
use hookgate_sdk::slot::{self, Form, Part, Slot};

/// What a slot without a value becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing in a string, `null` as a whole value.
    Empty,
    /// A failure.
    Refuse,
}

/// Fills templates from the values that `find` knows.
#[derive(Debug)]
pub struct Render<F> {
    /// The value of a slot; none when there is none, an error when that cannot be said.
    pub find: F,
    /// What then.
    pub missing: Missing,
}

impl<F> Render<F>
where
    F: Fn(Slot<'_>, Form) -> Result<Option<String>, String>,
{
    /// Appends `template` to a JSON document. Keys are literal.
    ///
    /// # Errors
    /// A sentence for the operator: what is missing or wrong.
    pub fn json(&self, out: &mut String, template: &Json<'_>) -> Result<(), String> {
        match template {
            Json::Text(text) => self.json_text(out, text)?,
            Json::List(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    self.json(out, element)?;
                }
                out.push(']');
            }
            Json::Table(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index == 0 { "\"" } else { ",\"" });
                    escape_into(out, key);
                    out.push_str("\":");
                    self.json(out, value)?;
                }
                out.push('}');
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {
                out.push_str(template.scalar().unwrap_or("null"));
            }
        }
        Ok(())
    }

    /// A string of the document: a value of any kind when it is one slot, else a string.
    fn json_text(&self, out: &mut String, template: &str) -> Result<(), String> {
        if let Some((slot, written)) = slot::only(template) {
            out.push_str(
                self.value(slot, written, Form::Json)?
                    .as_deref()
                    .unwrap_or("null"),
            );
            return Ok(());
        }
        out.push('"');
        self.pieces(template, |piece, _| escape_into(out, piece))?;
        out.push('"');
        Ok(())
    }

    /// `template` as plain text. `put` gets each piece, and whether the sender wrote it.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn pieces(&self, template: &str, mut put: impl FnMut(&str, Origin)) -> Result<(), String> {
        for part in slot::parts(template) {
            match part.map_err(|_| format!("the template `{template}` is wrong"))? {
                Part::Text(text) => put(text, Origin::Operator),
                Part::Slot(slot, written) => {
                    if let Some(value) = self.value(slot, written, Form::Text)? {
                        put(&value, Origin::Sender);
                    }
                }
            }
        }
        Ok(())
    }

    fn value(&self, slot: Slot<'_>, written: &str, form: Form) -> Result<Option<String>, String> {
        let value = (self.find)(slot, form)?;
        if value.is_none() && self.missing == Missing::Refuse {
            return Err(format!("`{{{written}}}` is missing in the webhook"));
        }
        Ok(value)
    }
}

/// Who wrote a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It is in the configuration.
    Operator,
    /// It came with the webhook.
    Sender,
}

#[cfg(test)]
mod tests {
    use super::{Form, Json, Missing, Render, Slot};

    /// What a webhook with this JSON at these pointers and this header holds.
    fn find(slot: Slot<'_>, form: Form) -> Result<Option<String>, String> {
        let json = match slot {
            Slot::Pointer("/name") => r#""a \"b\"\n""#,
            Slot::Pointer("/count") => "42",
            Slot::Pointer("/tags") => r#"["x",{"y":null}]"#,
            Slot::Header("x-id") => r#""7""#,
            _ => return Ok(None),
        };
        let text = match (form, Json::read(json)) {
            (Form::Text, Ok(Json::Text(text))) => text.into_owned(),
            _ => json.to_owned(),
        };
        Ok(Some(text))
    }

    fn json(template: &str, missing: Missing) -> Result<String, String> {
        let mut out = String::new();
        let template = Json::read(template).unwrap();
        Render { find, missing }.json(&mut out, &template)?;
        assert!(Json::read(&out).is_ok(), "{out} is not JSON");
        Ok(out)
    }

    #[test]
    fn a_string_that_is_one_slot_becomes_the_value() {
        let made = json(
            r#"{"n":"{/count}","t":"{/tags}","s":"{/name}","h":"{header:x-id}"}"#,
            Missing::Empty,
        );
        let expected = r#"{"n":42,"t":["x",{"y":null}],"s":"a \"b\"\n","h":"7"}"#;
        assert_eq!(made.unwrap(), expected);
    }

    #[test]
    fn a_value_inside_a_string_is_escaped_text() {
        let made = json(r#"["<{/name}|{/count}>", "{/tags}!"]"#, Missing::Empty);
        assert_eq!(
            made.unwrap(),
            r#"["<a \"b\"\n|42>","[\"x\",{\"y\":null}]!"]"#
        );
    }

    #[test]
    fn what_is_no_template_stays() {
        let made = json(
            r#"{"{/name}":[1.50,true,null,"{{/a}}",""]}"#,
            Missing::Refuse,
        );
        assert_eq!(made.unwrap(), r#"{"{/name}":[1.50,true,null,"{/a}",""]}"#);
    }

    #[test]
    fn a_missing_value_is_empty_or_refused() {
        let template = r#"["{/none}","a{/none}b","{note:none}"]"#;
        assert_eq!(
            json(template, Missing::Empty).unwrap(),
            r#"[null,"ab",null]"#
        );
        let refused = json(template, Missing::Refuse).unwrap_err();
        assert!(refused.contains("`{/none}`"), "{refused}");
    }
}
