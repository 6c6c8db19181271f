//! What the check of a signature costs by preset: a sample of each provider, made up to 2 KiB, signed as it
//! signs, and verified by the `signature` plugin in a fresh sandbox, in one thread and without sockets.
//!
//! Where keys are public, the arithmetic of the signature is most of the figure: it stands alone in a line
//! beside it, and what is left is the plugin's own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a bench fails by panicking"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    VerificationAlgorithm,
};
use criterion::{Criterion, criterion_group, criterion_main};
use hookgate::plugin::{
    Catalog, Chain, Engine, Grants, Key, Keyring, Limits, OnFailure, Settings, Source, Step,
    Verdict,
};
use hookgate::preset::{self, Algorithm, Call, Order, Preset, Scheme, sign};
use hookgate::secret::Secret;
use hookgate::telemetry::Telemetry;
use hookgate::webhook::{Arrival, Webhook, WebhookId};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As in the other benchmarks.
const BODY_BYTES: usize = 2048;
const URL: &str = "https://hooks.example.com/hook";

fn presets(criterion: &mut Criterion) {
    let catalog = Catalog::new(Engine::new(&Settings::default()).unwrap());
    let source = Source::Bundled("signature");
    let grants = Grants {
        signing: vec!["keys".into()],
        ..Grants::default()
    };
    let loaded = catalog.load("signature", &source, Limits::default(), &grants);
    let (plugin, telemetry) = (loaded.unwrap(), Telemetry::new());
    let runtime = runtime();
    let mut group = criterion.benchmark_group("signature, 2 KiB");
    group
        .sample_size(40)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    for preset in preset::all() {
        let scheme = complete(preset);
        let (private, public) = pair(scheme.algorithm);
        let check = arithmetic(scheme.algorithm, &private, &public);
        let key = Key::new("bench", Secret::new(public));
        let chain = Chain::new(vec![Step {
            plugin: Arc::clone(&plugin),
            config: config(&scheme).into(),
            keys: Keyring::from_iter([("keys".into(), vec![Arc::new(key)])]),
            signing: Vec::new(),
            on_failure: OnFailure::Refuse,
            meters: telemetry.plugin("signature", preset.name),
        }]);
        let Some(webhook) = webhook(preset, &scheme, &private) else {
            continue;
        };
        group.bench_function(preset.name, |bencher| {
            bencher.iter_custom(|times| {
                runtime.block_on(async {
                    let begun = Instant::now();
                    for _ in 0..times {
                        match chain.judge(&webhook, &[], &telemetry).await {
                            Ok(Verdict::Accepted(_)) => {}
                            other => panic!("{}: {other:?}", preset.name),
                        }
                    }
                    begun.elapsed()
                })
            });
        });
        if let Some(check) = check {
            let name = format!("{}, of that arithmetic", preset.name);
            group.bench_function(name, |bencher| bencher.iter(|| assert!(black_box(check()))));
        }
    }
    group.finish();
}

/// What no verifier of a public key's signature can do without; nothing where the secret is shared.
fn arithmetic(
    algorithm: Algorithm,
    private: &[u8],
    public: &[u8],
) -> Option<Box<dyn Fn() -> bool>> {
    let message = [b'x'; BODY_BYTES];
    let hash = digest(&SHA256, &message);
    let mut signature = Vec::new();
    let random = SystemRandom::new();
    let algorithm: &dyn VerificationAlgorithm = match algorithm {
        Algorithm::Ed25519 => {
            let pair = Ed25519KeyPair::from_pkcs8(private).unwrap();
            signature.extend_from_slice(pair.sign(&message).as_ref());
            // The only one that reads the message itself.
            let key = ParsedPublicKey::new(&ED25519, public).unwrap();
            return Some(Box::new(move || {
                key.verify_sig(&message, &signature).is_ok()
            }));
        }
        Algorithm::EcdsaP256Sha256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private).unwrap();
            signature.extend_from_slice(pair.sign(&random, &message).unwrap().as_ref());
            &ECDSA_P256_SHA256_ASN1
        }
        Algorithm::RsaSha1 | Algorithm::RsaSha256 => {
            let pair = RsaKeyPair::from_pkcs8(private).unwrap();
            signature.resize(pair.public_modulus_len(), 0);
            pair.sign(&RSA_PKCS1_SHA256, &random, &message, &mut signature)
                .unwrap();
            &RSA_PKCS1_2048_8192_SHA256
        }
        _ => return None,
    };
    let key = ParsedPublicKey::new(algorithm, public).unwrap();
    Some(Box::new(move || {
        key.verify_digest_sig(&hash, &signature).is_ok()
    }))
}

