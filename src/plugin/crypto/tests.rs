//! Official vectors, and what must not verify.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256};

use super::*;
use crate::plugin::contract::crypto::Encoding::{Base64, Base64url, Hex};
use crate::secret::Secret;

fn key(bytes: &[u8]) -> Arc<Key> {
    Arc::new(Key::new("env:KEY", Secret::new(bytes.to_vec())))
}

fn bytes(hex: &str) -> Vec<u8> {
    let mut buffer = [0; 4096];
    let length = decode_hex(hex.as_bytes(), &mut buffer).unwrap();
    buffer[..length].to_vec()
}

fn check(
    keys: &[Arc<Key>],
    algorithm: &str,
    message: &[&[u8]],
    text: &str,
    encoding: Encoding,
) -> Result<bool, CryptoError> {
    verify(keys, algorithm, &message.iter().copied(), text, encoding).map(|key| key.is_some())
}

/// RFC 4231 section 4.3 and RFC 2202 section 3, test case 2 of both.
#[test]
fn hmac_of_the_rfcs() {
    let keys = [key(b"Jefe")];
    let message: &[&[u8]] = &[b"what do ya want ", b"", b"for nothing?"];
    for (algorithm, mac) in [
        ("hmac-sha1", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (
            "hmac-sha256",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "hmac-sha384",
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            "hmac-sha512",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ] {
        assert_eq!(
            check(&keys, algorithm, message, mac, Hex),
            Ok(true),
            "{algorithm}"
        );
        assert_eq!(
            check(&keys, algorithm, message, &mac.to_uppercase(), Hex),
            Ok(true)
        );
        assert_eq!(
            check(&keys, algorithm, &[b"other"], mac, Hex),
            Ok(false),
            "{algorithm}"
        );
        assert_eq!(
            check(&keys, algorithm, message, mac.get(2..).unwrap(), Hex),
            Ok(false)
        );
        assert_eq!(check(&keys, algorithm, message, "", Hex), Ok(false));
        assert_eq!(
            sign(&keys, algorithm, message.iter().copied(), Hex).unwrap(),
            mac
        );
    }
}

/// GitHub's documentation, "Validating webhook deliveries": its own test value.
#[test]
fn hmac_of_github() {
    let keys = [key(b"It's a Secret to Everybody")];
    let mac = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    assert_eq!(
        check(&keys, "hmac-sha256", &[b"Hello, World!"], mac, Hex),
        Ok(true)
    );
}

/// RFC 8032 section 7.1, test 3.
#[test]
fn ed25519_of_rfc_8032() {
    let keys = [key(&bytes(
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    ))];
    let signature = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";

    assert_eq!(
        check(&keys, "ed25519", &[&[0xaf, 0x82]], signature, Hex),
        Ok(true)
    );
    assert_eq!(
        check(&keys, "ed25519", &[&[0xaf], &[0x82]], signature, Hex),
        Ok(true)
    );
    assert_eq!(
        check(&keys, "ed25519", &[&[0xaf], &[0x83]], signature, Hex),
        Ok(false)
    );
    assert_eq!(check(&keys, "ed25519", &[], signature, Hex), Ok(false));
}

/// RFC 6979 appendix A.2.5, message "sample" with SHA-256: a signature in the fixed form.
#[test]
fn ecdsa_of_rfc_6979() {
    let point = "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    let fixed = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    let (r, s) = fixed.split_at(64);
    let der = format!("3046022100{r}022100{s}");
    let keys = [key(&bytes(point))];

    assert_eq!(
        check(&keys, "ecdsa-p256-sha256", &[b"sam", b"ple"], fixed, Hex),
        Ok(true)
    );
    assert_eq!(
        check(&keys, "ecdsa-p256-sha256", &[b"sample"], &der, Hex),
        Ok(true)
    );
    assert_eq!(
        check(&keys, "ecdsa-p256-sha256", &[b"simple"], fixed, Hex),
        Ok(false)
    );
    assert_eq!(
        check(&keys, "ecdsa-p256-sha256", &[b"simple"], &der, Hex),
        Ok(false)
    );
}

#[test]
fn public_keys_are_read_from_der_and_pem() {
    let random = SystemRandom::new();
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let mut rsa_signature = vec![0; rsa.public_modulus_len()];
    rsa.sign(&RSA_PKCS1_SHA256, &random, b"message", &mut rsa_signature)
        .unwrap();
    let p256 = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let p256_signature = p256.sign(&random, b"message").unwrap();
    let ed = Ed25519KeyPair::generate().unwrap();
    let ed_signature = ed.sign(b"message");
    let der = |key: &dyn AsDer<PublicKeyX509Der<'static>>| key.as_der().unwrap().as_ref().to_vec();
    for (algorithm, der, signature) in [
        (
            "rsa-v1_5-sha256",
            der(rsa.public_key()),
            rsa_signature.as_slice(),
        ),
        (
            "ecdsa-p256-sha256",
            der(p256.public_key()),
            p256_signature.as_ref(),
        ),
        ("ed25519", der(ed.public_key()), ed_signature.as_ref()),
    ] {
        let text = STANDARD.encode(signature);
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(&der)
        );
        for keys in [[key(&der)], [key(pem.as_bytes())]] {
            assert_eq!(
                check(&keys, algorithm, &[b"mess", b"age"], &text, Base64),
                Ok(true),
                "{algorithm}"
            );
            assert_eq!(
                check(&keys, algorithm, &[b"massage"], &text, Base64),
                Ok(false),
                "{algorithm}"
            );
            assert_eq!(keys[0].fits(algorithm), Ok(()));
        }
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let p256 = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let der: PublicKeyX509Der<'_> = p256.public_key().as_der().unwrap();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, der.as_ref()), b"message");
    let text = encode(mac.as_ref(), Hex);
    let keys = [key(der.as_ref())];

    assert_eq!(
        check(&keys, "hmac-sha256", &[b"message"], &text, Hex),
        Err(CryptoError::Unsupported)
    );
    assert_eq!(
        keys[0].fits("hmac-sha256").unwrap_err(),
        "does not fit `hmac-sha256`, which needs a shared secret, and this is a public key"
    );
}

#[test]
fn an_empty_key_verifies_nothing() {
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), b"message");
    let keys = [key(b"")];

    assert_eq!(
        check(
            &keys,
            "hmac-sha256",
            &[b"message"],
            &encode(mac.as_ref(), Hex),
            Hex
        ),
        Err(CryptoError::Unsupported)
    );
    assert!(equal(&keys, "").is_none());
    assert_eq!(
        keys[0].fits("hmac-sha1").unwrap_err(),
        "is empty: everybody can sign with an empty key"
    );
}

