//! `crypto` and `signing`: the guest names a key, the host uses it.

use std::sync::Arc;

use tokio::time::Instant;
use wasmtime::Result;

use super::Guest;
use crate::plugin::contract::crypto::{CryptoError, Encoding, Host, Part};
use crate::plugin::contract::signing;
use crate::plugin::key::Key;
use crate::plugin::{At, certificates, crypto, json};
use crate::telemetry::{Checked, Checking, Event, Signed};

/// What an RSA or ECDSA check costs, in the bytes that could be hashed meanwhile (about 64 us).
const ASYMMETRIC_WORK: usize = 64 << 10;

/// The keys that a webhook is checked with.
struct Named {
    keys: Vec<Arc<Key>>,
    /// Whether there may be another one.
    is_awaited: bool,
}

impl Host for Guest {
    fn verify(
        &mut self,
        key: String,
        algorithm: String,
        message: Vec<Part>,
        signature: String,
        encoding: Encoding,
    ) -> Result<Result<bool, CryptoError>> {
        let keys = self.keys(&key).map_or(1, <[_]>::len);
        let fixed = if algorithm.starts_with("hmac-") {
            0
        } else {
            ASYMMETRIC_WORK
        };
        self.charge(&message, fixed, keys)?;
        if self.names_certificates(&key) {
            self.budget.work(self.case.webhook.body.len())?;
        }
        let Some(keys) = self.keys(&key) else {
            return Ok(Err(CryptoError::UnknownKey));
        };
        let named = self.named(keys);
        let keys = named.as_ref().map_or(keys, |named| &named.keys);
        let pieces = self.pieces(&message);
        let mut matched = match keys {
            // Of certificates none is there that counts.
            [] => Ok(None),
            keys => crypto::verify(keys, &algorithm, &pieces, &signature, encoding),
        };
        if named.as_ref().is_some_and(|named| named.is_awaited) && !matches!(matched, Ok(Some(_))) {
            matched = Err(CryptoError::KeyUnavailable);
        }
        if self.case.telemetry.is_heard() {
            self.explain(&key, &algorithm, &message, &signature, encoding, &matched);
        }
        Ok(matched.map(|matched| self.report(&key, matched)))
    }

    fn equals_secret(
        &mut self,
        key: String,
        candidate: String,
    ) -> Result<Result<bool, CryptoError>> {
        let count = self.keys(&key).map_or(1, <[_]>::len);
        self.budget.work(candidate.len().saturating_mul(count))?;
        let Some(keys) = self.keys(&key) else {
            return Ok(Err(CryptoError::UnknownKey));
        };
        Ok(Ok(self.report(&key, crypto::equal(keys, &candidate))))
    }

    fn digest(
        &mut self,
        algorithm: String,
        message: Vec<Part>,
        encoding: Encoding,
    ) -> Result<Result<String, CryptoError>> {
        self.charge(&message, 0, 1)?;
        Ok(crypto::hash(&algorithm, self.pieces(&message), encoding))
    }
}

impl signing::Host for Guest {
    fn sign(
        &mut self,
        key: String,
        algorithm: String,
        message: Vec<Part>,
        encoding: Encoding,
    ) -> Result<Result<String, CryptoError>> {
        self.charge(&message, 0, 1)?;
        let Some(keys) = self.keys(&key).filter(|_| self.may_sign(&key)) else {
            return Ok(Err(CryptoError::UnknownKey));
        };
        Ok(crypto::sign(
            keys,
            &algorithm,
            self.pieces(&message),
            encoding,
        ))
    }
}

impl Guest {
    /// Whether the route lets it sign with this key.
    pub(super) fn may_sign(&self, key: &str) -> bool {
        self.outfit.signing.iter().any(|name| **name == *key)
    }

    pub(super) fn keys(&self, name: &str) -> Option<&[Arc<Key>]> {
        self.outfit
            .keys
            .get(name)
            .map(Vec::as_slice)
            .filter(|keys| !keys.is_empty())
    }

    /// Whether a key of that name is looked for in the body.
    fn names_certificates(&self, name: &str) -> bool {
        let mut keys = self.keys(name).into_iter().flatten();
        keys.any(|key| key.certificates().is_some())
    }

