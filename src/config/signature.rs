//! The `with` of the bundled plugin `signature`: a preset, what differs from it, and the keys.
//!
//! The host knows this one table because it holds what the guest must not: how the text of a secret
//! becomes a key. The rest is expanded to the JSON that the guest reads.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::document::{Document, Place};
use super::keys::{KeyList, confirmation};
use super::problem::{Problem, Problems};
use super::secrets::{Lookup, TEXT};
use super::units::Time;
use super::with::Keys;
use super::words;
use crate::fetch::Confirmation;
use crate::preset::{
    self, Algorithm, Condition, Direction, Encoding, EventName, Field, Handshake, Listed, Preset,
    Scheme, Timestamp, Unit, Variant,
};

/// The plugin that this is about.
pub(super) const NAME: &str = "signature";

/// The name of its keys, in the guest's configuration and in the log.
pub(super) const KEYS: &str = "keys";

/// The name of the other secret, which some providers show in their handshake.
const VERIFY_TOKEN: &str = "verify_token";

/// Most senders who sign a time ask for five minutes.
const TOLERANCE_S: u64 = 300;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct With {
    preset: Option<String>,
    keys: Option<KeyList>,
    verify_token: Option<KeyList>,
    confirm: Option<bool>,
    algorithm: Option<Algorithm>,
    encoding: Option<Encoding>,
    signature: Option<Field>,
    timestamp: Option<Moment>,
    signed: Option<String>,
    body_unsigned: Option<bool>,
    items: Option<String>,
    listed: Option<Listed>,
    url_decode: Option<String>,
    any_port: Option<bool>,
    values: Option<BTreeMap<String, String>>,
    require: Option<Vec<Condition>>,
    variants: Option<Vec<Variant>>,
    handshakes: Option<Vec<Handshake>>,
    event: Option<EventName>,
}

/// What differs in [`Timestamp`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moment {
    header: Option<String>,
    pointer: Option<String>,
    separator: Option<String>,
    prefix: Option<String>,
    unit: Option<Unit>,
    tolerance: Option<Time>,
    direction: Option<Direction>,
}

/// What the guest reads, the keys it names, and where the rest of the route's defaults come from.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub json: Value,
    pub keys: Keys,
    pub scheme: Option<Scheme>,
    pub preset: Option<&'static Preset>,
    /// What the sender may have us confirm.
    pub confirmation: Option<Confirmation>,
}

/// Reads and expands the table at `place`; `step` is where it should have been.
pub(super) fn expand(
    document: &mut Document<'_>,
    step: &Place,
    lookup: Lookup<'_>,
    problems: &mut Problems,
) -> Expanded {
    let place = step.key("with");
    let with: With = match document.has(&place) {
        true => document.read(&place, problems).unwrap_or_default(),
        false => With::default(),
    };
    let preset = with.preset.as_ref().and_then(|name| {
        let found = preset::find(name);
        if found.is_none() {
            let names = preset::all().iter().map(|preset| preset.name);
            let problem = Problem::error(
                document.value(&place.key("preset")),
                format!("there is no preset `{name}`"),
            );
            problems.push(problem.help(words::cure(name, names, "presets")));
        }
        found
    });
    let mut keys = keys(&with, preset, document, &place, lookup, problems);
    let confirmation = match with.confirm {
        Some(true) => confirmation(preset, &keys, document, &place, problems),
        Some(false) | None => None,
    };
    let known = with.preset.is_none() || preset.is_some();
    let token = with.verify_token.as_ref().map(|token| {
        let at = place.key(VERIFY_TOKEN);
        token.read((&TEXT, None), document, &at, lookup, problems)
    });
    let mut scheme = match known {
        true => scheme(
            with,
            preset.map(|preset| &preset.scheme),
            document,
            &place,
            problems,
        ),
        false => None,
    };
    if let (Some(scheme), Some(_)) = (&mut scheme, &confirmation) {
        // What the operator is told to do otherwise.
        scheme.handshakes.iter_mut().for_each(|one| one.log = None);
    }
    if let Some(scheme) = &scheme {
        complete(scheme, token.is_some(), document, &place, problems);
    }
    if let Some(token) = token {
        keys.insert(VERIFY_TOKEN.to_owned(), token);
    }
    Expanded {
        json: scheme.as_ref().map(json).unwrap_or_default(),
        keys,
        scheme,
        preset,
        confirmation,
    }
}

