//! Keys by their names: what `check` says about them, and what a failed use of one means.

use crate::crypto::{self, CryptoError, Encoding};
use crate::json::{Json, pointer};
use crate::problem::Problems;
use crate::verify::{Failure, Rejection, Verdict};

/// Where a secret belongs, as an operator reads it.
const PLACES: &str = "`{ env = \"…\" }`, `{ file = \"…\" }` or `{ credential = \"…\" }`";

/// How the contract's `check` says that a value must not be shown.
const IN_THE_OPEN: &str = "a secret is not written into the file";

impl Problems {
    /// The name of the key at member `name`: the host has put it in the place of one secret or a list
    /// of them. `path` is the table's dotted path, by which the host names the keys in it.
    pub fn key<'a>(
        &mut self,
        at: &str,
        path: &str,
        table: &'a Json<'_>,
        name: &str,
    ) -> Option<&'a str> {
        let dotted = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        match table.get(name) {
            None => self.add(
                at,
                format!("`{name}` is missing: {PLACES}, or a list of them"),
            ),
            Some(Json::Text(key)) if *key == dotted => return Some(key),
            // It may be the secret itself: at these words the host covers the place in its report.
            Some(_) => self.add(
                pointer(at, name),
                format!("{IN_THE_OPEN}: {PLACES}, or a list of them"),
            ),
        }
        None
    }
}

/// Whether `candidate` is one of the secrets of that name, in constant time.
///
/// # Errors
/// A failure, when the host cannot say.
pub fn equals(key: &str, candidate: &str) -> Result<bool, Failure> {
    crypto::equals_secret(key, candidate).map_err(|error| unusable(error, key, "equality"))
}

/// What it means that the host could not use `key` with `algorithm`: never the sender's fault.
#[must_use]
pub fn unusable(error: CryptoError, key: &str, algorithm: &str) -> Failure {
    match error {
        CryptoError::KeyUnavailable => {
            Failure::Temporary(format!("the key `{key}` is not available now"))
        }
        CryptoError::UnknownKey => Failure::Permanent(format!("the route has no key `{key}`")),
        CryptoError::Unsupported | CryptoError::Malformed => Failure::Permanent(format!(
            "`{algorithm}` is unknown or does not fit the key `{key}`"
        )),
    }
}

/// The sender is not who it says, or does not say it right.
#[must_use]
pub fn unauthorized(reason: impl Into<String>) -> Verdict {
    Verdict::Reject(Rejection {
        status: 401,
        reason: reason.into(),
    })
}

/// Whether one of the keys of that name can be used with `algorithm`. For `check`, where the host lends
/// the step's keys.
#[must_use]
pub fn fits(key: &str, algorithm: &str) -> bool {
    // An empty signature decodes and matches nothing, so the answer is about the key alone.
    crypto::verify(key, algorithm, &[], "", Encoding::Hex) != Err(CryptoError::Unsupported)
}
