//! Forgeries of a golden webhook: what nobody who lacks the key may get past a verifier.
//!
//! The most common defect of a verifier is that it accepts what it could not check: a missing header, a
//! signature that does not decode, a key that is not there. Nobody looks for it, since what is
//! authentic is accepted all the same. So the host looks, when it loads the plugin.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::golden::{Golden, Place};
use super::{Key, Keyring};
use crate::secret::Secret;

/// Ten years: longer than any tolerance that makes sense, and far from the ends of the calendar.
const YEARS_MS: u64 = 10 * 365 * 24 * 3_600 * 1_000;

/// A golden webhook with one thing changed. `name` goes on from "its golden webhook".
pub(super) struct Forgery {
    pub(super) name: &'static str,
    pub(super) webhook: Golden,
}

/// Every forgery that the golden webhook's signature must give away.
pub(super) fn all(golden: &Golden) -> Vec<Forgery> {
    let mut all = Vec::new();
    let mut forge = |name, change: &dyn Fn(&mut Golden)| {
        let mut webhook = golden.clone();
        change(&mut webhook);
        all.push(Forgery { name, webhook });
    };
    if golden.covers.body {
        forge("with a bit of its body flipped", &|webhook| {
            webhook.body = flipped(&webhook.body);
        });
        forge("with one more byte in its body", &|webhook| {
            webhook.body = Bytes::from([&webhook.body[..], b" "].concat());
        });
        if !golden.body.is_empty() {
            forge("without its body", &|webhook| webhook.body = Bytes::new());
        }
    }
    forge("with another signature", &|webhook| {
        webhook.resign(another);
    });
    forge("with half of its signature", &|webhook| {
        webhook.resign(|signature| {
            let half = signature.floor_char_boundary(signature.len() / 2);
            signature.get(..half).unwrap_or_default().to_owned()
        });
    });
    forge("with an empty signature", &|webhook| {
        webhook.resign(|_| String::new());
    });
    forge("with a signature of nonsense", &|webhook| {
        webhook.resign(|signature| "!".repeat(signature.len()));
    });
    match &golden.place {
        Place::Header(_) => {
            forge("with its signature's header empty", &|webhook| {
                webhook.rewrite(|_| Some(HeaderValue::from_static("")));
            });
            forge("without its signature's header", &|webhook| {
                webhook.rewrite(|_| None);
            });
        }
        Place::Query(_) => forge("without its query", &|webhook| {
            let path = webhook.target.path().parse();
            webhook.target = path.unwrap_or_else(|_| webhook.target.clone());
        }),
        Place::Body => forge("with null for its signature", &|webhook| {
            let body = without_text(&webhook.body, &webhook.signature);
            webhook.body = body.unwrap_or_default();
        }),
    }
    if golden.covers.past {
        forge("ten years after it was signed", &|webhook| {
            webhook.received_at_ms = webhook.received_at_ms.saturating_add(YEARS_MS);
        });
    }
    if golden.covers.future {
        forge("ten years before it was signed", &|webhook| {
            webhook.received_at_ms = webhook.received_at_ms.saturating_sub(YEARS_MS);
        });
    }
    forge("signed with another key", &|webhook| {
        for keys in webhook.keys.values_mut() {
            for key in keys {
                *key = Arc::new(other(key));
            }
        }
    });
    forge("when its key is not there", &|webhook| {
        webhook.keys = Keyring::new();
    });
    all
}

impl Golden {
    fn resign(&mut self, change: impl Fn(&str) -> String) {
        let signature = self.signature.clone();
        let forged = change(&signature);
        match self.place {
            Place::Header(_) => self.rewrite(|value| {
                let text = value.to_str().ok()?;
                HeaderValue::from_str(&text.replacen(&*signature, &forged, 1)).ok()
            }),
            Place::Query(_) => {
                let target = self.target.as_str().replacen(&*signature, &forged, 1);
                if let Ok(target) = target.parse() {
                    self.target = target;
                }
            }
            Place::Body => {
                let body = String::from_utf8_lossy(&self.body);
                self.body = body.replacen(&*signature, &forged, 1).into();
            }
        }
    }

    /// Changes each value of the signature's header, or takes it away.
    fn rewrite(&mut self, change: impl Fn(&HeaderValue) -> Option<HeaderValue>) {
        let fields = std::mem::take(&mut self.fields);
        let field = |(name, value): (HeaderName, HeaderValue)| {
            let value = if self.place == Place::Header(name.clone()) {
                change(&value)?
            } else {
                value
            };
            Some((name, value))
        };
        self.fields = fields.into_iter().filter_map(field).collect();
    }
}

/// The document with `null` for the text that ends with the signature.
fn without_text(body: &Bytes, signature: &str) -> Option<Bytes> {
    let body = std::str::from_utf8(body).ok()?;
    let (before, after) = body.split_once(signature)?;
    let (before, _prefix) = before.rsplit_once('"')?;
    let after = after.strip_prefix('"')?;
    Some([before, "null", after].concat().into())
}

