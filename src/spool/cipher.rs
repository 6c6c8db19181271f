//! Rows that only a holder of the key can read, or make.
//!
//! AES-256-GCM with a key of each start's own: HKDF-SHA256 (RFC 5869) over the operator's secret and a
//! random salt, which stands in front of each row. A nonce is a count from 0 under that key, so none is
//! ever used twice (NIST SP 800-38D, 8.2.1), however many rows there are in however many years. The row's
//! table and number are authenticated with it: a row cannot be put in another one's place.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;

use crate::secret::Secret;

const SALT_BYTES: usize = 16;
const COUNT_BYTES: usize = 8;
const INFO: &[u8] = b"hookgate spool 1";

/// Seals with this start's key, and opens with any start's.
pub(super) struct Cipher {
    secret: Arc<Secret>,
    salt: [u8; SALT_BYTES],
    key: LessSafeKey,
    sealed: AtomicU64,
}

/// Opens rows; the keys of earlier starts are derived once.
pub(super) struct Opener<'c> {
    cipher: &'c Cipher,
    keys: HashMap<[u8; SALT_BYTES], LessSafeKey>,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher(..)")
    }
}

impl Cipher {
    /// # Errors
    /// A machine without randomness.
    pub(super) fn new(secret: Arc<Secret>) -> Result<Self, Unspecified> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt)?;
        Ok(Self {
            key: derive(&secret, &salt)?,
            secret,
            salt,
            sealed: AtomicU64::new(0),
        })
    }

    /// Puts the sealed bytes of `plain` behind what is in `out`.
    pub(super) fn seal(
        &self,
        place: &[u8],
        plain: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Unspecified> {
        let count = self.sealed.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        let place = Aad::from(place);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(count), place, plain)?;
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&count);
        out.extend_from_slice(plain);
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    pub(super) fn opener(&self) -> Opener<'_> {
        Opener {
            cipher: self,
            keys: HashMap::new(),
        }
    }
}

impl Opener<'_> {
    /// The bytes again; nothing where they were sealed with another secret, for another place, or are
    /// not as they were.
    pub(super) fn open(&mut self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (salt, rest) = sealed.split_first_chunk::<SALT_BYTES>()?;
        let (count, rest) = rest.split_first_chunk::<COUNT_BYTES>()?;
        if !self.keys.contains_key(salt) {
            let key = derive(&self.cipher.secret, salt).ok()?;
            self.keys.insert(*salt, key);
        }
        let mut plain = rest.to_vec();
        let key = self.keys.get(salt)?;
        let opened = key.open_in_place(nonce(*count), Aad::from(place), &mut plain);
        let length = opened.ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

fn nonce(count: [u8; COUNT_BYTES]) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    for (byte, of) in nonce.iter_mut().zip(count) {
        *byte = of;
    }
    Nonce::assume_unique_for_key(nonce)
}

fn derive(secret: &Secret, salt: &[u8; SALT_BYTES]) -> Result<LessSafeKey, Unspecified> {
    let salt = Salt::new(HKDF_SHA256, salt);
    let expanded = salt.extract(secret.expose());
    let key = expanded.expand(&[INFO], &AES_256_GCM)?;
    Ok(LessSafeKey::new(UnboundKey::from(key)))
}

#[cfg(test)]
mod tests {
    use super::{Cipher, SALT_BYTES};
    use crate::secret::Secret;
    use std::sync::Arc;

    fn cipher(byte: u8) -> Cipher {
        Cipher::new(Arc::new(Secret::new(vec![byte; 32]))).unwrap()
    }

    fn sealed(by: &Cipher) -> Vec<u8> {
        let mut out = Vec::new();
        by.seal(b"here", &mut b"plain".to_vec(), &mut out).unwrap();
        out
    }

    #[test]
    fn another_start_with_the_same_secret_opens_it() {
        let (first, second) = (cipher(1), cipher(1));
        let opened = second.opener().open(b"here", &sealed(&first));
        assert_eq!(opened.as_deref(), Some(b"plain".as_slice()));
    }

    #[test]
    fn another_secret_another_place_and_any_changed_byte_do_not() {
        let cipher_of_one = cipher(1);
        let row = sealed(&cipher_of_one);
        assert!(cipher(2).opener().open(b"here", &row).is_none());
        assert!(cipher_of_one.opener().open(b"there", &row).is_none());
        for at in 0..row.len() {
            let mut changed = row.clone();
            changed[at] ^= 1;
            assert!(cipher_of_one.opener().open(b"here", &changed).is_none());
            assert!(cipher_of_one.opener().open(b"here", &row[..at]).is_none());
        }
    }

    #[test]
    fn the_same_bytes_are_never_sealed_alike() {
        let cipher = cipher(1);
        let (first, second) = (sealed(&cipher), sealed(&cipher));
        assert_eq!(first[..SALT_BYTES], second[..SALT_BYTES]);
        assert_ne!(first[SALT_BYTES..], second[SALT_BYTES..]);
    }
}
