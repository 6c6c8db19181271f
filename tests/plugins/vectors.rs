//! Every preset against vectors: `tests/vectors/PRESET.toml` holds what the provider published, or what
//! its page describes where it published none, and beside it the nearest neighbours that are refused.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookgate::plugin::{Chain, Key, Keyring, Plugin, Verdict};
use hookgate::preset::{self, Algorithm, Field, Preset};
use hookgate::telemetry::Telemetry;
use hookgate::webhook::Webhook;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::world::{World, step, webhook};

/// Vectors are old; where their age is not the matter, a hundred years are well.
const CENTURY_S: u64 = 100 * 365 * 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vector: Vec<Vector>,
}

/// One webhook that is right, and others that are nearly right.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    /// Who says so.
    source: String,
    /// Nobody published it: it was made by the page that `source` names.
    #[serde(default)]
    computed: bool,
    /// As the operator writes it.
    key: String,
    #[serde(default)]
    values: std::collections::BTreeMap<String, String>,
    /// What is signed, as text, with this and written like this: where it stands, the test puts its MAC in
    /// the place of `{signature}`.
    message: Option<String>,
    algorithm: Option<String>,
    encoding: Option<String>,
    #[serde(flatten)]
    call: Call,
    #[serde(default)]
    refused: Vec<Neighbour>,
}

/// What is sent.
#[derive(Clone, Default, Deserialize)]
struct Call {
    method: Option<String>,
    url: Option<String>,
    target: Option<String>,
    headers: Option<Vec<(String, String)>>,
    body: Option<String>,
}

/// What differs in it.
#[derive(Deserialize)]
struct Neighbour {
    why: String,
    key: Option<String>,
    #[serde(flatten)]
    call: Call,
}

impl Vector {
    /// The call with its signature, and the signature.
    fn signed(&self) -> Call {
        let mut call = self.call.clone();
        if let Some(message) = &self.message {
            let mac = self.mac(message);
            for (_, value) in call.headers.iter_mut().flatten() {
                *value = value.replace("{signature}", &mac);
            }
            call.body = call.body.map(|body| body.replace("{signature}", &mac));
        }
        call
    }

    fn mac(&self, message: &str) -> String {
        let algorithm = match self.algorithm.as_deref() {
            Some("hmac-sha1") => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Some("hmac-sha256") => hmac::HMAC_SHA256,
            other => panic!("{other:?}"),
        };
        // All keys of computed vectors are text but those of Standard Webhooks.
        let key = match self.source.contains("empty payload") {
            true => STANDARD.decode(&self.key).unwrap(),
            false => self.key.as_bytes().to_vec(),
        };
        let tag = hmac::sign(&hmac::Key::new(algorithm, &key), message.as_bytes());
        match self.encoding.as_deref() {
            Some("base64") => STANDARD.encode(tag),
            Some("hex") => tag
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            other => panic!("{other:?}"),
        }
    }
}

impl Call {
    /// This call with what another one says.
    fn with(&self, other: &Self) -> Self {
        Self {
            method: other.method.clone().or_else(|| self.method.clone()),
            url: other.url.clone().or_else(|| self.url.clone()),
            target: other.target.clone().or_else(|| self.target.clone()),
            headers: other.headers.clone().or_else(|| self.headers.clone()),
            body: other.body.clone().or_else(|| self.body.clone()),
        }
    }

    fn fields(&self) -> &[(String, String)] {
        self.headers.as_deref().unwrap_or_default()
    }

    fn webhook(&self, body: &[u8]) -> Arc<Webhook> {
        let base = webhook();
        Arc::new(Webhook {
            method: self
                .method
                .as_deref()
                .map_or(Method::POST, |method| method.parse().unwrap()),
            target: self.target.as_deref().unwrap_or("/hook").parse().unwrap(),
            fields: self.fields().iter().cloned().collect(),
            body: Bytes::copy_from_slice(body),
            public_url: self.url.as_deref().map(Into::into),
            ..Arc::into_inner(base).unwrap()
        })
    }
}

