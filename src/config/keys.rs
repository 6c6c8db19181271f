//! The keys of the bundled plugin `signature` as they are written, and what may be confirmed where its
//! certificates are.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::document::{Document, Place};
use super::problem::{Problem, Problems};
use super::secrets::Lookup;
use super::shapes::{SECRET_IN_THE_OPEN, SecretRef};
use super::with::{KeyFound, Keys, Origin};
use crate::fetch::{Confirmation, Settings, What};
use crate::preset::{Certificate, KeyFormat, Preset};

/// One secret or several, all of them active.
#[derive(Debug, Default)]
pub(super) struct KeyList(Vec<(Option<usize>, SecretRef)>);

impl KeyList {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Looks all of them up; `place` is where the list stands.
    pub(super) fn read(
        &self,
        format: (&KeyFormat, Option<&Certificate>),
        document: &Document<'_>,
        place: &Place,
        lookup: Lookup<'_>,
        problems: &mut Problems,
    ) -> Vec<KeyFound> {
        let mut found = Vec::new();
        for (index, secret) in &self.0 {
            let span =
                document.value(&index.map_or_else(|| place.clone(), |index| place.index(index)));
            if let Some(secret) = lookup.key(secret, format, &span, problems) {
                found.push(KeyFound {
                    found: secret,
                    span,
                });
            }
        }
        found
    }
}

/// What a preset's sender asks to have confirmed, where its certificates are.
pub(super) fn confirmation(
    preset: Option<&Preset>,
    keys: &Keys,
    document: &Document<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Confirmation> {
    let span = document.value(&place.key("confirm"));
    let Some(confirm) = preset.and_then(|preset| preset.confirm.as_ref()) else {
        let what = "this sender asks for no call that would confirm anything";
        problems.push(Problem::error(span, what).help("take it away; it is for the preset `sns`"));
        return None;
    };
    let mut published = keys.values().flatten().filter_map(|key| match &key.found {
        Origin::Published(settings) => Some(settings),
        Origin::Here(_) => None,
    });
    let is_there = |settings: &&Settings| matches!(settings.what, What::Certificates(_));
    let Some(settings) = published.find(is_there) else {
        let problem = Problem::error(
            span,
            "nobody says at which host subscriptions are confirmed",
        );
        problems.push(problem.help(r#"write keys = { certificates = "sns.*.amazonaws.com" }"#));
        return None;
    };
    Some(Confirmation {
        when: (confirm.pointer.clone(), confirm.equals.clone()),
        url: confirm.url.clone(),
        settings: settings.clone(),
    })
}

impl<'de> Deserialize<'de> for KeyList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Secrets;
        impl<'de> Visitor<'de> for Secrets {
            type Value = KeyList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a list that says where the secrets are, such as [{ env = "NAME" }]"#)
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<KeyList, E> {
                Err(E::custom(SECRET_IN_THE_OPEN))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeyList, A::Error> {
                SecretRef::deserialize(MapAccessDeserializer::new(map))
                    .map(|secret| KeyList(vec![(None, secret)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<KeyList, A::Error> {
                let mut secrets = Vec::new();
                while let Some(secret) = list.next_element()? {
                    secrets.push((Some(secrets.len()), secret));
                }
                Ok(KeyList(secrets))
            }
        }
        deserializer.deserialize_any(Secrets)
    }
}
