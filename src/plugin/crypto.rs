//! The signature checks of the contract: over all active keys of a name, in constant time, the message
//! in pieces so that the body is not copied.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::alphabet;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE_NO_PAD,
};
use base64::engine::{DecodePaddingMode, Engine};
use md5::{Digest as _, Md5};
use tokio::time::Instant;

use super::contract::crypto::{CryptoError, Encoding};
use super::key::{Algorithm, Hash, Key};

/// An RSA signature of 8,192 bits, the longest there is.
const SIGNATURE_BYTES_MAX: usize = 1_024;

const EITHER_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, EITHER_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, EITHER_PADDING);

/// The key that matches the signature, if one does.
///
/// # Errors
/// `unsupported` for an unknown algorithm or when none of the keys fits it, `malformed` when the
/// signature cannot be decoded, `key-unavailable` while newer keys of a set are awaited.
pub(super) fn verify<'k, 'p>(
    keys: &'k [Arc<Key>],
    algorithm: &str,
    message: &(impl Iterator<Item = &'p [u8]> + Clone),
    signature: &str,
    encoding: Encoding,
) -> Result<Option<&'k Arc<Key>>, CryptoError> {
    let algorithm = Algorithm::named(algorithm).ok_or(CryptoError::Unsupported)?;
    let mut buffer = [0_u8; SIGNATURE_BYTES_MAX];
    let signature = decode(signature, encoding, &mut buffer).ok_or(CryptoError::Malformed)?;
    let mut fitting = 0_u32;
    for key in keys {
        let matches = match key.set() {
            None => matches(key, algorithm, message.clone(), signature),
            Some(set) => {
                let keys = set.keys();
                let each = keys.iter();
                each.filter_map(|key| matches(key, algorithm, message.clone(), signature))
                    .reduce(|one, other| one | other)
            }
        };
        fitting += u32::from(matches.is_some());
        if matches == Some(true) {
            return Ok(Some(key));
        }
    }
    let now = Instant::now();
    let mut sets = keys.iter().filter_map(|key| key.set());
    if sets.any(|set| set.missed(now)) {
        return Err(CryptoError::KeyUnavailable);
    }
    if fitting == 0 {
        Err(CryptoError::Unsupported)
    } else {
        Ok(None)
    }
}

/// Whether `signature` is `key`'s over the message; none when the key does not fit the algorithm.
fn matches<'p>(
    key: &Key,
    algorithm: Algorithm,
    message: impl Iterator<Item = &'p [u8]> + Clone,
    signature: &[u8],
) -> Option<bool> {
    let hashed = |algorithm| {
        let mut context = digest::Context::new(algorithm);
        message.clone().for_each(|piece| context.update(piece));
        context.finish()
    };
    Some(match algorithm {
        Algorithm::Hmac(mac) => {
            let tag = authenticate(key.hmac(mac)?, message);
            verify_slices_are_equal(tag.as_ref(), signature).is_ok()
        }
        Algorithm::Ed25519 => {
            let key = key.ed25519()?;
            // The only algorithm that reads the message as a whole.
            with_whole(message, |whole| key.verify_sig(whole, signature).is_ok())
        }
        Algorithm::EcdsaP256 => {
            let key = key.p256(signature)?;
            key.verify_digest_sig(&hashed(&digest::SHA256), signature)
                .is_ok()
        }
        Algorithm::Rsa(hash) => {
            let key = key.rsa(hash)?;
            let algorithm = match hash {
                Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
                Hash::Sha256 => &digest::SHA256,
            };
            key.verify_digest_sig(&hashed(algorithm), signature).is_ok()
        }
    })
}

/// A MAC made with the first of `keys` that can: the newest, by the order in the configuration.
///
/// # Errors
/// `unsupported` for anything but an HMAC, and when no key fits.
pub(super) fn sign<'p>(
    keys: &[Arc<Key>],
    algorithm: &str,
    message: impl Iterator<Item = &'p [u8]>,
    encoding: Encoding,
) -> Result<String, CryptoError> {
    let Some(Algorithm::Hmac(mac)) = Algorithm::named(algorithm) else {
        return Err(CryptoError::Unsupported);
    };
    let key = keys
        .iter()
        .find_map(|key| key.hmac(mac))
        .ok_or(CryptoError::Unsupported)?;
    Ok(encode(authenticate(key, message).as_ref(), encoding))
}

/// The key that equals `candidate`. Hashes are compared, so that time tells not even the length.
pub(super) fn equal<'k>(keys: &'k [Arc<Key>], candidate: &str) -> Option<&'k Arc<Key>> {
    let candidate = digest::digest(&digest::SHA256, candidate.as_bytes());
    keys.iter().find(|key| {
        let secret = digest::digest(&digest::SHA256, key.expose());
        !key.expose().is_empty()
            && verify_slices_are_equal(secret.as_ref(), candidate.as_ref()).is_ok()
    })
}

/// An unkeyed digest of the message.
///
/// # Errors
/// `unsupported` for an unknown algorithm.
pub(super) fn hash<'p>(
    algorithm: &str,
    message: impl Iterator<Item = &'p [u8]>,
    encoding: Encoding,
) -> Result<String, CryptoError> {
    let algorithm = match algorithm {
        "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => &digest::SHA256,
        "sha512" => &digest::SHA512,
        "md5" => {
            let mut context = Md5::new();
            message.for_each(|piece| context.update(piece));
            return Ok(encode(&context.finalize(), encoding));
        }
        "crc32" => {
            let mut context = crc32fast::Hasher::new();
            message.for_each(|piece| context.update(piece));
            return Ok(encode(&context.finalize().to_be_bytes(), encoding));
        }
        _ => return Err(CryptoError::Unsupported),
    };
    let mut context = digest::Context::new(algorithm);
    message.for_each(|piece| context.update(piece));
    Ok(encode(context.finish().as_ref(), encoding))
}

fn authenticate<'p>(key: &hmac::Key, message: impl Iterator<Item = &'p [u8]>) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    message.for_each(|piece| context.update(piece));
    context.sign()
}

/// A message of one piece is read where it lies; another one is put together.
fn with_whole<'p, R>(
    mut message: impl Iterator<Item = &'p [u8]> + Clone,
    read: impl FnOnce(&[u8]) -> R,
) -> R {
    let all = message.clone();
    match (message.next(), message.next()) {
        (None, _) => read(&[]),
        (Some(only), None) => read(only),
        _ => read(&all.fold(Vec::new(), |mut whole, piece| {
            whole.extend_from_slice(piece);
            whole
        })),
    }
}

fn encode(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Hex => {
            const DIGITS: [char; 16] = [
                '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
            ];
            let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
            bytes
                .iter()
                .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
                .collect()
        }
        Encoding::Base64 => STANDARD.encode(bytes),
        Encoding::Base64url => URL_SAFE_NO_PAD.encode(bytes),
    }
}

fn decode<'b>(text: &str, encoding: Encoding, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = match encoding {
        Encoding::Hex => decode_hex(text.as_bytes(), buffer)?,
        Encoding::Base64 => BASE64.decode_slice(text, buffer).ok()?,
        Encoding::Base64url => BASE64_URL.decode_slice(text, buffer).ok()?,
    };
    buffer.get(..length)
}

fn decode_hex(text: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let nibble = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > buffer.len() {
        return None;
    }
    for ([high, low], byte) in pairs.iter().zip(buffer) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(pairs.len())
}

#[cfg(test)]
mod tests;
