//! PEM in, a TLS server out: certificates by name, the first one for everybody else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert, ServerConfig};
use rustls::sign::CertifiedKey;
use webpki::KeyUsage;

use crate::secret::Secret;

/// Most senders open a connection for each webhook and never resume; each ticket costs them and us.
const TICKETS: usize = 1;

/// A certificate chain and its key, both as PEM.
#[derive(Debug)]
pub struct Pair {
    /// The chain, the server's own certificate first.
    pub cert: Vec<u8>,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: Secret,
}

/// When a certificate may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first second.
    pub from: SystemTime,
    /// Its last second.
    pub until: SystemTime,
}

impl Pair {
    /// When the server's own certificate is valid; none when it cannot be read.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        let cert = CertificateDer::from_pem_slice(&self.cert).ok()?;
        let cert = webpki::EndEntityCert::try_from(&cert).ok()?;
        // webpki tells the dates to those only whom it refuses by them, which it does first of all.
        let refused_at = |seconds| {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
            let usage = KeyUsage::server_auth();
            let path = cert.verify_for_usage(&[], &[], &[], time, usage, None, None);
            path.err()
        };
        let since = |time: UnixTime| UNIX_EPOCH + Duration::from_secs(time.as_secs());
        let from = match refused_at(0) {
            Some(webpki::Error::CertNotValidYet { not_before, .. }) => since(not_before),
            _ => UNIX_EPOCH,
        };
        match refused_at(u64::MAX) {
            Some(webpki::Error::CertExpired { not_after, .. }) => Some(Validity {
                from,
                until: since(not_after),
            }),
            _ => None,
        }
    }
}

/// Which half of a pair is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The chain.
    Cert,
    /// The key, or that it does not fit the chain.
    Key,
}

/// A pair that cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TlsError {
    /// Index of the pair.
    pub index: usize,
    /// Which half of it.
    pub part: Part,
    /// What is wrong, and the cure.
    pub reason: String,
}

/// Checked certificates and the TLS settings around them; a reload makes a new one.
pub struct Certificates {
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// Checks the pairs. The first is for senders that name no server or an unknown one; the names are
    /// those in the certificates, `*.` standing for one label (RFC 6125, 6.4.3).
    ///
    /// TLS 1.2 and 1.3; HTTP/2 and HTTP/1.1 by ALPN; resumption by ticket, early data off.
    ///
    /// # Errors
    /// The first pair that cannot be read or does not match.
    pub fn new(pairs: &[Pair]) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut by_name = ByName {
            default: None,
            exact: BTreeMap::new(),
            wildcard: BTreeMap::new(),
        };
        for (index, pair) in pairs.iter().enumerate() {
            let key = Arc::new(certified(index, pair, &provider)?);
            by_name.add(key);
        }
        let failed = |reason: String| TlsError {
            index: 0,
            part: Part::Cert,
            reason,
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(by_name));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.send_tls13_tickets = TICKETS;
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            config: Arc::new(config),
        })
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates(..)")
    }
}

fn certified(
    index: usize,
    pair: &Pair,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let wrong = |part, reason: String| TlsError {
        index,
        part,
        reason,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pair.cert)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(Part::Cert, format!("it is not a PEM certificate: {error}")))?;
    if chain.is_empty() {
        let reason = "there is no `BEGIN CERTIFICATE` in it".to_owned();
        return Err(wrong(Part::Cert, reason));
    }
    let key = PrivateKeyDer::from_pem_slice(pair.key.expose()).map_err(|_| {
        wrong(
            Part::Key,
            "there is no `BEGIN PRIVATE KEY` in it".to_owned(),
        )
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            wrong(Part::Key, "it is not the key of the certificate".to_owned())
        }
        rustls::Error::InvalidCertificate(reason) => wrong(
            Part::Cert,
            format!("the certificate is not valid: {reason}"),
        ),
        other => wrong(Part::Key, format!("the key cannot be used: {other}")),
    })
}

/// Certificates by the names in them.
#[derive(Debug)]
struct ByName {
    default: Option<Arc<CertifiedKey>>,
    exact: BTreeMap<String, Arc<CertifiedKey>>,
    /// By what follows `*.`.
    wildcard: BTreeMap<String, Arc<CertifiedKey>>,
}

impl ByName {
    fn add(&mut self, key: Arc<CertifiedKey>) {
        if let Some(cert) = key.cert.first()
            && let Ok(parsed) = webpki::EndEntityCert::try_from(cert)
        {
            for name in parsed.valid_dns_names().map(str::to_ascii_lowercase) {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut self.wildcard, parent.to_owned()),
                    None => (&mut self.exact, name),
                };
                names.entry(name).or_insert_with(|| Arc::clone(&key));
            }
        }
        self.default.get_or_insert(key);
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let by_name = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            self.exact.get(&name).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                self.wildcard.get(parent)
            })
        });
        by_name.or(self.default.as_ref()).cloned()
    }
}
