//! Signatures for upstreams: made by the host when an attempt is made, on the word of a plugin that may
//! sign and never sees them.

use std::sync::Arc;

use super::contract::crypto::Encoding;
use super::crypto;
use super::key::Key;
use crate::webhook::{Arrival, Seal, Sign};

/// Ours have 35 characters; providers' have fewer than a hundred.
const ID_CHARS_MAX: usize = 256;

/// A seal in the scheme of that name, by the step and the key called `by`; none when there is no such
/// scheme, or when it cannot take the id.
pub(super) fn seal(scheme: &str, by: &str, keys: &[Arc<Key>], id: String) -> Option<Seal> {
    // `.` stands between the parts of the message: with one in the id, two messages would read the same.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_id = (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(plain);
    if scheme != SCHEME || !is_id {
        return None;
    }
    Some(Seal {
        by: signer(by, keys),
        id: id.into(),
    })
}

/// Who signs for a step with one of its keys, in the only scheme there is.
pub(super) fn signer(by: &str, keys: &[Arc<Key>]) -> Arc<dyn Sign> {
    Arc::new(StandardWebhooks {
        name: format!("{SCHEME} {by}").into(),
        keys: keys.to_vec(),
    })
}

const SCHEME: &str = "standard-webhooks";

/// Standard Webhooks, symmetric (`v1`): standardwebhooks.com, "Signature scheme".
#[derive(Debug)]
struct StandardWebhooks {
    name: Box<str>,
    /// All of them sign, so that receivers may change over one by one.
    keys: Vec<Arc<Key>>,
}

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

impl Sign for StandardWebhooks {
    fn name(&self) -> &str {
        &self.name
    }

    fn names(&self) -> &'static [&'static str] {
        &[ID, TIMESTAMP, SIGNATURE]
    }

    fn sign(&self, id: &str, now: Arrival, body: &[u8]) -> Vec<(&'static str, String)> {
        let timestamp = (now.unix_ms() / 1_000).to_string();
        let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        let mut signatures = String::new();
        for key in &self.keys {
            let key = std::slice::from_ref(key);
            let message = message.iter().copied();
            // A key that makes no MAC was refused with the configuration.
            if let Ok(mac) = crypto::sign(key, "hmac-sha256", message, Encoding::Base64) {
                signatures.push_str(if signatures.is_empty() { "v1," } else { " v1," });
                signatures.push_str(&mac);
            }
        }
        vec![
            (ID, id.to_owned()),
            (TIMESTAMP, timestamp),
            (SIGNATURE, signatures),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, seal};
    use crate::secret::Secret;
    use std::sync::Arc;

    #[test]
    fn an_id_is_what_no_receiver_can_misread() {
        let keys = [Arc::new(Key::new("test", Secret::new(vec![1; 24])))];
        for id in ["a", "wh_019ab-7", &"x".repeat(256)] {
            let seal = seal("standard-webhooks", "0 p keys", &keys, id.to_owned());
            assert_eq!(seal.unwrap().id.as_ref(), id);
        }
        for id in ["", "a.1", "a b", "a\r\n", "\u{e9}", &"x".repeat(257)] {
            assert!(
                seal("standard-webhooks", "0 p keys", &keys, id.to_owned()).is_none(),
                "{id:?}"
            );
        }
        assert!(seal("another", "0 p keys", &keys, "a".to_owned()).is_none());
    }
}
