//! A key that a plugin may name and never sees.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use aws_lc_rs::{digest, hmac};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::Instant;

use super::certificates::{At, Certificates};
use super::fetched::Fetched;
use super::jwk::{self, Jwk};
use crate::secret::Secret;

/// The algorithms of the contract, in the order in which a message lists them.
pub(super) const ALGORITHMS: [(&str, Algorithm); 8] = [
    ("hmac-sha1", Algorithm::Hmac(Mac::Sha1)),
    ("hmac-sha256", Algorithm::Hmac(Mac::Sha256)),
    ("hmac-sha384", Algorithm::Hmac(Mac::Sha384)),
    ("hmac-sha512", Algorithm::Hmac(Mac::Sha512)),
    ("ed25519", Algorithm::Ed25519),
    ("ecdsa-p256-sha256", Algorithm::EcdsaP256),
    ("rsa-v1_5-sha1", Algorithm::Rsa(Hash::Sha1)),
    ("rsa-v1_5-sha256", Algorithm::Rsa(Hash::Sha256)),
];

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hmac(Mac),
    Ed25519,
    EcdsaP256,
    Rsa(Hash),
}

/// The hash inside an HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// The hash under an RSA signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Algorithm {
    /// By its name in the contract.
    pub(super) fn named(name: &str) -> Option<Self> {
        ALGORITHMS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, algorithm)| *algorithm)
    }
}

/// One secret or public key, with what was prepared from it; or a set of public keys that its owner
/// publishes and changes; or those of the certificates that webhooks name.
pub struct Key {
    label: Arc<str>,
    set: Option<Fetched>,
    certificates: Option<Certificates>,
    bytes: Secret,
    nature: Nature,
    sha1: OnceLock<hmac::Key>,
    sha256: OnceLock<hmac::Key>,
    sha384: OnceLock<hmac::Key>,
    sha512: OnceLock<hmac::Key>,
    ed25519: OnceLock<Option<ParsedPublicKey>>,
    p256_der: OnceLock<Option<ParsedPublicKey>>,
    p256_fixed: OnceLock<Option<ParsedPublicKey>>,
    rsa_sha1: OnceLock<Option<ParsedPublicKey>>,
    rsa_sha256: OnceLock<Option<ParsedPublicKey>>,
}

/// What the bytes must be, where their form tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    /// Encoded as a public key: everybody may know it, so no MAC may be made with it. A plugin that
    /// let the sender choose the algorithm would otherwise accept what the sender signed himself.
    Public,
    /// Shared secrets; and Ed25519 keys of 32 raw bytes, which look the same.
    Any,
}

impl Key {
    /// From raw bytes: a shared secret; a public key as `SubjectPublicKeyInfo` in PEM or DER; an Ed25519
    /// public key of 32 bytes; or any of these as a JWK (RFC 7517). `label` is where it came from, such as `env:NAME`: it stands
    /// in logs in place of the key.
    #[must_use]
    pub fn new(label: impl Into<Arc<str>>, secret: Secret) -> Self {
        let (bytes, nature) = match jwk::read(secret.expose()) {
            Some(Jwk::Shared(bytes)) => (Secret::new(bytes), Nature::Any),
            Some(Jwk::Public(der)) => (Secret::new(der), Nature::Public),
            // No byte of it may be taken for a key of another kind.
            Some(Jwk::Unusable) => (Secret::new(vec![0]), Nature::Public),
            None => match SubjectPublicKeyInfoDer::from_pem_slice(secret.expose()) {
                Ok(der) => (Secret::new(der.to_vec()), Nature::Any),
                Err(_) => (secret, Nature::Any),
            },
        };
        let mut key = Self {
            label: label.into(),
            set: None,
            certificates: None,
            bytes,
            nature,
            sha1: OnceLock::new(),
            sha256: OnceLock::new(),
            sha384: OnceLock::new(),
            sha512: OnceLock::new(),
            ed25519: OnceLock::new(),
            p256_der: OnceLock::new(),
            p256_fixed: OnceLock::new(),
            rsa_sha1: OnceLock::new(),
            rsa_sha256: OnceLock::new(),
        };
        let raw = key.bytes.expose().len() == digest::SHA256_OUTPUT_LEN;
        if !raw
            && (key.ed25519().is_some()
                || key.p256(&[]).is_some()
                || key.rsa(Hash::Sha256).is_some())
        {
            key.nature = Nature::Public;
        }
        key
    }

