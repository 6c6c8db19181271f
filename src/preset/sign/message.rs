//! The bytes that a provider signs: a scheme's template with its parts put in.

use aws_lc_rs::digest;
use http::Uri;
use serde_json::Value;

use super::SignError;
use crate::preset::scheme::Scheme;

/// What a sample has to offer to a template.
pub(super) struct Sample<'a> {
    pub(super) scheme: &'a Scheme,
    pub(super) fields: &'a [(String, String)],
    pub(super) timestamp: &'a str,
    pub(super) method: &'a str,
    /// The URL as the provider has it, without its query.
    pub(super) url: &'a str,
    /// What is asked, name by name.
    pub(super) queries: &'a [(String, String)],
    /// The same as it is sent, without `?`.
    pub(super) query: &'a str,
    pub(super) body: &'a [u8],
    /// The header names that are listed as signed.
    pub(super) listed: &'a str,
}

impl Sample<'_> {
    /// The signed message.
    ///
    /// # Errors
    /// When it has a part that the sample does not.
    pub(super) fn message(&self) -> Result<Vec<u8>, SignError> {
        let template = &self.scheme.signed;
        let mut message = Vec::with_capacity(template.len() + self.body.len());
        let mut rest = template.as_str();
        while let Some((literal, after)) = rest.split_once('{') {
            message.extend_from_slice(literal.as_bytes());
            let (part, after) = after.split_once('}').unwrap_or((after, ""));
            let unknown = || SignError::UnknownPart(part.to_owned());
            match part {
                "body" => message.extend_from_slice(self.body),
                part => message.extend_from_slice(self.text(part).ok_or_else(unknown)?.as_bytes()),
            }
            rest = after;
        }
        message.extend_from_slice(rest.as_bytes());
        Ok(message)
    }

    fn text(&self, part: &str) -> Option<String> {
        Some(match part {
            "timestamp" => self.timestamp.to_owned(),
            "method" => self.method.to_owned(),
            "url" => self.url.to_owned(),
            "path" => self.url.parse::<Uri>().ok()?.path().to_owned(),
            "query" | "escaped-query" if self.query.is_empty() => String::new(),
            "query" => format!("?{}", self.query),
            "form" => form(self.body),
            "listed" => self.values()?,
            "listed-names" => self.listed.to_owned(),
            "crc32" => crc32fast::hash(self.body).to_string(),
            "sha256" => super::hex(digest::digest(&digest::SHA256, self.body).as_ref()),
            part => match part.split_once(':')? {
                ("header", name) => self.header(name)?.to_owned(),
                ("query", name) => {
                    let found = self.queries.iter().find(|(known, _)| known == name);
                    found?.1.clone()
                }
                ("value", name) => self.scheme.values.get(name)?.clone(),
                ("json", pointer) => self.json(pointer)?,
                ("json?", pointer) => self.json(pointer).unwrap_or_default(),
                ("lines", names) => names
                    .split(' ')
                    .filter_map(|name| {
                        Some(format!("{name}\n{}\n", self.json(&format!("/{name}"))?))
                    })
                    .collect(),
                _ => return None,
            },
        })
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        let found = self
            .fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    }

    /// The text at a pointer, in the first element where elements are signed.
    fn json(&self, pointer: &str) -> Option<String> {
        let document: Value = serde_json::from_slice(self.body).ok()?;
        let base = self
            .scheme
            .items
            .as_ref()
            .map_or(String::new(), |items| format!("{items}/0"));
        Some(match document.pointer(&(base + pointer))? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    fn values(&self) -> Option<String> {
        let listed = self.scheme.listed.as_ref()?;
        let values: Option<Vec<_>> = self
            .listed
            .split(&listed.split)
            .map(|name| match listed.named {
                true => Some(format!("{name}:{}", self.header(name)?)),
                false => Some(self.header(name)?.to_owned()),
            })
            .collect();
        Some(values?.join(&listed.join))
    }
}

/// The pairs of a form, decoded, each once, sorted, without anything between them.
fn form(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body).replace('+', " ");
    let mut pairs: Vec<(String, String)> = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (unescape(name), unescape(value)))
        .collect();
    pairs.sort();
    pairs.dedup();
    pairs
        .into_iter()
        .flat_map(|(name, value)| [name, value])
        .collect()
}

fn unescape(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
