//! A captured webhook: a raw request as it was on the wire, or a JSON object.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::message::Fields;

/// What a file holds of a webhook.
#[derive(Debug)]
pub(super) struct Captured {
    pub method: Method,
    /// Path and query, or a whole URL.
    pub uri: Uri,
    pub fields: Fields,
    pub body: Bytes,
    pub received_at: Option<Timestamp>,
    /// What the file made of the webhook, and what was done about it.
    pub remark: Option<String>,
}

/// A webhook as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    method: Option<String>,
    #[serde(alias = "path", alias = "url")]
    target: String,
    /// Names to values, or a list of pairs.
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
    #[serde(default)]
    received_at: Option<Timestamp>,
}

impl Captured {
    /// # Errors
    /// What is wrong with the file, and what would be right.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let start = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        match start {
            Some(b'{') => Self::from_json(bytes),
            Some(_) => Self::from_request(bytes),
            None => Err("the file is empty".to_owned()),
        }
    }

    fn from_json(bytes: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(bytes).map_err(|error| {
            format!(
                "{error}; write {{ \"method\": …, \"target\": …, \"headers\": {{ … }}, \"body\": … }}"
            )
        })?;
        let mut fields = Vec::new();
        let mut add = |name: &str, value: &Value| -> Result<(), String> {
            let texts = match value {
                Value::Array(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            };
            for text in texts {
                let text = text.as_str().ok_or("the value of a header is text")?;
                fields.push(field(name, text.as_bytes())?);
            }
            Ok(())
        };
        match &written.headers {
            Value::Null => {}
            Value::Object(table) => table
                .iter()
                .try_for_each(|(name, value)| add(name, value))?,
            Value::Array(pairs) => pairs.iter().try_for_each(|pair| match pair.as_array() {
                Some(pair) => match pair.as_slice() {
                    [Value::String(name), value] => add(name, value),
                    _ => Err("`headers` is a table, or a list of pairs".to_owned()),
                },
                None => Err("`headers` is a table, or a list of pairs".to_owned()),
            })?,
            _ => return Err("`headers` is a table, or a list of pairs".to_owned()),
        }
        let body = match (written.body, written.body_base64) {
            (Some(text), None) => Bytes::from(text),
            (None, Some(text)) => STANDARD
                .decode(text.trim())
                .map(Bytes::from)
                .map_err(|error| format!("`body_base64`: {error}"))?,
            (None, None) => Bytes::new(),
            (Some(_), Some(_)) => return Err("give one of `body` and `body_base64`".to_owned()),
        };
        let captured = Self::assemble(
            written.method.as_deref().unwrap_or("POST"),
            &written.target,
            fields,
            body,
        )?;
        Ok(Self {
            received_at: written.received_at,
            ..captured
        })
    }

    /// RFC 9112, with either kind of line end: editors and tools differ.
    fn from_request(bytes: &[u8]) -> Result<Self, String> {
        const SHAPE: &str = "a request begins with a line like `POST /github HTTP/1.1`";
        let mut rest = bytes;
        let mut line = || -> Option<&[u8]> {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let (line, after) = rest.split_at_checked(end)?;
            rest = after.get(1..).unwrap_or_default();
            Some(line.strip_suffix(b"\r").unwrap_or(line))
        };
        let first = line().ok_or(SHAPE)?;
        let first = std::str::from_utf8(first).map_err(|_| SHAPE)?;
        let mut words = first.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(SHAPE.to_owned());
        };
        if !version.starts_with("HTTP/") {
            return Err(SHAPE.to_owned());
        }
        let mut fields = Vec::new();
        loop {
            let line =
                line().ok_or("the head does not end: an empty line stands before the body")?;
            if line.is_empty() {
                break;
            }
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = colon
                .and_then(|colon| line.split_at_checked(colon))
                .ok_or_else(|| {
                    format!(
                        "`{}` is not a header field",
                        String::from_utf8_lossy(line).escape_debug()
                    )
                })?;
            let name = std::str::from_utf8(name).map_err(|_| "the name of a field is ASCII")?;
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            fields.push(field(name, value)?);
        }
        let captured = Self::assemble(method, target, fields, Bytes::copy_from_slice(rest))?;
        Ok(captured.cut())
    }

    fn assemble(
        method: &str,
        target: &str,
        fields: Vec<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<Self, String> {
        let method = Method::from_str(method)
            .map_err(|_| format!("`{}` is not a method", method.escape_debug()))?;
        let uri: Uri = target
            .parse()
            .map_err(|_| format!("`{}` is not a path or URL", target.escape_debug()))?;
        Ok(Self {
            method,
            uri,
            fields: fields.into_iter().collect(),
            body,
            received_at: None,
            remark: None,
        })
    }

    /// A body that is longer than it says was saved with something behind it: a newline, as a rule.
    fn cut(mut self) -> Self {
        let length = self.fields.first("content-length");
        let length =
            length.and_then(|value| std::str::from_utf8(value).ok()?.parse::<usize>().ok());
        let Some(length) = length else { return self };
        let has = self.body.len();
        if has > length {
            self.body.truncate(length);
            self.remark = Some(format!(
                "the file has {has} bytes of body and `content-length` says {length}: the rest was left out"
            ));
        } else if has < length {
            self.remark = Some(format!(
                "the file has {has} bytes of body and `content-length` says {length}: it was cut, or its line ends were changed"
            ));
        }
        self
    }
}

fn field(name: &str, value: &[u8]) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = name
        .parse()
        .map_err(|_| format!("`{}` is not the name of a field", name.escape_debug()))?;
    let value = HeaderValue::from_bytes(value)
        .map_err(|_| format!("the value of `{name}` has control characters"))?;
    Ok((parsed, value))
}
