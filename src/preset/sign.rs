//! Signs a call as its provider would: the same scheme that the `signature` plugin checks, read the
//! other way round.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::call::{Call, escape};
use super::scheme::{Algorithm, Encoding, Scheme, Unit};

mod message;
use message::Sample;

/// A signed call.
#[derive(Clone, Debug)]
pub struct Signed {
    /// In order.
    pub fields: Vec<(String, String)>,
    /// Without its `?`.
    pub query: String,
    /// As it is sent.
    pub body: Vec<u8>,
    /// The signature itself, as it is written.
    pub proof: String,
}

/// What is signed, with what.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What is sent.
    pub call: &'a Call,
    /// How it is signed on this route: the preset's scheme with the route's own values.
    pub scheme: &'a Scheme,
    /// The URL as the provider has it, without a query.
    pub url: &'a str,
    /// The shared secret; where keys are public, the private one in PKCS #8, as PEM or DER.
    pub secret: &'a [u8],
    /// Whether to change a letter after signing.
    pub tamper: bool,
}

/// Why a call cannot be signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignError {
    /// A MAC is what we can make; a signature needs a private key.
    #[error("`{0}` is signed with a private key that only the provider has")]
    PrivateKey(&'static str),
    /// Nobody should make signatures over SHA-1 any more, and aws-lc-rs does not.
    #[error("nobody makes RSA signatures over SHA-1 any more")]
    Sha1,
    /// The scheme signs a part that a call of ours does not have.
    #[error("the scheme signs `{0}`, which a sample does not have")]
    UnknownPart(String),
}

/// Signs a call, sent `now_ms` milliseconds after the Unix epoch.
///
/// # Errors
/// A private key that is not there, or a scheme that signs more than the call has.
pub fn sign(order: &Order<'_>, now_ms: u64) -> Result<Signed, SignError> {
    let (scheme, call) = (order.scheme, order.call);
    let unique = uuid::Uuid::new_v4().to_string();
    let seconds = (now_ms / 1_000).to_string();
    let date = date(now_ms);
    let timestamp = match scheme.timestamp.as_ref().map(|timestamp| timestamp.unit) {
        Some(Unit::Milliseconds) => now_ms.to_string(),
        Some(Unit::Rfc3339) => date.clone(),
        Some(Unit::Seconds) | None => seconds,
    };
    let fill = |text: &str| {
        let mut text = text
            .replace("{event}", &call.event)
            .replace("{uuid}", &unique)
            .replace("{timestamp}", &timestamp)
            .replace("{rfc3339}", &date);
        for (name, value) in &scheme.values {
            text = text.replace(&format!("{{value:{name}}}"), value);
        }
        text
    };
    let mut body = fill(&call.body);
    let digest = hex(digest(&SHA256, body.as_bytes()).as_ref());
    let fill = |text: &str| fill(text).replace("{sha256}", &digest);
    let mut fields = vec![("content-type".to_owned(), call.content_type.clone())];
    for (name, value) in &call.headers {
        fields.push((name.clone(), fill(value)));
    }
    let queries = call.query.iter();
    let mut queries: Vec<(String, String)> = queries
        .map(|(name, value)| (name.clone(), fill(value)))
        .collect();
    let query = query(&queries);
    let listed = listed(scheme, &fields);
    if let Some(at) = &scheme.timestamp
        && let Some(header) = &at.header
        && scheme.signature.header.as_ref() != Some(header)
    {
        let prefix = at.prefix.as_deref().unwrap_or_default();
        fields.push((header.clone(), prefix.to_owned() + &timestamp));
    }
    let sample = Sample {
        scheme,
        fields: &fields,
        timestamp: &timestamp,
        method: &call.method,
        url: order.url,
        queries: &queries,
        query: &query,
        body: body.as_bytes(),
        listed: &listed,
    };
    let mut proof = proof(
        (scheme.algorithm, scheme.encoding),
        order.secret,
        &sample.message()?,
    )?;
    // Where the body is not covered, only the proof itself can be spoiled.
    let covers = scheme.covers_body();
    if order.tamper && !covers {
        spoil(&mut proof);
    }
    body = body.replace("{signature}", &proof);
    let value = value(scheme, &timestamp, &listed, &proof);
    if let Some(header) = &scheme.signature.header {
        let number = if scheme.signature.numbered { "-1" } else { "" };
        fields.push((format!("{header}{number}"), value));
    } else if let Some(name) = &scheme.signature.query {
        queries.push((name.clone(), value));
    }
    let mut body = body.into_bytes();
    if order.tamper && covers {
        tamper(&mut body);
    }
    Ok(Signed {
        fields,
        query: self::query(&queries),
        body,
        proof,
    })
}

