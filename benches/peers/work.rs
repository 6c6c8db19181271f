//! The work: one webhook as GitHub sends it, signed, as the bytes on the wire; and a certificate.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::Failure;

/// The key that signs; not a secret, since it is here.
pub(crate) const SECRET: &str = "what-the-benchmark-signs-with";

/// Where the webhook is sent.
pub(crate) const PATH: &str = "/hook";

/// A median GitHub webhook is a few KiB; this is the size that the goals are stated for.
const BODY_BYTES: usize = 2048;

/// What a sender does with its connection after one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Uses it for the next one.
    Kept,
    /// Closes it, as most senders do.
    Closed,
}

/// Whether the signature is the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    /// Made with [`SECRET`].
    Genuine,
    /// Well-formed, but made without it.
    Forged,
}

/// The webhook on the wire: head with 15 fields, and body.
#[must_use]
pub(crate) fn webhook(signature: Signature, connection: Connection) -> Arc<[u8]> {
    let body = body();
    let mac = match signature {
        Signature::Genuine => hex(hmac::sign(&key(hmac::HMAC_SHA256), &body).as_ref()),
        Signature::Forged => "0".repeat(64),
    };
    let legacy = hex(hmac::sign(&key(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY), &body).as_ref());
    let connection = match connection {
        Connection::Kept => "keep-alive",
        Connection::Closed => "close",
    };
    let mut wire = format!(
        "POST {PATH} HTTP/1.1\r\n\
         Host: localhost\r\n\
         User-Agent: GitHub-Hookshot/0a1b2c3\r\n\
         Accept: */*\r\n\
         Connection: {connection}\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\
         X-GitHub-Event: issues\r\n\
         X-GitHub-Delivery: 3f9c1e52-7c1f-11ef-8d4e-2b1c7a90e6d5\r\n\
         X-GitHub-Hook-ID: 504114113\r\n\
         X-GitHub-Hook-Installation-Target-ID: 81472996\r\n\
         X-GitHub-Hook-Installation-Target-Type: repository\r\n\
         X-Hub-Signature: sha1={legacy}\r\n\
         X-Hub-Signature-256: sha256={mac}\r\n\
         X-Request-Id: 5c0a7d1e9b3f4286a1d4e7f0c3b6a958\r\n\
         Traceparent: 00-7d3b0c51e2a94f68b5c1d0e3f6a7928b-4e1d2c3b5a697887-01\r\n\
         \r\n",
        body.len()
    )
    .into_bytes();
    wire.extend_from_slice(&body);
    wire.into()
}

/// JSON of exactly [`BODY_BYTES`], shaped like GitHub's `issues` event.
fn body() -> Vec<u8> {
    let with_text = |text: &str| {
        serde_json::json!({
            "action": "opened",
            "issue": {
                "id": 2_553_412_098_u64,
                "number": 4812,
                "state": "open",
                "title": "The gate refuses a webhook that its sender signed",
                "user": { "login": "hubot", "id": 480_938, "type": "User", "site_admin": false },
                "labels": [{ "id": 99_120_551, "name": "bug", "color": "d73a4a", "default": true }],
                "body": text,
            },
            "repository": {
                "id": 35_129_377,
                "full_name": "octo-org/gate",
                "private": false,
                "default_branch": "main",
            },
            "sender": { "login": "hubot", "id": 480_938, "type": "User" },
        })
        .to_string()
    };
    let missing = BODY_BYTES.saturating_sub(with_text("").len());
    let words = "it was signed, it was sent, and it came back with a 401; ";
    let text: String = words.chars().cycle().take(missing).collect();
    with_text(&text).into_bytes()
}

fn key(algorithm: hmac::Algorithm) -> hmac::Key {
    hmac::Key::new(algorithm, SECRET.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A certificate for `localhost` in files, for the servers, and what a sender needs to trust it.
#[derive(Clone)]
pub(crate) struct Certificate {
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes an ECDSA P-256 one and writes `cert.pem`, `key.pem` and `both.pem` (HAProxy) into `home`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write(home: &Path) -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()])?;
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        std::fs::write(home.join("cert.pem"), &cert)?;
        std::fs::write(home.join("key.pem"), &key)?;
        std::fs::write(home.join("both.pem"), cert + &key)?;
        Ok(Self {
            der: made.cert.der().clone(),
        })
    }

    /// A sender that trusts it, makes a full handshake each time, and leaves no server a choice: the
    /// key exchange and cipher that all of them have, so that all do the same work.
    ///
    /// # Errors
    /// When the provider has no TLS 1.3.
    pub(crate) fn sender(&self) -> Result<Arc<ClientConfig>, Failure> {
        use rustls::crypto::aws_lc_rs::{self as provider, cipher_suite, kx_group};
        let provider = rustls::crypto::CryptoProvider {
            cipher_suites: vec![cipher_suite::TLS13_AES_128_GCM_SHA256],
            kx_groups: vec![kx_group::X25519],
            ..provider::default_provider()
        };
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone())?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
