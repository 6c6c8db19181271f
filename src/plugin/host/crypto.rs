//! `crypto` and `signing`: the guest names a key, the host uses it.

use std::sync::Arc;

use wasmtime::Result;

use super::Guest;
use crate::plugin::contract::crypto::{CryptoError, Encoding, Host, Part};
use crate::plugin::contract::signing;
use crate::plugin::crypto;
use crate::plugin::key::Key;
use crate::telemetry::{Checked, Checking, Event, Signed};

/// What an RSA or ECDSA check costs, in the bytes that could be hashed meanwhile (about 64 us).
const ASYMMETRIC_WORK: usize = 64 << 10;

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
        let Some(keys) = self.keys(&key) else {
            return Ok(Err(CryptoError::UnknownKey));
        };
        let pieces = self.pieces(&message);
        let matched = crypto::verify(keys, &algorithm, &pieces, &signature, encoding);
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
