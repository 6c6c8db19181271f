//! Of the plugin `jwt`: a token made now, good for some minutes, that says what the route asks for.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::pair::{self, Pair};
use super::{ARRIVAL_MS, BODY, Covers, Golden, Shown, golden as webhook, header};
use crate::preset::{Algorithm, Encoding, proof};

/// Seconds from the making of the token to its end.
const LIFE_S: u64 = 300;

/// A token that the route takes, of its first key.
pub(super) fn golden(config: &Value) -> Option<Golden> {
    let text = |name| config.get(name).and_then(Value::as_str);
    let name = text("algorithm")?;
    let algorithm = match name {
        "HS256" => Algorithm::HmacSha256,
        "HS384" => Algorithm::HmacSha384,
        "HS512" => Algorithm::HmacSha512,
        "RS256" => Algorithm::RsaSha256,
        "ES256" => Algorithm::EcdsaP256Sha256,
        "EdDSA" => Algorithm::Ed25519,
        _ => return None,
    };
    let mut head = json!({ "alg": name, "typ": "JWT" });
    let key = match config.get("keys")? {
        Value::Object(named) => {
            let (kid, key) = named.iter().next()?;
            head.as_object_mut()?
                .insert("kid".into(), kid.as_str().into());
            key.as_str()?
        }
        any => any.as_str()?,
    };
    let pair = pair::of(algorithm)?;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&head), part(&claims(config)?));
    let proof = sign(algorithm, pair, &signed)?;
    let shown = Shown {
        place: header(text("header")?)?,
        value: &format!("{}{signed}.{proof}", text("prefix").unwrap_or_default()),
        proof: &proof,
    };
    let covers = Covers {
        body: config.get("body").is_some(),
        ..Covers::ALL
    };
    webhook("token", &shown, key, pair, covers)
}

/// What the route asks for: of several that it takes, the first.
fn claims(config: &Value) -> Option<Value> {
    let first = |value: &Value| match value {
        Value::Array(several) => several.first().cloned(),
        one => Some(one.clone()),
    };
    let mut claims = Map::new();
    let now = ARRIVAL_MS / 1_000;
    claims.insert("iat".to_owned(), now.into());
    claims.insert("exp".to_owned(), (now + LIFE_S).into());
    for (name, field) in [("iss", "issuer"), ("aud", "audience")] {
        if let Some(value) = config.get(field) {
            claims.insert(name.to_owned(), first(value)?);
        }
    }
    for (name, values) in config
        .get("claims")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        claims.insert(name.clone(), first(values)?);
    }
    if let Some(body) = config.get("body") {
        let claim = body.get("claim")?.as_str()?;
        claims.insert(claim.to_owned(), body_digest(body)?.into());
    }
    Some(Value::Object(claims))
}

fn body_digest(written: &Value) -> Option<String> {
    let text = |name, default| match written.get(name) {
        None => Some(default),
        Some(value) => value.as_str(),
    };
    let algorithm = match text("algorithm", "sha256")? {
        "sha256" => &SHA256,
        "sha512" => &SHA512,
        "sha1" => &SHA1_FOR_LEGACY_USE_ONLY,
        _ => return None,
    };
    let digest = digest(algorithm, BODY.as_bytes());
    Some(match text("encoding", "hex")? {
        "base64" => STANDARD.encode(digest),
        "base64url" => URL_SAFE_NO_PAD.encode(digest),
        _ => digest
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    })
}

/// A signature as a token has it (RFC 7518, section 3): on P-256 two numbers of a fixed length.
fn sign(algorithm: Algorithm, pair: &Pair, message: &str) -> Option<String> {
    if algorithm != Algorithm::EcdsaP256Sha256 {
        let form = (algorithm, Some(Encoding::Base64url));
        return proof(form, &pair.private, message.as_bytes()).ok();
    }
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.private).ok()?;
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).ok()?;
    Some(URL_SAFE_NO_PAD.encode(signature))
}
