//! Keys written as JSON (RFC 7517), as providers publish them: read into the forms that the rest of the
//! room knows, `SubjectPublicKeyInfo` for public keys and raw bytes for shared secrets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;

use super::Key;
use crate::secret::Secret;

/// RFC 8410, section 4, up to the key of 32 bytes.
const ED25519: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// RFC 5480, section 2, with the curve P-256, up to an uncompressed point of 64 bytes and its mark.
const P256: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
/// RFC 3279, section 2.3.1: `rsaEncryption` with its parameters.
const RSA: [u8; 15] = [
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// 2,048 bits (RFC 7518, section 3.3).
const RSA_BYTES_MIN: usize = 256;
/// Keys of one set: each is tried on each signature. Owners publish two or three, Apple some six.
const KEYS_MAX: usize = 16;
/// Tags of DER.
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// What a text in JSON stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Jwk {
    /// A public key, as `SubjectPublicKeyInfo` in DER.
    Public(Vec<u8>),
    /// A shared secret.
    Shared(Vec<u8>),
    /// A key of a kind or a size that we cannot use. Everybody may know it.
    Unusable,
}

/// The members that matter; private ones (`d`, `p`, ...) are not read.
#[derive(Deserialize)]
struct Written {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    k: Option<String>,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(rename = "use")]
    usage: Option<String>,
    #[serde(flatten)]
    key: Written,
}

/// The key that `text` is; none when it is no JWK.
pub(super) fn read(text: &[u8]) -> Option<Jwk> {
    if text.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let written: Written = serde_json::from_slice(text).ok()?;
    Some(key(&written).unwrap_or(Jwk::Unusable))
}

/// The public keys of a set (RFC 7517, section 5) that may check signatures. What we cannot use is left
/// out, as section 5 says; so is a shared secret, for everybody can read it there.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence.
pub(super) fn set(label: &Arc<str>, text: &[u8]) -> Result<Vec<Arc<Key>>, String> {
    let set: Set = serde_json::from_slice(text)
        .map_err(|error| format!("is no JWK set (RFC 7517, section 5): {error}"))?;
    if set.keys.len() > KEYS_MAX {
        let many = set.keys.len();
        return Err(format!("has {many} keys; {KEYS_MAX} are the most"));
    }
    let usable = set.keys.iter().filter_map(|written| {
        let Member {
            usage,
            key: written,
        } = serde_json::from_str(written.get()).ok()?;
        let signs = usage.is_none_or(|usage| usage == "sig");
        match key(&written).filter(|_| signs)? {
            Jwk::Public(der) => Some(Arc::new(Key::new(Arc::clone(label), Secret::new(der)))),
            Jwk::Shared(_) | Jwk::Unusable => None,
        }
    });
    let usable: Vec<_> = usable.collect();
    match usable.is_empty() {
        true => Err("has no public key that we can use (RSA, P-256, Ed25519)".to_owned()),
        false => Ok(usable),
    }
}

fn key(written: &Written) -> Option<Jwk> {
    let bytes = |member: &Option<String>| URL_SAFE_NO_PAD.decode(member.as_ref()?).ok();
    match (written.kty.as_str(), written.crv.as_deref()) {
        ("oct", _) => Some(Jwk::Shared(bytes(&written.k)?)),
        ("OKP", Some("Ed25519")) => {
            let x = bytes(&written.x).filter(|x| x.len() == 32)?;
            Some(Jwk::Public([&ED25519[..], &x].concat()))
        }
        ("EC", Some("P-256")) => {
            let x = bytes(&written.x).filter(|x| x.len() == 32)?;
            let y = bytes(&written.y).filter(|y| y.len() == 32)?;
            Some(Jwk::Public([&P256[..], &x, &y].concat()))
        }
        ("RSA", _) => {
            let n = bytes(&written.n).filter(|n| n.len() >= RSA_BYTES_MIN)?;
            let e = bytes(&written.e)?;
            let pair = der(SEQUENCE, &[unsigned(&n), unsigned(&e)].concat());
            // The first byte of a bit string says how many bits of the last one are none.
            let bits = der(BIT_STRING, &[&[0], pair.as_slice()].concat());
            Some(Jwk::Public(der(SEQUENCE, &[&RSA[..], &bits].concat())))
        }
        _ => None,
    }
}