    /// The keys with those of the certificates that the webhook names; none where no key asks for that.
    fn named(&self, keys: &[Arc<Key>]) -> Option<Named> {
        keys.iter().find_map(|key| key.certificates())?;
        let mut named = Named {
            keys: Vec::new(),
            is_awaited: false,
        };
        for key in keys {
            let Some(certificates) = key.certificates() else {
                named.keys.push(Arc::clone(key));
                continue;
            };
            let webhook = &self.case.webhook;
            let url = match certificates.at() {
                At::Header(name) => {
                    let value = webhook.fields.first(name).unwrap_or_default();
                    std::str::from_utf8(value).ok().map(str::to_owned)
                }
                At::Pointer(pointer) => {
                    json::check(&webhook.body).and_then(|text| json::read_string(text, pointer))
                }
            };
            match certificates.named(url.as_deref().unwrap_or_default(), Instant::now()) {
                certificates::Named::Known(key) => named.keys.push(key),
                certificates::Named::Awaited => named.is_awaited = true,
                certificates::Named::Nothing => {}
            }
        }
        Some(named)
    }

    fn pieces<'p>(&'p self, message: &'p [Part]) -> impl Iterator<Item = &'p [u8]> + Clone {
        let webhook = &self.case.webhook;
        message.iter().map(move |part| match part {
            Part::Text(text) => text.as_bytes(),
            Part::Bytes(bytes) => bytes,
            Part::Body => &webhook.body,
            Part::Header(name) => webhook.fields.first(name).unwrap_or_default(),
        })
    }

    /// Tells who asked to hear it what was checked: never a key, never a MAC that was computed.
    fn explain(
        &self,
        key: &str,
        algorithm: &str,
        message: &[Part],
        signature: &str,
        encoding: Encoding,
        matched: &std::result::Result<Option<&Arc<Key>>, CryptoError>,
    ) {
        let Some(plugin) = &self.outfit.meters else {
            return;
        };
        let pieces = message.iter().zip(self.pieces(message));
        let message: Vec<Signed<'_>> = pieces
            .map(|(part, bytes)| match part {
                Part::Text(_) | Part::Bytes(_) => Signed::Given(bytes),
                Part::Header(name) => Signed::Header(name, bytes),
                Part::Body => Signed::Body(bytes),
            })
            .collect();
        let checked = match matched {
            Ok(Some(key)) => Checked::Matches(key.label()),
            Ok(None) => Checked::MatchesNone(self.keys(key).map_or(0, <[_]>::len)),
            Err(CryptoError::UnknownKey) => Checked::Impossible("unknown-key"),
            Err(CryptoError::Unsupported) => Checked::Impossible("unsupported"),
            Err(CryptoError::Malformed) => Checked::Impossible("malformed"),
            Err(CryptoError::KeyUnavailable) => Checked::Impossible("key-unavailable"),
        };
        let checking = Checking {
            plugin,
            key,
            algorithm,
            message: &message,
            signature,
            encoding: match encoding {
                Encoding::Hex => "hex",
                Encoding::Base64 => "base64",
                Encoding::Base64url => "base64url",
            },
            checked,
        };
        let event = Event::SignatureChecked(&checking);
        self.case.telemetry.emit(&event);
    }

    /// Each key reads the message once.
    fn charge(&mut self, message: &[Part], fixed: usize, keys: usize) -> Result<()> {
        let bytes: usize = self
            .pieces(message)
            .map(<[u8]>::len)
            .fold(fixed, usize::saturating_add);
        Ok(self.budget.work(bytes.saturating_mul(keys))?)
    }

    /// The evidence that a rotation waits for: which key it was.
    fn report(&self, name: &str, matched: Option<&Arc<Key>>) -> bool {
        let Some(key) = matched else { return false };
        if let Some(meters) = &self.outfit.meters {
            self.case.telemetry.emit(&Event::KeyMatched {
                id: self.case.webhook.id,
                plugin: meters,
                key: name,
                label: key.label(),
            });
        }
        true
    }
}