    /// The public keys of a JWK set (RFC 7517, section 5), as it was published at `asked`, or at some
    /// other time: then a newer one is wanted. `label` is where it is published.
    ///
    /// # Errors
    /// As [`replace`](Self::replace).
    pub fn published(
        label: impl Into<Arc<str>>,
        jwks: &[u8],
        asked: Option<Instant>,
    ) -> Result<Self, String> {
        let label = label.into();
        let keys = jwk::set(&label, jwks)?;
        // Its own bytes are nobody's key.
        let mut key = Self::new(label, Secret::new(vec![0]));
        key.nature = Nature::Public;
        key.set = Some(Fetched::new(keys, asked));
        Ok(key)
    }

    /// The keys of the certificates that webhooks name, at hosts that `host` means (labels, of which `*`
    /// is any) and at paths with this suffix. `label` is what is said of them.
    #[must_use]
    pub fn certified(label: impl Into<Arc<str>>, at: At, host: &str, suffix: &str) -> Self {
        let mut key = Self::new(label, Secret::new(vec![0]));
        key.nature = Nature::Public;
        key.certificates = Some(Certificates::new(at, host, suffix));
        key
    }

    /// The URLs of certificates that somebody should fetch.
    #[must_use]
    pub fn wanted_certificates(&self) -> Vec<Box<str>> {
        let certificates = self.certificates.as_ref();
        certificates.map_or_else(Vec::new, Certificates::wanted)
    }

    /// What was found at a URL: a public key (`SubjectPublicKeyInfo`, DER), `Ok(None)` where there is no
    /// certificate that counts, or nothing at all for now (`Err`).
    pub fn settle_certificate(&self, url: &str, found: Result<Option<Vec<u8>>, ()>, now: Instant) {
        let Some(certificates) = &self.certificates else {
            return;
        };
        match found {
            Ok(found) => {
                let key = |der| Arc::new(Self::new(Arc::clone(&self.label), Secret::new(der)));
                certificates.settle(url, found.map(key), now);
            }
            Err(()) => certificates.give_up(url),
        }
    }

    pub(super) fn certificates(&self) -> Option<&Certificates> {
        self.certificates.as_ref()
    }

    /// Puts the keys of another JWK set in force, or tells why there are none (`Err`): then the old ones
    /// stay. Gives how many there are.
    ///
    /// # Errors
    /// Why there are none, as the rest of a sentence about the owner's answer.
    pub fn replace(&self, jwks: Result<&[u8], String>, now: Instant) -> Result<usize, String> {
        let keys = jwks.and_then(|jwks| jwk::set(&self.label, jwks));
        let count = keys.as_ref().map(Vec::len).map_err(Clone::clone);
        if let Some(set) = &self.set {
            set.settle(keys.ok(), now);
        }
        count
    }