#[test]
fn a_key_says_what_it_is_not() {
    assert_eq!(
        key(b"x").fits("ed25519").unwrap_err(),
        "does not fit `ed25519`, which needs an Ed25519 public key: 32 bytes, or as SubjectPublicKeyInfo in PEM or DER"
    );
    assert_eq!(
        key(b"x").fits("hmac-md5").unwrap_err(),
        "cannot be used with `hmac-md5`; known are: hmac-sha1, hmac-sha256, hmac-sha384, hmac-sha512, ed25519, ecdsa-p256-sha256, rsa-v1_5-sha1, rsa-v1_5-sha256"
    );
}

#[test]
fn all_keys_of_a_name_are_tried_and_the_match_is_known() {
    let keys = [
        key(b"new"),
        Arc::new(Key::new("env:OLD", Secret::new(b"old".to_vec()))),
    ];
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"old"), b"message");
    let text = STANDARD.encode(mac.as_ref());

    let matched = verify(
        &keys,
        "hmac-sha256",
        &[&b"message"[..]].into_iter(),
        &text,
        Base64,
    );

    assert_eq!(&**matched.unwrap().unwrap().label(), "env:OLD");
    assert_eq!(&**equal(&keys, "old").unwrap().label(), "env:OLD");
    assert!(equal(&keys, "olD").is_none());
    assert!(equal(&keys, "").is_none());
}

#[test]
fn padding_is_read_either_way_and_alphabets_are_not_mixed() {
    let keys = [key(b"k")];
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, b"k"), b"7");
    let (padded, bare) = (
        STANDARD.encode(mac.as_ref()),
        URL_SAFE_NO_PAD.encode(mac.as_ref()),
    );
    assert!(
        padded.contains(['+', '/']) && padded.ends_with('='),
        "{padded}"
    );

    for (text, encoding, answer) in [
        (padded.clone(), Base64, Ok(true)),
        (padded.trim_end_matches('=').into(), Base64, Ok(true)),
        (bare.clone(), Base64url, Ok(true)),
        (format!("{bare}=="), Base64url, Ok(true)),
        (bare, Base64, Err(CryptoError::Malformed)),
        (padded, Base64url, Err(CryptoError::Malformed)),
        ("abc".into(), Hex, Err(CryptoError::Malformed)),
        ("zz".into(), Hex, Err(CryptoError::Malformed)),
        ("é".into(), Hex, Err(CryptoError::Malformed)),
        (
            "00".repeat(SIGNATURE_BYTES_MAX + 1),
            Hex,
            Err(CryptoError::Malformed),
        ),
    ] {
        assert_eq!(
            check(&keys, "hmac-sha512", &[b"7"], &text, encoding),
            answer,
            "{text}"
        );
    }
}

/// RFC 3174 (sha1), FIPS 180-4 examples (sha256, sha512) and RFC 1321 (md5) over "abc"; CRC-32/ISO-HDLC's check value.
#[test]
fn digests_of_the_standards() {
    let hash = |algorithm, message: &'static [&'static [u8]]| {
        hash(algorithm, message.iter().copied(), Hex).unwrap()
    };

    assert_eq!(
        hash("sha1", &[b"abc"]),
        "a9993e364706816aba3e25717850c26c9cd0d89d"
    );
    assert_eq!(
        hash("sha256", &[b"a", b"bc"]),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hash("sha512", &[b"abc"]),
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
    );
    assert_eq!(
        hash("md5", &[b"ab", b"c"]),
        "900150983cd24fb0d6963f7d28e17f72"
    );
    assert_eq!(hash("crc32", &[b"1234", b"56789"]), "cbf43926");
    assert_eq!(
        super::hash("sha3", std::iter::empty(), Hex),
        Err(CryptoError::Unsupported)
    );
}
