//! Keys that are made up: once in a process, where somebody asks for one of their kind. They sign golden
//! webhooks and nothing else, and only the verifier under test is given their public half.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::preset::Algorithm;

/// As long as the longest hash that a MAC is made with asks for (RFC 2104, section 3), in hex.
const SECRET_BYTES: usize = 32;

/// A secret, which is its own public half, or a private key (PKCS #8, DER) and its public one.
pub(super) struct Pair {
    pub(super) private: Vec<u8>,
    pub(super) public: Vec<u8>,
}

/// Keys for an algorithm; none when the system has no randomness.
pub(super) fn of(algorithm: Algorithm) -> Option<&'static Pair> {
    static SHARED: LazyLock<Option<Pair>> = LazyLock::new(|| shared().ok());
    static ED25519: LazyLock<Option<Pair>> = LazyLock::new(|| ed25519().ok());
    static P256: LazyLock<Option<Pair>> = LazyLock::new(|| p256().ok());
    static RSA: LazyLock<Option<Pair>> = LazyLock::new(|| rsa().ok());
    match algorithm {
        Algorithm::HmacSha1
        | Algorithm::HmacSha256
        | Algorithm::HmacSha384
        | Algorithm::HmacSha512
        | Algorithm::Token => SHARED.as_ref(),
        Algorithm::Ed25519 => ED25519.as_ref(),
        Algorithm::EcdsaP256Sha256 => P256.as_ref(),
        Algorithm::RsaSha1 | Algorithm::RsaSha256 => RSA.as_ref(),
    }
}

fn shared() -> Result<Pair, Unspecified> {
    let mut bytes = [0; SECRET_BYTES];
    SystemRandom::new().fill(&mut bytes)?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Pair {
        private: text.clone().into_bytes(),
        public: text.into_bytes(),
    })
}

fn ed25519() -> Result<Pair, Unspecified> {
    let pair = Ed25519KeyPair::generate()?;
    Ok(Pair {
        private: pair.to_pkcs8()?.as_ref().to_vec(),
        public: pair.public_key().as_ref().to_vec(),
    })
}

fn p256() -> Result<Pair, Unspecified> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok(Pair {
        private: pair.to_pkcs8v1()?.as_ref().to_vec(),
        public: public.as_ref().to_vec(),
    })
}

fn rsa() -> Result<Pair, Unspecified> {
    // No route ever has its public half, so it is no secret. To make one up takes up to 150 ms, and
    // nobody should wait for it at every start.
    const PKCS8: &str = include_str!("rsa.base64");
    let lines: String = PKCS8.lines().collect();
    let private = STANDARD.decode(lines).map_err(|_damaged| Unspecified)?;
    let pair = RsaKeyPair::from_pkcs8(&private)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok(Pair {
        private,
        public: public.as_ref().to_vec(),
    })
}