/// A positive integer: a first bit of 1 would make it negative.
fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0);
    let bytes = bytes
        .get(first.unwrap_or(bytes.len())..)
        .unwrap_or_default();
    match bytes.first() {
        Some(0..=0x7f) => der(INTEGER, bytes),
        _ => der(INTEGER, &[&[0], bytes].concat()),
    }
}

/// Tag, length and value (X.690, sections 8.1.2 and 8.1.3).
fn der(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len().to_be_bytes();
    let mut out = vec![tag];
    match u8::try_from(value.len()) {
        Ok(short @ 0..=0x7f) => out.push(short),
        _ => {
            let zeros = length.iter().take_while(|byte| **byte == 0).count();
            let long = length.get(zeros..).unwrap_or_default();
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(value);
    out
}

#[cfg(test)]
mod tests {
    use super::{Jwk, read};
    use crate::plugin::contract::crypto::Encoding;
    use crate::plugin::crypto::verify;
    use crate::plugin::key::Key;
    use crate::secret::Secret;
    use std::sync::Arc;

    const HS: &str = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    const RS: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
    const ES: &str = r#" {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"a"}"#;
    const ED: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    /// RFC 7515, appendices A.1, A.2 and A.3; RFC 8037, appendix A.4.
    const VECTORS: [(&str, &str, &str, &str); 4] = [
        (
            HS,
            "hmac-sha256",
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            RS,
            "rsa-v1_5-sha256",
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            ES,
            "ecdsa-p256-sha256",
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            ED,
            "ed25519",
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ];

    #[test]
    fn the_vectors_of_the_rfcs_verify_with_their_own_key_only() {
        for (jwk, algorithm, message, signature) in VECTORS {
            for (other, ..) in VECTORS {
                let keys = [Arc::new(Key::new("test", Secret::new(other.into())))];
                let matched = verify(
                    &keys,
                    algorithm,
                    &std::iter::once(message.as_bytes()),
                    signature,
                    Encoding::Base64url,
                );
                let is_match = matches!(matched, Ok(Some(_)));
                assert_eq!(is_match, other == jwk, "{algorithm} {other}");
            }
        }
    }

    #[test]
    fn a_public_key_is_no_shared_secret() {
        for jwk in [RS, ES, ED] {
            let key = Key::new("test", Secret::new(jwk.into()));
            assert!(key.fits("hmac-sha256").is_err(), "{jwk}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_fits_nothing() {
        for jwk in [
            r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            r#"{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#,
            r#"{"kty":"RSA","n":"not base64!","e":"AQAB"}"#,
            r#"{"kty":"RSA"}"#,
            r#"{"kty":"oct"}"#,
        ] {
            let key = Key::new("test", Secret::new(jwk.into()));
            for algorithm in [
                "hmac-sha256",
                "ed25519",
                "ecdsa-p256-sha256",
                "rsa-v1_5-sha256",
            ] {
                assert!(key.fits(algorithm).is_err(), "{jwk} {algorithm}");
            }
        }
    }

    #[test]
    fn a_set_has_the_public_keys_that_check_signatures() {
        let count = |keys: &[&str]| {
            let text = format!("{{\"keys\":[{}]}}", keys.join(","));
            super::set(&"test".into(), text.as_bytes()).map(|keys| keys.len())
        };
        let encrypts = RS.replacen('{', "{\"use\":\"enc\",", 1);
        let unknown = r#"{"kty":"AKP","alg":"ML-DSA-44"}"#;

        assert_eq!(count(&[RS, ES, ED]), Ok(3));
        assert_eq!(count(&[RS, HS, &encrypts, unknown, "7"]), Ok(1));
        for none in [&[HS, &encrypts][..], &[unknown], &[]] {
            let why = count(none).unwrap_err();
            assert!(why.starts_with("has no public key"), "{why}");
        }
        assert_eq!(count(&[ED; 17]), Err("has 17 keys; 16 are the most".into()));
        let text = super::set(&"test".into(), b"<html>").unwrap_err();
        assert!(text.starts_with("is no JWK set"), "{text}");
    }

    #[test]
    fn other_texts_are_no_keys_in_json() {
        for text in ["", "{", "{}", "secret", "[1]", r#"{"k":"AA"}"#] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(
            read(br#"{"kty":"oct","k":"AQI"}"#),
            Some(Jwk::Shared(vec![1, 2]))
        );
    }
}
