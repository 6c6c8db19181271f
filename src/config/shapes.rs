//! The shapes that a value may take beside serde's own: one or many, text or a secret's whereabouts,
//! anything at all. Written by hand, for derived alternatives forget where a mistake stands.

use std::borrow::Cow;
use std::fmt;

use super::units::Time;
use crate::preset::SecretEncoding;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A name, or a list of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OneOrMany {
    /// What was given.
    pub items: Vec<String>,
    /// Whether it was a list.
    pub listed: bool,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SecretRef {
    /// Where to look.
    pub source: SecretSource,
    /// How its text stands for bytes; none leaves it to the default of the place.
    pub encoding: Option<SecretEncoding>,
    /// Taken off the front before decoding.
    pub prefix: Option<String>,
}

/// Where to look for a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SecretSource {
    /// In an environment variable.
    Env(String),
    /// In a file.
    File(String),
    /// In a file that systemd put into `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// Nowhere: its owner publishes it, and the host fetches it.
    Published(Published),
}

/// Where public keys are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    /// What is there.
    pub what: PublishedKeys,
    /// How often it is fetched anew.
    pub refresh: Option<Time>,
    /// File with the authorities to trust instead of the platform's.
    pub ca: Option<String>,
    /// Whether it may be in a private network.
    pub private: bool,
}

/// In which form public keys are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PublishedKeys {
    /// As a JWK set at this URL.
    Set(String),
    /// As certificates at this host, each where a webhook says.
    Certificates(String),
}

/// Text, or the whereabouts of a secret one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// As written.
    Plain(String),
    /// Elsewhere.
    Secret(SecretRef),
}

/// Any table: read from the document itself by whoever knows what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Free;

const FETCHED_ALONE: &str =
    "a key that is fetched has `jwks` or `certificates` and no other source";

/// What is said where a secret stands in the open.
pub(super) const SECRET_IN_THE_OPEN: &str = "a secret is not written into the file";
/// And what would be right.
pub(super) const SECRET_CURE: &str =
    r#"say where it is: { env = "NAME" }, { file = "PATH" } or { credential = "NAME" }"#;

/// A secret reference as written, before exactly one source is insisted on.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Secret")]
struct Written {
    /// Name of an environment variable.
    env: Option<String>,
    /// Path of a file; one newline at its end is not part of the secret.
    file: Option<String>,
    /// Name of a systemd credential.
    credential: Option<String>,
    /// URL (`https`) of a JWK set with public keys, which is fetched: for `keys` of a plugin.
    jwks: Option<String>,
    /// Host of certificates, such as `sns.*.amazonaws.com`, each at a URL that webhooks name: for `keys`
    /// of presets whose senders do that.
    certificates: Option<String>,
    /// How often the set is fetched anew, 1 minute to 1 day. Default: "1h".
    refresh: Option<Time>,
    /// File with the authorities (PEM) to trust for it instead of the platform's.
    ca: Option<String>,
    /// The set may be at an address of a private network.
    private: Option<bool>,
    /// How the text stands for bytes. Default: that of the preset, else "utf8".
    encoding: Option<SecretEncoding>,
    /// Taken off the front before decoding.
    prefix: Option<String>,
}

impl TryFrom<Written> for SecretRef {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let about_set =
            written.refresh.is_some() || written.ca.is_some() || written.private.is_some();
        let published = match (written.jwks, written.certificates) {
            (Some(url), None) => Some(PublishedKeys::Set(url)),
            (None, Some(host)) => Some(PublishedKeys::Certificates(host)),
            (None, None) => None,
            (Some(_), Some(_)) => return Err(FETCHED_ALONE),
        };
        let source = match (written.env, written.file, written.credential, published) {
            (None, None, None, Some(what)) => {
                if written.encoding.is_some() || written.prefix.is_some() {
                    return Err("what is fetched says itself how its keys are written");
                }
                SecretSource::Published(Published {
                    what,
                    refresh: written.refresh,
                    ca: written.ca,
                    private: written.private.unwrap_or_default(),
                })
            }
            (.., Some(_)) => return Err(FETCHED_ALONE),
            _ if about_set => {
                return Err("`refresh`, `ca` and `private` belong to keys that are fetched");
            }
            (Some(name), None, None, None) => SecretSource::Env(name),
            (None, Some(path), None, None) => SecretSource::File(path),
            (None, None, Some(name), None) => SecretSource::Credential(name),
            _ => return Err("a secret has exactly one of `env`, `file` and `credential`"),
        };
        Ok(Self {
            source,
            encoding: written.encoding,
            prefix: written.prefix,
        })
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whereabouts;
        impl<'de> Visitor<'de> for Whereabouts {
            type Value = SecretRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a table that says where the secret is, such as { env = "NAME" }"#)
            }

            // The text itself must not come near a message.
            fn visit_str<E: de::Error>(self, _: &str) -> Result<SecretRef, E> {
                Err(E::custom(SECRET_IN_THE_OPEN))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretRef, A::Error> {
                Written::deserialize(MapAccessDeserializer::new(map))?
                    .try_into()
                    .map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Whereabouts)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"text in quotes, or where it is, such as { env = "NAME" }"#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::Plain(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(map))?;
                written
                    .try_into()
                    .map(Text::Secret)
                    .map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text in quotes, or a list of such")
            }

            fn visit_str<E: de::Error>(self, one: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany {
                    items: vec![one.to_owned()],
                    listed: false,
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany {
                    items,
                    listed: true,
                })
            }
        }
        deserializer.deserialize_any(Names)
    }
}

impl<'de> Deserialize<'de> for Free {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Free;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Free, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Free)
            }
        }
        deserializer.deserialize_any(Table)
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Written>()
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<Written>();
        json_schema!({ "oneOf": [{ "type": "string" }, secret] })
    }
}

impl JsonSchema for Free {
    fn schema_name() -> Cow<'static, str> {
        "Free".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "description": "The plugin's own configuration. A secret in it is a table: `{ env = \"NAME\" }`." })
    }
}
