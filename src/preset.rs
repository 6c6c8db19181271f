//! What we know about providers: data files beside this one, read once.
//!
//! A [`Preset`] says how a sender signs, what its retries make of a failure, and how a call of it looks.
//! The `signature` plugin is configured from it, and `hookgate send` signs by the same [`Scheme`].

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::Secret;

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preset {
    /// The word in `preset = "..."`.
    #[serde(skip)]
    pub name: &'static str,
    /// As the provider writes itself.
    pub title: String,
    /// The official page that says all this.
    pub page: String,
    /// What its 2xx should mean, by what it does after a failure.
    pub ack: PresetAck,
    /// How long it waits for an answer, minus a margin; none where it does not say.
    #[serde(
        default,
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    pub deadline: Option<Duration>,
    /// How its secrets are written.
    pub key: KeyFormat,
    /// How it signs.
    pub scheme: Scheme,
    /// How a call of it looks, for `hookgate send`.
    pub send: Send,
}

/// What a sender's 2xx should mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PresetAck {
    /// It retries for days: its own queue is the best buffer.
    Upstream,
    /// It never retries, or gives the subscription up soon: hold what it sent.
    Buffered,
}

/// How a provider writes its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFormat {
    /// How the text stands for bytes.
    pub encoding: SecretEncoding,
    /// Taken off the front, where it is, before decoding.
    #[serde(default)]
    pub prefix: Option<String>,
}

impl KeyFormat {
    /// From the text of a secret to the key.
    ///
    /// # Errors
    /// What the text should have been; never the text.
    pub fn decode(&self, text: &[u8]) -> Result<Secret, &'static str> {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let text = text.strip_prefix(prefix.as_bytes()).unwrap_or(text);
        let bytes = match self.encoding {
            SecretEncoding::Utf8 => Some(text.to_vec()),
            SecretEncoding::Hex => unhex(text),
            SecretEncoding::Base64 => unbase64(text),
        };
        bytes.map(Secret::new).ok_or(match self.encoding {
            SecretEncoding::Utf8 => "text",
            SecretEncoding::Hex => "hex",
            SecretEncoding::Base64 => "base64",
        })
    }

    /// Reads the key that a label names, `env:NAME` or `file:PATH`, from this process's surroundings.
    ///
    /// # Errors
    /// A sentence with the label, never the secret.
    pub fn read(&self, label: &str) -> Result<Secret, String> {
        let text = match label.split_once(':') {
            Some(("env", name)) => std::env::var(name)
                .map_err(|_| format!("environment variable `{name}` is not set"))?
                .into_bytes(),
            Some(("file", path)) => {
                let mut text = std::fs::read(path)
                    .map_err(|error| format!("cannot read `{path}`: {error}"))?;
                // One newline at the end of a file is the editor's.
                text.pop_if(|byte| *byte == b'\n');
                text.pop_if(|byte| *byte == b'\r');
                text
            }
            _ => return Err(format!("`{label}` cannot be read from here")),
        };
        let key = self
            .decode(&text)
            .map_err(|what| format!("the secret of `{label}` is not {what}"))?;
        match key.is_empty() {
            true => Err(format!("the secret of `{label}` is empty")),
            false => Ok(key),
        }
    }
}

fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decode = |alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok();
    decode(&alphabet::STANDARD).or_else(|| decode(&alphabet::URL_SAFE))
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.chunks(2).map(byte).collect()
}

/// How a secret's text stands for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// The bytes of the text are the key.
    Utf8,
    /// Standard or URL-safe, with or without padding.
    Base64,
    /// Two digits for each byte.
    Hex,
}

/// How a sender signs; serialised, it is the configuration of the `signature` plugin, less its keys.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Scheme {
    /// How it is computed.
    pub algorithm: Algorithm,
    /// How the signature is written.
    pub encoding: Encoding,
    /// Where the signature is.
    pub signature: Field,
    /// Where the time of signing is; none where it is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// What is signed: text with `{body}`, `{timestamp}` and `{header:NAME}`.
    pub signed: String,
    /// A call that is answered here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// Where the name of the event is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventName>,
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
        }
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

