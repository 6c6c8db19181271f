//! A byte stream to an upstream: TCP, or TLS over it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::outcome::Fault;

/// Connected, and through the handshake.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How to reach an upstream.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) tls: Option<Tls>,
}

/// Whom to expect there, and whose word for it to take.
pub(super) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Dial {
    /// Opens a connection. Resolves the name each time, so that a moved upstream is found again.
    ///
    /// Dropping the future closes what was opened.
    pub(super) async fn connect(&self) -> Result<Wire, (Fault, Box<str>)> {
        let unreachable = |error: io::Error| (Fault::Unreachable, error.to_string().into());
        let tcp = TcpStream::connect((&*self.host, self.port))
            .await
            .map_err(unreachable)?;
        // A request is one write; waiting for more of it only adds latency.
        tcp.set_nodelay(true).map_err(unreachable)?;
        let Some(Tls { connector, name }) = &self.tls else {
            return Ok(Wire::Plain(tcp));
        };
        match connector.connect(name.clone(), tcp).await {
            Ok(tls) => Ok(Wire::Tls(Box::new(tls))),
            Err(error) => Err((Fault::Tls, error.to_string().into())),
        }
    }
}

impl Wire {
    /// Whether both sides agreed on HTTP/2 in the handshake.
    pub(super) fn chose_http2(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

impl Tls {
    /// Trusts the authorities in `ca` (PEM) and no others, or those of the platform.
    pub(super) fn new(host: &str, ca: Option<&[u8]>) -> Result<Self, String> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("`{host}` is not a name that a certificate can hold"))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = match ca {
            Some(pem) => builder
                .with_root_certificates(roots(pem)?)
                .with_no_client_auth(),
            None => {
                let platform = rustls_platform_verifier::Verifier::new(provider).map_err(|error| {
                    format!("the platform's certificate authorities cannot be read ({error}); give them as `ca`")
                })?;
                builder
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(platform))
                    .with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn roots(pem: &[u8]) -> Result<rustls::RootCertStore, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate
            .map_err(|error| format!("`ca` is not a PEM file of certificates: {error}"))?;
        roots
            .add(certificate)
            .map_err(|error| format!("`ca` holds a certificate that cannot be trusted: {error}"))?;
    }
    if roots.is_empty() {
        return Err("`ca` holds no certificate; it must be a PEM file of authorities".to_owned());
    }
    Ok(roots)
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