/// The scheme with what only an operator knows, alone on its route: nobody asks for the event.
fn complete(preset: &Preset) -> Scheme {
    let mut scheme = preset.scheme.clone();
    scheme.event = None;
    let missing: Vec<String> = scheme
        .missing_values()
        .into_iter()
        .map(Into::into)
        .collect();
    for name in missing {
        scheme.values.insert(name, "value".to_owned());
    }
    scheme
}

fn config(scheme: &Scheme) -> String {
    let mut config = serde_json::to_value(scheme).unwrap();
    let table = config.as_object_mut().unwrap();
    table.insert("keys".to_owned(), "keys".into());
    config.to_string()
}

/// What signs, and what checks.
fn pair(algorithm: Algorithm) -> (Vec<u8>, Vec<u8>) {
    let public =
        |pair: &dyn AsDer<PublicKeyX509Der<'static>>| pair.as_der().unwrap().as_ref().to_vec();
    match algorithm {
        Algorithm::Ed25519 => {
            let pair = Ed25519KeyPair::generate().unwrap();
            let private = pair.to_pkcs8().unwrap().as_ref().to_vec();
            (private, pair.public_key().as_ref().to_vec())
        }
        Algorithm::EcdsaP256Sha256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
            let private = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
            (private, public(pair.public_key()))
        }
        Algorithm::RsaSha1 | Algorithm::RsaSha256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
            (private.as_ref().to_vec(), public(pair.public_key()))
        }
        _ => {
            let secret = b"what-the-benchmark-signs-with".to_vec();
            (secret.clone(), secret)
        }
    }
}

/// None where the provider signs in a way that we cannot.
fn webhook(preset: &Preset, scheme: &Scheme, secret: &[u8]) -> Option<Arc<Webhook>> {
    let mut call = Call::of(Some(preset.name));
    call.complete(scheme);
    pad(&mut call.body);
    let arrival = Arrival::now();
    let order = Order {
        call: &call,
        scheme,
        url: URL,
        secret,
        tamper: false,
    };
    let signed = sign(&order, arrival.unix_ms()).ok()?;
    let query = match signed.query.as_str() {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let fields = signed.fields.iter();
    Some(Arc::new(Webhook {
        id: WebhookId::new(arrival),
        route: "hook".into(),
        method: call.method.parse().unwrap(),
        target: format!("/hook{query}").parse().unwrap(),
        authority: Some("hooks.example.com".into()),
        scheme: hookgate::webhook::Scheme::Https,
        fields: fields.map(|(n, v)| (n.as_str(), v.as_str())).collect(),
        body: signed.body.into(),
        arrival,
        sender: IpAddr::V4(Ipv4Addr::LOCALHOST),
        public_url: Some(URL.into()),
    }))
}

/// Adds a member to an object, a parameter to a form, until the body is as long as in the other benchmarks.
fn pad(body: &mut String) {
    let missing = BODY_BYTES.saturating_sub(body.len());
    let Some(text) = missing.checked_sub(12).map(|length| "x".repeat(length)) else {
        return;
    };
    if body.ends_with('}') {
        body.pop();
        body.push_str(&format!(r#","padding":"{text}"}}"#));
    } else if body.contains('=') {
        body.push_str(&format!("&padding={text}"));
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

criterion_group!(benches, presets);
criterion_main!(benches);
