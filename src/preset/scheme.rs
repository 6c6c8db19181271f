//! How a sender signs, as data: what the `signature` plugin reads, and `hookgate send` signs by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a sender signs; serialised, it is the configuration of the `signature` plugin, less its keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// How it is computed.
    pub algorithm: Algorithm,
    /// How the signature is written; none where it is the secret itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// Where the signature is.
    pub signature: Field,
    /// Where the time of signing is; none where it is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// What is signed: a template; the plugin's description names its slots.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signed: String,
    /// The signature does not cover all of the body, and everybody knows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub body_unsigned: bool,
    /// Pointer to an array in the body whose elements are signed one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<String>,
    /// Header names that the sender lists as signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Listed>,
    /// Characters whose escapes the sender undoes in the URL before it signs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url_decode: String,
    /// The URL is signed with its port or without.
    #[serde(default, skip_serializing_if = "is_false")]
    pub any_port: bool,
    /// What only the operator knows: `{value:NAME}` in a template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
    /// What has to hold beside the signature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Condition>,
    /// Other ways of signing, by what the webhook looks like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
    /// Calls that are answered here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handshakes: Vec<Handshake>,
    /// Where the name of the event is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventName>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Scheme {
    /// Whether a template says this.
    #[must_use]
    pub fn names(&self, slot: &str) -> bool {
        self.templates().any(|template| template.contains(slot))
    }

    /// The slots `{value:NAME}` that nobody has filled.
    #[must_use]
    pub fn missing_values(&self) -> Vec<&str> {
        let mut missing: Vec<&str> = self
            .templates()
            .flat_map(|template| template.split("{value:").skip(1))
            .filter_map(|after| after.split_once('}'))
            .map(|(name, _)| name)
            .filter(|name| !self.values.contains_key(*name))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// Whether a MAC is made for an answer.
    #[must_use]
    pub fn makes_macs(&self) -> bool {
        self.handshakes
            .iter()
            .any(|handshake| handshake.mac.is_some())
    }

    /// The first handshake that compares a token of its own.
    #[must_use]
    pub fn token(&self) -> Option<&Token> {
        self.handshakes
            .iter()
            .find_map(|handshake| handshake.token.as_ref())
    }

    /// The methods of its handshakes, beside `POST`.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.handshakes
            .iter()
            .flat_map(|handshake| &handshake.when)
            .filter_map(|condition| condition.method.as_deref())
            .filter(|method| *method != "POST")
    }

    /// Whether a proof stands in the body, where a change of the body may leave it right.
    #[must_use]
    pub fn is_in_body(&self) -> bool {
        self.signature.pointer.is_some()
    }

    /// Whether a change of the body, whatever it is, makes the signature a wrong one.
    #[must_use]
    pub fn covers_body(&self) -> bool {
        !self.body_unsigned && self.algorithm != Algorithm::Token
    }

    fn templates(&self) -> impl Iterator<Item = &str> {
        let signed = std::iter::once(self.signed.as_str());
        let of_variants = self.variants.iter().flat_map(|variant| {
            variant
                .when
                .iter()
                .chain(&variant.require)
                .filter_map(|condition| condition.equals.as_deref())
                .chain(variant.signed.as_deref())
        });
        let required = self
            .require
            .iter()
            .filter_map(|condition| condition.equals.as_deref());
        let of_handshakes = self.handshakes.iter().flat_map(|handshake| {
            handshake
                .when
                .iter()
                .chain(&handshake.require)
                .filter_map(|condition| condition.equals.as_deref())
                .chain([handshake.body.as_str()])
                .chain(handshake.log.as_deref())
                .chain(handshake.mac.as_ref().map(|mac| mac.message.as_str()))
        });
        signed
            .chain(of_variants)
            .chain(required)
            .chain(of_handshakes)
    }
}