/// The plugin as a route has it.
struct Bench {
    plugin: Arc<Plugin>,
    telemetry: Telemetry,
}

impl Bench {
    fn chain(
        &self,
        preset: &Preset,
        vector: &Vector,
        key: &str,
        tolerance_s: Option<u64>,
    ) -> Chain {
        let mut config = serde_json::to_value(&preset.scheme).unwrap();
        config["keys"] = json!("keys");
        if !vector.values.is_empty() {
            config["values"] = json!(vector.values);
        }
        if let (Some(tolerance_s), Some(timestamp)) = (tolerance_s, config.get_mut("timestamp")) {
            timestamp["tolerance_s"] = json!(tolerance_s);
        }
        let secret = preset.key.decode(key.as_bytes()).unwrap();
        let mut step = step(&self.plugin);
        step.config = config.to_string().into();
        step.keys = Keyring::from([("keys".into(), vec![Arc::new(Key::new("env:KEY", secret))])]);
        assert_eq!(
            self.plugin.check(&step.config, &step.keys).unwrap(),
            [],
            "{}",
            preset.name
        );
        Chain::new(vec![step])
    }

    async fn judge(&self, chain: &Chain, call: &Call, body: &[u8]) -> Result<(), String> {
        match chain.judge(&call.webhook(body), &[], &self.telemetry).await {
            Ok(Verdict::Accepted(_)) => Ok(()),
            Ok(Verdict::Rejected { status, reason, .. }) => {
                assert_eq!(status, 401);
                Err(reason)
            }
            // A vector may be a handshake: it was answered for being right.
            Ok(Verdict::Responded { .. }) => Ok(()),
            other => panic!("{other:?}"),
        }
    }
}

/// Texts of a header that carry a proof: all that differ in the last character.
fn spoiled(value: &str) -> [String; 3] {
    let last = value.trim_end_matches('=').len() - 1;
    let replaced = if &value[last..=last] == "0" { "1" } else { "0" };
    // The first character of the last item: the last one of base64 may be spare bits.
    let start = value.len() - value.len().min(20);
    let changed = if &value[start..=start] == "0" {
        "1"
    } else {
        "0"
    };
    [
        value[..last].to_owned(),
        format!("{}{replaced}{replaced}", &value[..last]),
        format!("{}{changed}{}", &value[..start], &value[start + 1..]),
    ]
}

#[tokio::test]
async fn every_vector_is_accepted_and_its_nearest_neighbours_are_refused() {
    let world = World::new();
    let bench = Bench {
        plugin: world.bundled("signature"),
        telemetry: Telemetry::new(),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut published = 0;
    for preset in preset::all() {
        let name = preset.name;
        let text = fs::read_to_string(folder.join(format!("{name}.toml"))).unwrap();
        let file: File = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!file.vector.is_empty(), "{name}");
        for vector in &file.vector {
            published += usize::from(!vector.computed);
            let call = vector.signed();
            let body = call.body.clone().unwrap().into_bytes();
            let told = format!("{name}, {}", vector.source);
            let chain = bench.chain(preset, vector, &vector.key, Some(CENTURY_S));

            assert_eq!(bench.judge(&chain, &call, &body).await, Ok(()), "{told}");

            for neighbour in &vector.refused {
                let near = call.with(&neighbour.call);
                let body = near.body.clone().unwrap().into_bytes();
                let key = neighbour.key.as_ref().unwrap_or(&vector.key);
                let chain = bench.chain(preset, vector, key, Some(CENTURY_S));
                let verdict = bench.judge(&chain, &near, &body).await;
                assert!(verdict.is_err(), "{told}: accepted {}", neighbour.why);
            }
            refuse_the_usual(&bench, preset, vector, &call, &told).await;
        }
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), preset::all().len());
    assert!(published >= 30, "{published}");
}

