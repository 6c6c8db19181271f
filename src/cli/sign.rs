//! Signs a sample as its provider would: the same scheme that the `signature` plugin checks, read the
//! other way round.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::preset::{Algorithm, Encoding, Preset, Scheme, Unit};
use crate::webhook::Arrival;

/// A signed call: header fields and body.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Why a sample cannot be signed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum SignError {
    /// A MAC is what we can make; a signature needs the provider's private key.
    #[error("`{0}` is signed with a private key that only the provider has")]
    PrivateKey(&'static str),
    /// The scheme signs a part that a sample does not have.
    #[error("the scheme signs `{0}`, which a sample does not have")]
    UnknownPart(String),
}

/// Signs `body` as an event of this provider, sent at `now`.
///
/// # Errors
/// A scheme that is not a MAC, or that signs more than a sample has.
pub(super) fn sign(
    preset: &Preset,
    event: &str,
    body: &[u8],
    secret: &[u8],
    now: Arrival,
) -> Result<Signed, SignError> {
    let scheme = &preset.scheme;
    let unique = uuid::Uuid::new_v4().to_string();
    let mut fields = vec![("content-type".to_owned(), preset.send.content_type.clone())];
    for (name, value) in &preset.send.headers {
        fields.push((
            name.clone(),
            value.replace("{event}", event).replace("{uuid}", &unique),
        ));
    }
    let timestamp = scheme
        .timestamp
        .as_ref()
        .map(|timestamp| match timestamp.unit {
            Unit::Seconds => (now.unix_ms() / 1_000).to_string(),
            Unit::Milliseconds => now.unix_ms().to_string(),
        });
    let message = message(
        scheme,
        &fields,
        timestamp.as_deref().unwrap_or_default(),
        body,
    )?;
    let mac = hmac::sign(
        &hmac::Key::new(algorithm(scheme.algorithm)?, secret),
        &message,
    );
    let field = &scheme.signature;
    let mut value =
        field.prefix.clone().unwrap_or_default() + &encode(scheme.encoding, mac.as_ref());
    if let (Some(timestamp), Some(text)) = (&scheme.timestamp, timestamp) {
        let text = timestamp.prefix.clone().unwrap_or_default() + &text;
        if timestamp.header.eq_ignore_ascii_case(&field.header) {
            value = text + field.separator.as_deref().unwrap_or_default() + &value;
        } else {
            fields.push((timestamp.header.clone(), text));
        }
    }
    fields.push((field.header.clone(), value));
    Ok(Signed {
        fields,
        body: body.to_vec(),
    })
}

fn algorithm(algorithm: Algorithm) -> Result<hmac::Algorithm, SignError> {
    match algorithm {
        Algorithm::HmacSha1 => Ok(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        Algorithm::HmacSha256 => Ok(hmac::HMAC_SHA256),
        Algorithm::HmacSha384 => Ok(hmac::HMAC_SHA384),
        Algorithm::HmacSha512 => Ok(hmac::HMAC_SHA512),
        Algorithm::Ed25519
        | Algorithm::EcdsaP256Sha256
        | Algorithm::RsaSha1
        | Algorithm::RsaSha256 => Err(SignError::PrivateKey(algorithm.as_str())),
    }
}

/// The bytes that are signed: the template with its parts put in.
fn message(
    scheme: &Scheme,
    fields: &[(String, String)],
    timestamp: &str,
    body: &[u8],
) -> Result<Vec<u8>, SignError> {
    let mut message = Vec::with_capacity(scheme.signed.len() + body.len());
    let mut rest = scheme.signed.as_str();
    while let Some((literal, after)) = rest.split_once('{') {
        message.extend_from_slice(literal.as_bytes());
        let (part, after) = after.split_once('}').unwrap_or((after, ""));
        match part {
            "body" => message.extend_from_slice(body),
            "timestamp" => message.extend_from_slice(timestamp.as_bytes()),
            part => {
                let value = part.strip_prefix("header:").and_then(|wanted| {
                    fields
                        .iter()
                        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                });
                let (_, value) = value.ok_or_else(|| SignError::UnknownPart(part.to_owned()))?;
                message.extend_from_slice(value.as_bytes());
            }
        }
        rest = after;
    }
    message.extend_from_slice(rest.as_bytes());
    Ok(message)
}

fn encode(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Base64url => URL_SAFE_NO_PAD.encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::sign;
    use crate::preset;
    use crate::webhook::Arrival;

    fn field(preset: &str, body: &str, secret: &[u8], name: &str) -> String {
        let preset = preset::find(preset).unwrap();
        let signed = sign(preset, "x", body.as_bytes(), secret, Arrival::now()).unwrap();
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