/// How a signature is computed, in the words of the contract's `crypto.verify`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// For old senders only.
    HmacSha1,
    /// What nearly everybody uses.
    HmacSha256,
    /// The same with a longer digest.
    HmacSha384,
    /// The same with the longest digest.
    HmacSha512,
    /// 32 raw bytes of public key.
    Ed25519,
    /// A public key in SPKI, DER or PEM.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// For old senders only. A public key in SPKI, DER or PEM.
    #[serde(rename = "rsa-v1_5-sha1")]
    RsaSha1,
    /// A public key in SPKI, DER or PEM.
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaSha256,
    /// None: the sender shows the secret itself, so nothing of the webhook is covered.
    Token,
}

impl Algorithm {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::RsaSha1 => "rsa-v1_5-sha1",
            Self::RsaSha256 => "rsa-v1_5-sha256",
            Self::Token => "token",
        }
    }

    /// Whether a key has to be of a form; any text may be a token.
    #[must_use]
    pub fn asks_of_keys(self) -> bool {
        self != Self::Token
    }
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Two digits for each byte, in either case.
    Hex,
    /// With or without padding.
    Base64,
    /// With `-` and `_`.
    Base64url,
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Unit {
    /// Seconds since the Unix epoch.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds since the Unix epoch.
    #[serde(rename = "ms")]
    Milliseconds,
    /// As RFC 3339 says.
    #[serde(rename = "rfc3339")]
    Rfc3339,
}

/// Which side of the arrival is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// A time in the future is taken as it is.
    Past,
    /// Too far in the future is refused, too.
    Both,
}

/// A header or part of one, a query parameter, or a value in the body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The header's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The query parameter's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Where it is in the JSON of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What stands between its parts, if it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// What marks the right part; it is taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The headers `NAME-1`, `NAME-2`, ... are one list.
    #[serde(default, skip_serializing_if = "is_false")]
    pub numbered: bool,
}

/// Where the time of signing is, and how old it may be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// The header's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Where it is in the JSON of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What stands between its parts, if it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// What marks the right part; it is taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How it is written.
    pub unit: Unit,
    /// The greatest distance from the time of arrival, in seconds.
    pub tolerance_s: u64,
    /// Whether a time in the future must be near, too.
    pub direction: Direction,
}

/// Header names that the sender lists as signed: `{listed}` are their values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// The header that has the list.
    pub header: String,
    /// What stands between its parts, if it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// What marks the right part; it is taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What stands between the names.
    pub split: String,
    /// What stands between the values in the message.
    pub join: String,
    /// Whether each value follows its name and a colon.
    #[serde(default, skip_serializing_if = "is_false")]
    pub named: bool,
}

/// Something that is so or not: the method, or a text that is there, is equal or is of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// A query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// A value in the JSON of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// A template of what it must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    /// It must be an `https` URL of this host, in which `*` is one label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// Another way of signing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// When it is meant; all of them.
    pub when: Vec<Condition>,
    /// How it is computed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// What is signed then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<String>,
    /// What has to hold then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Condition>,
}

/// A call that is answered here.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// When it is one; all of them.
    pub when: Vec<Condition>,
    /// Whether it is answered only with a right signature.
    #[serde(default = "yes")]
    pub signed: bool,
    /// What has to hold before it is answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<Condition>,
    /// What must equal a secret of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Token>,
    /// What `{mac}` in the answer is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// What the operator is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Of the answer.
    #[serde(default = "ok")]
    pub status: u16,
    /// Of the answer.
    #[serde(default = "plain")]
    pub content_type: String,
    /// The answer: a template; in JSON its slots are escaped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

fn yes() -> bool {
    true
}

fn ok() -> u16 {
    200
}

fn plain() -> String {
    "text/plain".to_owned()
}

/// A token that must equal a secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The query parameter that has it.
    pub query: String,
    /// The secret's name in `with`.
    pub key: String,
}

/// A MAC for an answer, made with the first of the keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mac {
    /// Template of its message, which must be a token: letters, digits and `-_~+/=`.
    pub message: String,
    /// How it is written.
    pub encoding: Encoding,
}

/// Where the name of the event is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventName {
    /// In this header.
    Header(String),
    /// In the body.
    Pointer(String),
}
