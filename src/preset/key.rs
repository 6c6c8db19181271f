//! How providers write their secrets.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::secret::Secret;

/// How a provider writes its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFormat {
    /// How the text stands for bytes.
    pub encoding: SecretEncoding,
    /// Taken off the front, where it is, before decoding.
    #[serde(default)]
    pub prefix: Option<String>,
}

/// How a secret's text stands for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretEncoding {
    /// The bytes of the text are the key.
    Utf8,
    /// Standard or URL-safe, with or without padding.
    Base64,
    /// Two digits for each byte.
    Hex,
    /// A public key, or a certificate that holds one. Nothing else of a certificate is looked at: it is
    /// the operator who trusts it, by writing it down.
    Pem,
}

impl KeyFormat {
    /// From the text of a secret to the key.
    ///
    /// # Errors
    /// What the text should have been; never the text.
    pub fn decode(&self, text: &[u8]) -> Result<Secret, &'static str> {
        let prefix = self.prefix.as_deref().unwrap_or_default();
        let text = text.strip_prefix(prefix.as_bytes()).unwrap_or(text);
        let bytes = match self.encoding {
            SecretEncoding::Utf8 => Some(text.to_vec()),
            SecretEncoding::Hex => unhex(text),
            SecretEncoding::Base64 => unbase64(text),
            SecretEncoding::Pem => public_key(text),
        };
        bytes.map(Secret::new).ok_or(match self.encoding {
            SecretEncoding::Utf8 => "text",
            SecretEncoding::Hex => "hex",
            SecretEncoding::Base64 => "base64",
            SecretEncoding::Pem => "a public key or a certificate in PEM",
        })
    }

    /// Reads the key that a label names, `env:NAME` or `file:PATH`, from this process's surroundings.
    ///
    /// # Errors
    /// A sentence with the label, never the secret.
    pub fn read(&self, label: &str) -> Result<Secret, String> {
        let text = read(label)?;
        let key = self
            .decode(text.expose())
            .map_err(|what| format!("the secret of `{label}` is not {what}"))?;
        match key.is_empty() {
            true => Err(format!("the secret of `{label}` is empty")),
            false => Ok(key),
        }
    }
}

/// Reads what a label names as it is written.
///
/// # Errors
/// A sentence with the label, never the secret.
pub fn read(label: &str) -> Result<Secret, String> {
    let text = match label.split_once(':') {
        Some(("env", name)) => std::env::var(name)
            .map_err(|_| format!("environment variable `{name}` is not set"))?
            .into_bytes(),
        Some(("file", path)) => {
            let mut text =
                std::fs::read(path).map_err(|error| format!("cannot read `{path}`: {error}"))?;
            // One newline at the end of a file is the editor's.
            text.pop_if(|byte| *byte == b'\n');
            text.pop_if(|byte| *byte == b'\r');
            text
        }
        _ => return Err(format!("`{label}` cannot be read from here")),
    };
    Ok(Secret::new(text))
}

fn public_key(pem: &[u8]) -> Option<Vec<u8>> {
    if let Ok(key) = SubjectPublicKeyInfoDer::from_pem_slice(pem) {
        return Some(key.to_vec());
    }
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let certificate = webpki::EndEntityCert::try_from(&certificate).ok()?;
    Some(certificate.subject_public_key_info().to_vec())
}

fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let decode = |alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok();
    decode(&alphabet::STANDARD).or_else(|| decode(&alphabet::URL_SAFE))
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16)?).ok();
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    text.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::{KeyFormat, SecretEncoding};

    fn key(
        text: &str,
        encoding: SecretEncoding,
        prefix: Option<&str>,
    ) -> Result<Vec<u8>, &'static str> {
        let format = KeyFormat {
            encoding,
            prefix: prefix.map(Into::into),
        };
        format
            .decode(text.as_bytes())
            .map(|key| key.expose().to_vec())
    }

    #[test]
    fn a_key_is_decoded_as_it_is_declared() {
        let hi = Ok(b"hi".to_vec());

        assert_eq!(
            key("whsec_aGk=", SecretEncoding::Base64, Some("whsec_")),
            hi
        );
        assert_eq!(
            key("aGk", SecretEncoding::Base64, Some("whsec_")),
            hi,
            "prefix and padding are optional"
        );
        assert_eq!(
            key("whsec_aGk", SecretEncoding::Utf8, None),
            Ok(b"whsec_aGk".to_vec())
        );
        assert_eq!(key("6869", SecretEncoding::Hex, None), hi);
        assert_eq!(key("686", SecretEncoding::Hex, None), Err("hex"));
        assert_eq!(key("+68", SecretEncoding::Hex, None), Err("hex"));
        assert_eq!(key("a b", SecretEncoding::Base64, None), Err("base64"));
    }

    #[test]
    fn a_certificate_stands_for_its_public_key() {
        let pair = rcgen::generate_simple_self_signed(["sender".to_owned()]).unwrap();
        let key_pem = pair.signing_key.public_key_pem();

        let from_certificate = key(&pair.cert.pem(), SecretEncoding::Pem, None).unwrap();

        assert_eq!(
            Ok(from_certificate),
            key(&key_pem, SecretEncoding::Pem, None)
        );
        let secret = pair.signing_key.serialize_pem();
        assert!(key(&secret, SecretEncoding::Pem, None).is_err());
        assert!(key("text", SecretEncoding::Pem, None).is_err());
    }
}