fn query(queries: &[(String, String)]) -> String {
    let pair = |(name, value): &(String, String)| format!("{}={}", escape(name), escape(value));
    queries.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// Turns one letter of a body into another, so that it stays JSON.
fn tamper(body: &mut [u8]) {
    if let Some(letter) = body
        .iter_mut()
        .rev()
        .find(|byte| byte.is_ascii_alphabetic())
    {
        *letter = if *letter == b'x' { b'y' } else { b'x' };
    }
}

/// The signature's header, with the time and the list where they share it.
fn value(scheme: &Scheme, timestamp: &str, listed: &str, proof: &str) -> String {
    let field = &scheme.signature;
    let shares = |header: Option<&String>| header == field.header.as_ref();
    let prefix = |prefix: &Option<String>| prefix.clone().unwrap_or_default();
    let mut items = Vec::new();
    if let Some(at) = scheme
        .timestamp
        .as_ref()
        .filter(|at| shares(at.header.as_ref()))
    {
        items.push(prefix(&at.prefix) + timestamp);
    }
    if let Some(list) = scheme
        .listed
        .as_ref()
        .filter(|list| shares(Some(&list.header)))
    {
        items.push(prefix(&list.prefix) + listed);
    }
    items.push(prefix(&field.prefix) + proof);
    items.join(field.separator.as_deref().unwrap_or_default())
}

/// The names of the headers that the provider lists as signed: what its header says, or all of its own.
fn listed(scheme: &Scheme, fields: &[(String, String)]) -> String {
    let Some(listed) = &scheme.listed else {
        return String::new();
    };
    match fields.iter().find(|(name, _)| *name == listed.header) {
        Some((_, names)) => names.clone(),
        None => {
            let own = fields.iter().skip(1).map(|(name, _)| name.as_str());
            own.collect::<Vec<_>>().join(&listed.split)
        }
    }
}

fn date(now_ms: u64) -> String {
    let seconds = i64::try_from(now_ms / 1_000).unwrap_or_default();
    Timestamp::from_second(seconds)
        .unwrap_or_default()
        .to_string()
}

/// The signature of a message, as it is written.
///
/// # Errors
/// A private key that is none, or an algorithm with which nobody should sign.
pub fn proof(
    (algorithm, encoding): (Algorithm, Option<Encoding>),
    secret: &[u8],
    message: &[u8],
) -> Result<String, SignError> {
    let no_key = || SignError::PrivateKey(algorithm.as_str());
    let private = || match PrivatePkcs8KeyDer::from_pem_slice(secret) {
        Ok(key) => key.secret_pkcs8_der().to_vec(),
        Err(_) => secret.to_vec(),
    };
    let mac = |algorithm| {
        let key = hmac::Key::new(algorithm, secret);
        hmac::sign(&key, message).as_ref().to_vec()
    };
    let random = SystemRandom::new();
    let bytes = match algorithm {
        Algorithm::Token => return Ok(String::from_utf8_lossy(secret).into_owned()),
        Algorithm::HmacSha1 => mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        Algorithm::HmacSha256 => mac(hmac::HMAC_SHA256),
        Algorithm::HmacSha384 => mac(hmac::HMAC_SHA384),
        Algorithm::HmacSha512 => mac(hmac::HMAC_SHA512),
        Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&private())
            .map_err(|_| no_key())?
            .sign(message)
            .as_ref()
            .to_vec(),
        Algorithm::EcdsaP256Sha256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &private())
                .map_err(|_| no_key())?;
            let signature = pair.sign(&random, message).map_err(|_| no_key())?;
            signature.as_ref().to_vec()
        }
        Algorithm::RsaSha1 => return Err(SignError::Sha1),
        Algorithm::RsaSha256 => {
            let pair = RsaKeyPair::from_pkcs8(&private()).map_err(|_| no_key())?;
            let mut bytes = vec![0; pair.public_modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut bytes)
                .map_err(|_| no_key())?;
            bytes
        }
    };
    Ok(match encoding {
        Some(Encoding::Base64) => STANDARD.encode(bytes),
        Some(Encoding::Base64url) => URL_SAFE_NO_PAD.encode(bytes),
        Some(Encoding::Hex) | None => hex(&bytes),
    })
}

/// Turns the first character of a proof into another one that can be decoded as well.
fn spoil(proof: &mut String) {
    let first = if proof.starts_with('0') { '1' } else { '0' };
    *proof = proof
        .chars()
        .enumerate()
        .map(|(at, character)| if at == 0 { first } else { character })
        .collect();
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Order, sign};
    use crate::preset::{self, Call};

    fn field(preset: &str, body: &str, secret: &[u8], name: &str) -> String {
        let preset = preset::find(preset).unwrap();
        let call = Call {
            body: body.to_owned(),
            ..Call::bare()
        };
        let order = Order {
            call: &call,
            scheme: &preset.scheme,
            url: "https://hooks.example.com/x",
            secret,
            tamper: false,
        };
        let signed = sign(&order, 1_763_000_000_000).unwrap();
        let found = signed
            .fields
            .into_iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.unwrap().1
    }

    #[test]
    fn a_github_sample_is_signed_as_github_documents_it() {
        // docs.github.com, "Validating webhook deliveries": its own test values.
        let value = field(
            "github",
            "Hello, World!",
            b"It's a Secret to Everybody",
            "x-hub-signature-256",
        );
        assert_eq!(
            value,
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }

    #[test]
    fn a_stripe_sample_carries_its_time_beside_its_signature() {
        let value = field("stripe", "{}", b"whsec_x", "stripe-signature");
        let (time, signature) = value.split_once(',').unwrap();
        assert!(
            time.strip_prefix("t=")
                .unwrap()
                .bytes()
                .all(|byte| byte.is_ascii_digit())
        );
        assert_eq!(signature.strip_prefix("v1=").unwrap().len(), 64);
    }
}