/// What the guest reads of a scheme.
pub(super) fn json(scheme: &Scheme) -> Value {
    let mut json = serde_json::to_value(scheme).unwrap_or_default();
    if let Value::Object(table) = &mut json {
        table.insert(KEYS.to_owned(), KEYS.into());
    }
    json
}

/// What a scheme asks of its operator beside the keys.
fn complete(
    scheme: &Scheme,
    has_token: bool,
    document: &Document<'_>,
    place: &Place,
    problems: &mut Problems,
) {
    let missing = scheme.missing_values();
    if !missing.is_empty() && !document.is_broken(&place.key("values")) {
        let example: Vec<_> = missing
            .iter()
            .map(|name| format!("{name} = \"...\""))
            .collect();
        let message = format!("`signature` is not told {}", words::listed(&missing));
        let problem = Problem::error(document.value(place), message);
        problems.push(problem.help(format!("add values = {{ {} }}", example.join(", "))));
    }
    let at = place.key(VERIFY_TOKEN);
    match scheme.token() {
        Some(_) if !has_token && !document.is_broken(&at) => {
            let problem = Problem::error(
                document.value(place),
                "`signature` has no token to compare in the handshake",
            );
            problems.push(problem.help(r#"add verify_token = { env = "NAME" }"#));
        }
        None if has_token => {
            let problem = Problem::error(
                document.key(&at),
                "no handshake of this scheme compares a token",
            );
            problems.push(problem.help("take it away"));
        }
        _ => {}
    }
}

fn keys(
    with: &With,
    preset: Option<&Preset>,
    document: &Document<'_>,
    place: &Place,
    lookup: Lookup<'_>,
    problems: &mut Problems,
) -> Keys {
    let place = place.key(KEYS);
    let format = (
        preset.map_or(&TEXT, |preset| &preset.key),
        preset.and_then(|preset| preset.certificate.as_ref()),
    );
    let none = with.keys.as_ref().is_none_or(KeyList::is_empty);
    if none && !document.is_broken(&place) {
        let problem = Problem::error(
            document.value(&place),
            "`signature` has no keys to check with",
        );
        problems.push(problem.help(r#"add keys = [{ env = "NAME" }], or { file = "PATH" }"#));
    }
    let empty = KeyList::default();
    let list = with.keys.as_ref().unwrap_or(&empty);
    let found = list.read(format, document, &place, lookup, problems);
    Keys::from([(KEYS.to_owned(), found)])
}

fn scheme(
    with: With,
    base: Option<&Scheme>,
    document: &Document<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Scheme> {
    let signature = signature(with.signature.unwrap_or_default(), base);
    let algorithm = with.algorithm.or_else(|| base.map(|base| base.algorithm));
    let encoding = with
        .encoding
        .or_else(|| base.and_then(|base| base.encoding));
    let mut missing = Vec::new();
    for (is_there, name) in [
        (algorithm.is_some(), "algorithm"),
        (
            encoding.is_some() || algorithm == Some(Algorithm::Token),
            "encoding",
        ),
        (
            signature.header.is_some() || signature.query.is_some() || signature.pointer.is_some(),
            "signature.header",
        ),
    ] {
        let at = name
            .split('.')
            .fold(place.clone(), |place, key| place.key(key));
        if !is_there && !document.is_broken(&at) {
            missing.push(name);
        }
    }
    if !missing.is_empty() {
        let message = format!("`signature` is not told {}", words::listed(&missing));
        let problem = Problem::error(document.value(place), message);
        problems.push(
            problem.help(r#"name a preset, as in preset = "github", or describe the whole scheme"#),
        );
        return None;
    }
    let timestamp = timestamp(with.timestamp, base, document, place, problems);
    let signed = with
        .signed
        .or_else(|| base.map(|base| base.signed.clone()))
        .unwrap_or_else(|| match timestamp {
            Some(_) => "{timestamp}.{body}".to_owned(),
            None => "{body}".to_owned(),
        });
    let base = base.cloned();
    Some(Scheme {
        algorithm: algorithm?,
        encoding,
        signature,
        timestamp,
        signed,
        body_unsigned: with
            .body_unsigned
            .unwrap_or_else(|| base.as_ref().is_some_and(|base| base.body_unsigned)),
        any_port: with
            .any_port
            .unwrap_or_else(|| base.as_ref().is_some_and(|base| base.any_port)),
        items: with.items.or_else(|| base.as_ref()?.items.clone()),
        listed: with.listed.or_else(|| base.as_ref()?.listed.clone()),
        url_decode: with
            .url_decode
            .or_else(|| Some(base.as_ref()?.url_decode.clone()))
            .unwrap_or_default(),
        values: with.values.unwrap_or_default(),
        require: with
            .require
            .or_else(|| Some(base.as_ref()?.require.clone()))
            .unwrap_or_default(),
        variants: with
            .variants
            .or_else(|| Some(base.as_ref()?.variants.clone()))
            .unwrap_or_default(),
        handshakes: with
            .handshakes
            .or_else(|| Some(base.as_ref()?.handshakes.clone()))
            .unwrap_or_default(),
        event: with.event.or_else(|| base.as_ref()?.event.clone()),
    })
}

/// A place that is written replaces the preset's; what is said of its parts differs one by one.
fn signature(with: Field, base: Option<&Scheme>) -> Field {
    let Some(base) = base.map(|base| &base.signature) else {
        return with;
    };
    let elsewhere = with.header.is_some() || with.query.is_some() || with.pointer.is_some();
    let place = if elsewhere { &with } else { base };
    Field {
        header: place.header.clone(),
        query: place.query.clone(),
        pointer: place.pointer.clone(),
        separator: with.separator.or_else(|| base.separator.clone()),
        prefix: with.prefix.or_else(|| base.prefix.clone()),
        numbered: with.numbered || base.numbered,
    }
}

fn timestamp(
    with: Option<Moment>,
    base: Option<&Scheme>,
    document: &Document<'_>,
    place: &Place,
    problems: &mut Problems,
) -> Option<Timestamp> {
    let base = base.and_then(|base| base.timestamp.as_ref());
    let Some(with) = with else {
        return base.cloned();
    };
    let place = place.key("timestamp");
    let (header, pointer) = match (with.header, with.pointer) {
        (None, None) => (
            base.and_then(|base| base.header.clone()),
            base.and_then(|base| base.pointer.clone()),
        ),
        written => written,
    };
    if header.is_none() && pointer.is_none() && !document.is_broken(&place.key("header")) {
        let problem = Problem::error(
            document.value(&place),
            "the timestamp has no `header` to be read from",
        );
        problems.push(problem.help(r#"add header = "NAME""#));
        return None;
    }
    if with
        .tolerance
        .is_some_and(|tolerance| tolerance.0.as_secs() == 0)
    {
        let at = document.value(&place.key("tolerance"));
        problems.push(
            Problem::error(
                at,
                "a tolerance of less than a second refuses every webhook",
            )
            .help(r#"most senders ask for "5m""#),
        );
    }
    Some(Timestamp {
        header,
        pointer,
        separator: with
            .separator
            .or_else(|| base.and_then(|base| base.separator.clone())),
        prefix: with
            .prefix
            .or_else(|| base.and_then(|base| base.prefix.clone())),
        unit: with
            .unit
            .or_else(|| base.map(|base| base.unit))
            .unwrap_or(Unit::Seconds),
        tolerance_s: with
            .tolerance
            .map(|tolerance| tolerance.0.as_secs())
            .or_else(|| base.map(|base| base.tolerance_s))
            .unwrap_or(TOLERANCE_S),
        direction: with
            .direction
            .or_else(|| base.map(|base| base.direction))
            .unwrap_or(Direction::Both),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Lookup, Place, expand};
    use crate::config::document::Document;
    use crate::config::problem::Problems;
    use crate::config::with::Origin;

    #[test]
    fn what_is_written_overrides_the_preset_one_value_at_a_time() {
        let text = r#"with = { preset = "stripe", keys = { env = "K" }, timestamp = { tolerance = "10m" } }"#;
        let mut problems = Problems::default();
        let mut document = Document::parse(text, &mut problems).unwrap();
        let environment = |_: &str| Some("whsec_x".to_owned());
        let lookup = Lookup {
            base: Path::new(""),
            environment: &environment,
        };

        let expanded = expand(&mut document, &Place::root(), lookup, &mut problems);

        assert_eq!(problems.errors(), 0);
        assert_eq!(
            expanded.json,
            serde_json::json!({
                "keys": "keys", "algorithm": "hmac-sha256", "encoding": "hex",
                "signature": { "header": "stripe-signature", "separator": ",", "prefix": "v1=" },
                "timestamp": {
                    "header": "stripe-signature", "separator": ",", "prefix": "t=",
                    "unit": "s", "tolerance_s": 600, "direction": "past",
                },
                "signed": "{timestamp}.{body}",
                "event": { "pointer": "/type" },
            })
        );
        let Origin::Here(found) = &expanded.keys["keys"][0].found else {
            panic!("nothing is published");
        };
        assert_eq!(found.secret.expose(), b"whsec_x");
    }
}