    /// Whether newer keys of a set are wanted before their time.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.set.as_ref().is_some_and(Fetched::is_wanted)
    }

    pub(super) fn set(&self) -> Option<&Fetched> {
        self.set.as_ref()
    }

    /// Where it came from, such as `env:NAME`.
    #[must_use]
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// Tells equal keys from others, within this process only: it is never written anywhere.
    #[must_use]
    pub fn digest(&self) -> [u8; digest::SHA256_OUTPUT_LEN] {
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        hash.copy_from_slice(digest::digest(&digest::SHA256, self.bytes.expose()).as_ref());
        hash
    }

    /// Whether it can be used with `algorithm`.
    ///
    /// # Errors
    /// The rest of a sentence that begins with the key: what is wrong and what would be right.
    pub fn fits(&self, algorithm: &str) -> Result<(), String> {
        const FORMS: &str = "as SubjectPublicKeyInfo in PEM or DER";
        let Some(parsed) = Algorithm::named(algorithm) else {
            let known: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
            return Err(format!(
                "cannot be used with `{algorithm}`; known are: {}",
                known.join(", ")
            ));
        };
        if self.certificates.is_some() {
            // What they hold is known when a webhook names one.
            return match parsed {
                Algorithm::Rsa(_) | Algorithm::EcdsaP256 => Ok(()),
                Algorithm::Hmac(_) | Algorithm::Ed25519 => {
                    Err(format!("are no keys for `{algorithm}`"))
                }
            };
        }
        if let Some(set) = &self.set {
            let keys = set.keys();
            return match keys.iter().any(|key| key.fits(algorithm).is_ok()) {
                true => Ok(()),
                false => Err(format!("has no key that fits `{algorithm}`")),
            };
        }
        let (fits, needs) = match parsed {
            Algorithm::Hmac(_) if self.bytes.is_empty() => {
                return Err("is empty: everybody can sign with an empty key".into());
            }
            Algorithm::Hmac(mac) => (
                self.hmac(mac).is_some(),
                "a shared secret, and this is a public key".into(),
            ),
            Algorithm::Ed25519 => (
                self.ed25519().is_some(),
                format!("an Ed25519 public key: 32 bytes, or {FORMS}"),
            ),
            Algorithm::EcdsaP256 => (
                self.p256(&[]).is_some(),
                format!("a P-256 public key {FORMS}"),
            ),
            Algorithm::Rsa(hash) => (
                self.rsa(hash).is_some(),
                format!("an RSA public key of 2048 to 8192 bits {FORMS}"),
            ),
        };
        if fits {
            Ok(())
        } else {
            Err(format!("does not fit `{algorithm}`, which needs {needs}"))
        }
    }

    /// The bytes, for comparison in constant time.
    pub(super) fn expose(&self) -> &[u8] {
        self.bytes.expose()
    }

    pub(super) fn hmac(&self, mac: Mac) -> Option<&hmac::Key> {
        if self.bytes.is_empty() || self.nature == Nature::Public {
            return None;
        }
        let (slot, algorithm) = match mac {
            Mac::Sha1 => (&self.sha1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            Mac::Sha256 => (&self.sha256, hmac::HMAC_SHA256),
            Mac::Sha384 => (&self.sha384, hmac::HMAC_SHA384),
            Mac::Sha512 => (&self.sha512, hmac::HMAC_SHA512),
        };
        Some(slot.get_or_init(|| hmac::Key::new(algorithm, self.bytes.expose())))
    }

    pub(super) fn ed25519(&self) -> Option<&ParsedPublicKey> {
        self.public(&self.ed25519, &signature::ED25519)
    }

    /// For a signature of 64 bytes the fixed form (as in JWT), else DER. A DER signature of 64 bytes
    /// would need integers that are six bytes too short: once in 2^48.
    pub(super) fn p256(&self, signature: &[u8]) -> Option<&ParsedPublicKey> {
        if signature.len() == 64 {
            self.public(&self.p256_fixed, &signature::ECDSA_P256_SHA256_FIXED)
        } else {
            self.public(&self.p256_der, &signature::ECDSA_P256_SHA256_ASN1)
        }
    }

    pub(super) fn rsa(&self, hash: Hash) -> Option<&ParsedPublicKey> {
        match hash {
            Hash::Sha1 => self.public(
                &self.rsa_sha1,
                &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            ),
            Hash::Sha256 => self.public(&self.rsa_sha256, &signature::RSA_PKCS1_2048_8192_SHA256),
        }
    }

    fn public<'k>(
        &self,
        slot: &'k OnceLock<Option<ParsedPublicKey>>,
        algorithm: &'static dyn VerificationAlgorithm,
    ) -> Option<&'k ParsedPublicKey> {
        slot.get_or_init(|| ParsedPublicKey::new(algorithm, self.bytes.expose()).ok())
            .as_ref()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}