/// One bit in the middle, or a body where there was none.
fn flipped(body: &Bytes) -> Bytes {
    let mut forged = body.to_vec();
    let middle = forged.len() / 2;
    match forged.get_mut(middle) {
        Some(byte) => *byte ^= 1,
        None => forged.push(b'0'),
    }
    forged.into()
}

/// The same length and alphabet with one character changed: in the middle, since the last one of
/// base64 may not count.
fn another(signature: &str) -> String {
    let middle = signature.chars().count() / 2;
    let other = |(place, c): (usize, char)| match c {
        _ if place != middle => c,
        '0' => '1',
        _ => '0',
    };
    signature.chars().enumerate().map(other).collect()
}

/// A key of the same kind that has nothing to do with this one.
fn other(key: &Key) -> Key {
    let bytes = key.expose();
    let other = if key.p256(&[]).is_some() {
        fresh_p256()
    } else {
        None
    };
    // Ed25519 and shared secrets: any bytes will do. RSA: a bit in the middle is one of the modulus.
    let bytes = other.unwrap_or_else(|| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        match bytes.get_mut(middle) {
            Some(byte) => *byte ^= 1,
            None => bytes.push(1),
        }
        bytes
    });
    Key::new("golden", Secret::new(bytes))
}

fn fresh_p256() -> Option<Vec<u8>> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok()?;
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    Some(der.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::golden;
    use super::*;

    fn hello() -> Golden {
        let text = r#"{"webhooks": [{"name": "push", "headers": [["a", "b"], ["x-sig", "t=1,v1=abc0def"]],
            "body": "hi", "received_at_ms": 400000000000, "keys": {"main": ["k"]},
            "signature": {"header": "x-sig", "text": "abc0def"}}]}"#;
        golden::read(text).unwrap().remove(0)
    }

    fn forged(name: &str) -> Golden {
        let mut all = all(&hello()).into_iter();
        all.find(|forgery| forgery.name == name).unwrap().webhook
    }

    #[test]
    fn every_forgery_differs_from_its_golden_webhook_in_its_own_way() {
        let shown = |webhook: &Golden| {
            let keys: Vec<_> = webhook
                .keys
                .values()
                .flatten()
                .map(|k| k.expose().to_vec())
                .collect();
            format!(
                "{:?} {:?} {} {keys:?}",
                webhook.fields, webhook.body, webhook.received_at_ms
            )
        };
        let mut seen = vec![shown(&hello())];

        let all = all(&hello());
        assert_eq!(all.len(), 13);
        for Forgery { name, webhook } in all {
            let shown = shown(&webhook);
            assert!(!seen.contains(&shown), "{name}");
            seen.push(shown);
        }
    }

    #[test]
    fn only_the_signature_of_a_header_is_touched() {
        let value = |name| forged(name).fields[1].1.to_str().unwrap().to_owned();

        assert_eq!(value("with another signature"), "t=1,v1=abc1def");
        assert_eq!(value("with half of its signature"), "t=1,v1=abc");
        assert_eq!(value("with an empty signature"), "t=1,v1=");
        assert_eq!(value("with a signature of nonsense"), "t=1,v1=!!!!!!!");
        assert_eq!(value("with its signature's header empty"), "");
        let without = forged("without its signature's header").fields;
        assert_eq!(without.len(), 1);
    }

    #[test]
    fn a_signature_is_forged_where_it_stands() {
        let mut in_query = hello();
        in_query.place = Place::Query("sig".into());
        in_query.target = "/hook?sig=abc0def&a=b".parse().unwrap();
        let mut in_body = hello();
        in_body.place = Place::Body;
        in_body.body = r#"{"sig":"v1=abc0def","a":1}"#.into();
        let forged = |golden: &Golden, name| {
            let mut all = all(golden).into_iter();
            all.find(|forgery| forgery.name == name).unwrap().webhook
        };

        let target = |name| forged(&in_query, name).target;
        assert_eq!(target("with another signature"), "/hook?sig=abc1def&a=b");
        assert_eq!(target("with an empty signature"), "/hook?sig=&a=b");
        assert_eq!(target("without its query"), "/hook");
        let body = |name| forged(&in_body, name).body;
        let half = body("with half of its signature");
        assert_eq!(half, r#"{"sig":"v1=abc","a":1}"#);
        let null = body("with null for its signature");
        assert_eq!(null, r#"{"sig":null,"a":1}"#);
    }

    #[test]
    fn another_key_is_of_the_same_kind() {
        let p256 = Key::new("k", Secret::new(fresh_p256().unwrap()));

        let other = other(&p256);

        assert!(other.p256(&[]).is_some());
        assert_ne!(other.expose(), p256.expose());
    }

    #[test]
    fn what_a_scheme_does_not_cover_is_not_forged() {
        let mut golden = hello();
        golden.covers = golden::Covers {
            body: false,
            past: false,
            future: false,
        };

        let names: Vec<&str> = all(&golden).iter().map(|f| f.name).collect();

        assert_eq!(names.len(), 8);
        assert!(
            !names
                .iter()
                .any(|n| n.contains("body") || n.contains("years"))
        );
    }
}
