//! Golden webhooks: what a verifier says is authentic, with keys of its own making, so that the host
//! can find out what it says about forgeries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Key, Keyring};
use crate::secret::Secret;

/// One for each shape of a signature is plenty.
const GOLDENS_MAX: usize = 16;

/// A webhook that its verifier accepts, and what a forger cannot change about it.
#[derive(Clone, Debug)]
pub struct Golden {
    /// For the operator.
    pub name: Box<str>,
    /// As on the wire.
    pub method: Method,
    /// Path and query.
    pub target: PathAndQuery,
    /// In order.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// Raw.
    pub body: Bytes,
    /// When it arrived, in milliseconds since the Unix epoch.
    pub received_at_ms: u64,
    /// Where the sender believes to call.
    pub public_url: Option<Arc<str>>,
    /// The keys that signed it, under the names that the configuration gives them.
    pub keys: Keyring,
    /// Where the signature is.
    pub place: Place,
    /// The text there that is the signature.
    pub signature: Box<str>,
    /// What the signature covers.
    pub covers: Covers,
}

/// Where a signature is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In this field.
    Header(HeaderName),
    /// In this parameter of the query, escaped as it is there.
    Query(Box<str>),
    /// In the body, which is JSON: the signature is all of a text, or its end.
    Body,
}

/// What a forger cannot change without being noticed. Signature and key always belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covers {
    /// The body.
    pub body: bool,
    /// How old the webhook is.
    pub past: bool,
    /// That it is not from the future.
    pub future: bool,
}

impl Covers {
    /// Everything: what is said of a scheme that says nothing else.
    pub const ALL: Self = Self {
        body: true,
        past: true,
        future: true,
    };
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    webhooks: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default = "post")]
    method: String,
    #[serde(default = "root")]
    target: String,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Encoded,
    received_at_ms: u64,
    public_url: Option<String>,
    keys: BTreeMap<String, Vec<Encoded>>,
    signature: Signature,
    covers: Option<Vec<Covered>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    header: String,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Covered {
    Body,
    Past,
    Future,
}

/// Bytes as text, or in base64.
#[derive(Deserialize)]
#[serde(untagged)]
enum Encoded {
    Text(String),
    Base64 { base64: String },
}

impl Default for Encoded {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

fn post() -> String {
    "POST".into()
}

fn root() -> String {
    "/".into()
}

/// The golden webhooks of a document.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence about the plugin.
pub(super) fn read(document: &str) -> Result<Vec<Golden>, String> {
    let document: Document = serde_json::from_str(document)
        .map_err(|error| format!("its golden webhooks cannot be read: {error}"))?;
    match document.webhooks.len() {
        0 => Err("it has no golden webhook".into()),
        1..=GOLDENS_MAX => document.webhooks.into_iter().map(Written::read).collect(),
        many => Err(format!(
            "it has {many} golden webhooks; {GOLDENS_MAX} are the most"
        )),
    }
}

impl Written {
    fn read(self) -> Result<Golden, String> {
        let name = self.name.escape_debug().to_string();
        let wrong = |what: &str| format!("its golden webhook `{name}` {what}");
        let field = |(name, value): (String, String)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::try_from(value).ok()?))
        };
        let fields: Option<Vec<_>> = self.headers.into_iter().map(field).collect();
        let fields = fields.ok_or_else(|| wrong("has a header field that is none"))?;
        let header = HeaderName::from_bytes(self.signature.header.as_bytes())
            .map_err(|_invalid| wrong("has its signature in a header field that is none"))?;
        let signature = self.signature.text;
        let is_there = fields.iter().any(|(field, value)| {
            let value = value.to_str().unwrap_or_default();
            *field == header && value.contains(&signature)
        });
        if signature.is_empty() || !is_there {
            return Err(wrong("does not have its signature where it says"));
        }
        let keys = self.keys.into_iter().map(|(name, active)| {
            let key =
                |bytes: Encoded| Some(Arc::new(Key::new("golden", Secret::new(bytes.decode()?))));
            Some((
                name.into(),
                active.into_iter().map(key).collect::<Option<_>>()?,
            ))
        });
        let covers = self.covers.map_or(Covers::ALL, |covered| Covers {
            body: covered.contains(&Covered::Body),
            past: covered.contains(&Covered::Past),
            future: covered.contains(&Covered::Future),
        });
        Ok(Golden {
            method: Method::from_bytes(self.method.as_bytes())
                .map_err(|_invalid| wrong("has a method that is none"))?,
            target: PathAndQuery::try_from(self.target)
                .map_err(|_invalid| wrong("has a target that is none"))?,
            fields,
            body: self
                .body
                .decode()
                .ok_or_else(|| wrong("has a body that is not base64"))?
                .into(),
            received_at_ms: self.received_at_ms,
            public_url: self.public_url.map(Into::into),
            keys: keys
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("has a key that is not base64"))?,
            place: Place::Header(header),
            signature: signature.into(),
            covers,
            name: name.into(),
        })
    }
}

impl Encoded {
    fn decode(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Base64 { base64 } => STANDARD.decode(base64).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"webhooks": [{"name": "push", "headers": [["x-sig", "v1=abc"]],
        "body": {"base64": "aGk="}, "received_at_ms": 7, "keys": {"main": ["k", {"base64": "AAE="}]},
        "signature": {"header": "X-Sig", "text": "abc"}, "covers": ["body"]}]}"#;

    #[test]
    fn a_golden_webhook_is_read() {
        let golden = read(GOOD).unwrap().remove(0);

        assert_eq!((&*golden.name, &*golden.signature), ("push", "abc"));
        assert_eq!((golden.method, golden.target.as_str()), (Method::POST, "/"));
        assert_eq!((&*golden.body, golden.received_at_ms), (&b"hi"[..], 7));
        assert_eq!(golden.place, Place::Header("x-sig".parse().unwrap()));
        let keys: Vec<&[u8]> = golden.keys["main"].iter().map(|k| k.expose()).collect();
        assert_eq!(keys, [&b"k"[..], &[0, 1]]);
        let body = Covers {
            past: false,
            future: false,
            ..Covers::ALL
        };
        assert_eq!(golden.covers, body);
        let strict = GOOD.replace(r#", "covers": ["body"]"#, "");
        assert_eq!(read(&strict).unwrap()[0].covers, Covers::ALL);
    }

    #[test]
    fn one_that_cannot_be_used_says_why() {
        for (from, to, why) in [
            (
                r#""text": "abc""#,
                r#""text": "abd""#,
                "does not have its signature where it says",
            ),
            (
                r#""text": "abc""#,
                r#""text": """#,
                "does not have its signature where it says",
            ),
            (
                "X-Sig",
                "X Sig",
                "has its signature in a header field that is none",
            ),
            ("x-sig", "x sig", "has a header field that is none"),
            ("aGk=", "?", "has a body that is not base64"),
            ("AAE=", "?", "has a key that is not base64"),
        ] {
            let error = read(&GOOD.replace(from, to)).unwrap_err();
            assert_eq!(error, format!("its golden webhook `push` {why}"));
        }
        let unread = read(&GOOD.replace("covers", "cover")).unwrap_err();
        assert!(
            unread.starts_with("its golden webhooks cannot be read: unknown field `cover`"),
            "{unread}"
        );
        assert_eq!(
            read(r#"{"webhooks": []}"#).unwrap_err(),
            "it has no golden webhook"
        );
    }
}