/// Neighbours that every scheme refuses.
async fn refuse_the_usual(
    bench: &Bench,
    preset: &Preset,
    vector: &Vector,
    call: &Call,
    told: &str,
) {
    let scheme = &preset.scheme;
    let body = call.body.clone().unwrap().into_bytes();
    let chain = bench.chain(preset, vector, &vector.key, Some(CENTURY_S));
    let mut near = Vec::new();
    if !scheme.body_unsigned && scheme.algorithm != Algorithm::Token {
        let changed = other_bodies(&body).into_iter();
        near.extend(changed.map(|(why, body)| (why, call.clone(), body)));
    }
    if scheme.signature.header.is_some() {
        let changed = other_headers(&scheme.signature, call).into_iter();
        near.extend(changed.map(|(why, call)| (why, call, body.clone())));
    }
    for (why, call, body) in near {
        let verdict = bench.judge(&chain, &call, &body).await;
        assert!(verdict.is_err(), "{told}: accepted {why}");
    }
    if !matches!(
        scheme.algorithm,
        Algorithm::Ed25519 | Algorithm::EcdsaP256Sha256 | Algorithm::RsaSha1 | Algorithm::RsaSha256
    ) {
        let other = preset.key.prefix.clone().unwrap_or_default() + &"0".repeat(64);
        let chain = bench.chain(preset, vector, &other, Some(CENTURY_S));
        let verdict = bench.judge(&chain, call, &body).await;
        assert!(verdict.is_err(), "{told}: another key");
    }
    if scheme.timestamp.is_some() {
        let chain = bench.chain(preset, vector, &vector.key, None);
        let verdict = bench.judge(&chain, call, &body).await;
        assert!(
            verdict
                .clone()
                .is_err_and(|reason| reason.ends_with(" s old")),
            "{told}: {verdict:?} years later"
        );
    }
}

/// Bodies that are nearly this one.
fn other_bodies(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut flipped = body.to_vec();
    if let Some(byte) = flipped.last_mut() {
        *byte ^= 1;
    }
    let mut near = vec![
        ("a body with a blank more", [body, b" "].concat()),
        (
            "a body behind a byte order mark",
            [b"\xef\xbb\xbf", body].concat(),
        ),
        (
            "a body with bytes that are no text",
            [body, b"\xff"].concat(),
        ),
    ];
    if !body.is_empty() {
        near.push(("a changed body", flipped));
        near.push(("an empty body", Vec::new()));
    }
    if body != b"{}" {
        near.push(("an empty document", b"{}".to_vec()));
    }
    near
}

/// Calls whose signature is nearly the one of this call.
fn other_headers(signature: &Field, call: &Call) -> Vec<(&'static str, Call)> {
    let header = signature.header.clone().unwrap();
    let proof = |name: &str| name.starts_with(header.as_str());
    let with = |value: Option<&str>| {
        let fields = call
            .fields()
            .iter()
            .filter_map(|(name, is)| match (proof(name), value) {
                (false, _) => Some((name.clone(), is.clone())),
                (true, Some(value)) => Some((name.clone(), value.to_owned())),
                (true, None) => None,
            });
        Call {
            headers: Some(fields.collect()),
            ..call.clone()
        }
    };
    let mut near = vec![
        ("no signature", with(None)),
        ("an empty signature", with(Some(""))),
    ];
    // Where several may be written, any of them is enough, and nothing is ambiguous.
    if signature.separator.is_some() || signature.numbered {
        return near;
    }
    let (_, value) = call.fields().iter().find(|(name, _)| proof(name)).unwrap();
    for spoiled in spoiled(value) {
        near.push(("a spoiled signature", with(Some(&spoiled))));
    }
    let mut twice = call.clone();
    let again = (header.clone(), value.clone());
    twice.headers.get_or_insert_default().push(again);
    near.push(("the signature twice", twice));
    near.push((
        "the signature folded with itself",
        with(Some(&format!("{value},{value}"))),
    ));
    near
}
