//! Golden webhooks for the bundled verifiers: what is authentic under the route's own configuration,
//! signed with keys that are made up here. The route's keys sign nothing.
//!
//! A golden webhook is worth nothing by itself: the forgeries of it are what the verifier is asked
//! about when it is loaded (`forgeries.rs`).

mod jwt;
mod pair;
mod scheme;
mod shown;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use std::sync::Arc;

use self::pair::Pair;
use super::signature;
use crate::plugin::{Covers, Golden, Key, Keyring, Place};
use crate::preset::{Preset, Scheme};
use crate::secret::Secret;

/// When they arrive, in milliseconds since the Unix epoch: any moment does.
const ARRIVAL_MS: u64 = 1_767_225_600_000;
const BODY: &str = r#"{"golden":true}"#;
const PATH: &str = "/golden";
const URL: &str = "https://hooks.example.com/golden";

/// What to do about a way of signing that nobody can try.
pub(super) const HELP: &str =
    "so nothing shows that its forgeries are refused; try some with `hookgate explain`";

/// A verifier as it is configured on a route.
pub(super) struct Subject<'a> {
    /// The plugin.
    pub name: &'a str,
    /// What it reads.
    pub config: &'a Value,
    /// How the sender signs, of `signature`.
    pub scheme: Option<&'a Scheme>,
    /// Who the sender is, of `signature`.
    pub preset: Option<&'static Preset>,
}

/// What could be made.
#[derive(Default)]
pub(super) struct Goldens {
    pub made: Vec<Golden>,
    pub untried: Vec<Untried>,
}

/// A way of signing of which no golden webhook can be made.
pub(super) struct Untried {
    /// Which, and why.
    pub what: String,
    pub help: &'static str,
}

/// The golden webhooks of a bundled verifier; none for a plugin that has to bring its own.
pub(super) fn of(subject: &Subject<'_>) -> Goldens {
    let one = |golden: Option<Golden>| Goldens {
        made: golden.into_iter().collect(),
        untried: Vec::new(),
    };
    match (subject.name, subject.scheme) {
        (signature::NAME, Some(scheme)) => scheme::goldens(scheme, subject.preset),
        ("token", _) => one(shown::token(subject.config)),
        ("basic-auth", _) => one(shown::basic(subject.config)),
        ("jwt", _) => one(jwt::golden(subject.config)),
        _ => Goldens::default(),
    }
}

/// Where a proof stands in a header or a query, and what is written there around it.
struct Shown<'a> {
    place: Place,
    value: &'a str,
    proof: &'a str,
}

/// A webhook with a proof in a header or in the query, under the key of that name.
fn golden(name: &str, shown: &Shown<'_>, key: &str, pair: &Pair, covers: Covers) -> Option<Golden> {
    let mut fields = Vec::new();
    let mut target = PATH.to_owned();
    match &shown.place {
        Place::Header(name) => {
            fields.push((name.clone(), HeaderValue::from_str(shown.value).ok()?));
        }
        Place::Query(name) => target = format!("{PATH}?{name}={}", shown.value),
        Place::Body => {}
    }
    Some(Golden {
        name: name.into(),
        method: Method::POST,
        target: target.parse().ok()?,
        fields,
        body: Bytes::from_static(BODY.as_bytes()),
        received_at_ms: ARRIVAL_MS,
        public_url: Some(URL.into()),
        keys: keyring(key, pair),
        place: shown.place.clone(),
        signature: shown.proof.into(),
        covers,
    })
}

fn keyring(name: &str, pair: &Pair) -> Keyring {
    let key = Key::new("golden", Secret::new(pair.public.clone()));
    Keyring::from([(name.into(), vec![Arc::new(key)])])
}

fn header(name: &str) -> Option<Place> {
    HeaderName::from_bytes(name.as_bytes())
        .ok()
        .map(Place::Header)
}

#[cfg(test)]
pub(super) mod tests;