/// What a timestamp counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Seconds,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
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

/// A header, or part of one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// The header's name.
    pub header: String,
    /// What stands between its parts, if it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// What marks the right part; it is taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// Where the time of signing is, and how old it may be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// The header's name.
    pub header: String,
    /// What stands between its parts, if it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// What marks the right part; it is taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Since the Unix epoch.
    pub unit: Unit,
    /// The greatest distance from the time of arrival, in seconds.
    pub tolerance_s: u64,
    /// Whether a time in the future must be near, too.
    pub direction: Direction,
}

/// A call that is answered here, once its signature was found right.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// Where in the body to look.
    pub pointer: String,
    /// What must be there.
    pub equals: String,
    /// The answer.
    pub respond: Respond,
}

/// The answer to a handshake.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// Where in the body the answer's text is.
    pub pointer: String,
    /// Of the answer.
    pub content_type: String,
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

/// How a call looks beside its signature.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Of the body.
    pub content_type: String,
    /// Headers; `{event}` and `{uuid}` in their values are replaced.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

const FILES: &[(&str, &str)] = &[
    ("github", include_str!("presets/github.toml")),
    ("shopify", include_str!("presets/shopify.toml")),
    ("slack", include_str!("presets/slack.toml")),
    (
        "standard-webhooks",
        include_str!("presets/standard-webhooks.toml"),
    ),
    ("stripe", include_str!("presets/stripe.toml")),
];

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    FILES
        .iter()
        .filter_map(|(name, text)| {
            Some(Preset {
                name,
                ..toml::from_str(text).ok()?
            })
        })
        .collect()
});

/// All presets, by name.
#[must_use]
pub fn all() -> &'static [Preset] {
    &PRESETS
}

/// The preset of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Preset> {
    all().iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use super::{FILES, KeyFormat, Preset, SecretEncoding, all};

    #[test]
    fn every_file_is_a_preset() {
        for (name, text) in FILES {
            let read = toml::from_str::<Preset>(text);
            assert!(read.is_ok(), "{name}: {}", read.unwrap_err());
        }
        assert_eq!(all().len(), FILES.len());
    }

    #[test]
    fn every_scheme_signs_the_body() {
        for preset in all() {
            assert!(preset.scheme.signed.contains("{body}"), "{}", preset.name);
            let timed = preset.scheme.signed.contains("{timestamp}");
            assert_eq!(timed, preset.scheme.timestamp.is_some(), "{}", preset.name);
        }
    }

    #[test]
    fn a_key_is_decoded_as_it_is_declared() {
        let key = |text: &str, encoding, prefix: Option<&str>| {
            let format = KeyFormat {
                encoding,
                prefix: prefix.map(Into::into),
            };
            format
                .decode(text.as_bytes())
                .map(|key| key.expose().to_vec())
        };
        let hi = Ok(b"hi".to_vec());

        assert_eq!(
            key("whsec_aGk=", SecretEncoding::Base64, Some("whsec_")),
            hi
        );
        assert_eq!(
            key("aGk", SecretEncoding::Base64, Some("whsec_")),
            hi,
            "prefix and padding are optional"
        );
        assert_eq!(
            key("whsec_aGk", SecretEncoding::Utf8, None),
            Ok(b"whsec_aGk".to_vec())
        );
        assert_eq!(key("6869", SecretEncoding::Hex, None), hi);
        assert_eq!(key("686", SecretEncoding::Hex, None), Err("hex"));
        assert_eq!(key("+68", SecretEncoding::Hex, None), Err("hex"));
        assert_eq!(key("a b", SecretEncoding::Base64, None), Err("base64"));
    }
}
