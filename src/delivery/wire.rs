//! A byte stream to an upstream: TCP, or TLS over it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
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
use super::{addresses, distrust};

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
    /// Addresses that only a private network has are no answer to its name.
    pub(super) public_only: bool,
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
        let addresses = self.addresses().await.map_err(unreachable)?;
        let tcp = addresses::first(addresses.into_iter()).await;
        let tcp = tcp.map_err(unreachable)?;
        // A request is one write; waiting for more of it only adds latency.
        tcp.set_nodelay(true).map_err(unreachable)?;
        let Some(Tls { connector, name }) = &self.tls else {
            return Ok(Wire::Plain(tcp));
        };
        match connector.connect(name.clone(), tcp).await {
            Ok(tls) => Ok(Wire::Tls(Box::new(tls))),
            Err(error) => Err((Fault::Tls, distrust::words(&error, &self.host).into())),
        }
    }

    /// Resolves once, and what is looked at is what is connected to: a second answer could be another.
    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::net::lookup_host((&*self.host, self.port)).await?;
        if !self.public_only {
            return Ok(found.collect());
        }
        let public: Vec<_> = found.filter(|address| is_public(address.ip())).collect();
        if public.is_empty() {
            return Err(io::Error::other(format!(
                "`{}` is an address of a private network",
                self.host
            )));
        }
        Ok(public)
    }
}

/// Whether an address is one of the public internet (IANA's registries of special-purpose addresses,
/// RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = matches!(
                (a, b, c),
                (0 | 240.., _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _)
            );
            !(special
                || v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation())
        }
        IpAddr::V6(v6) => match (v6.to_ipv4_mapped(), v6.segments()) {
            (Some(v4), _) => is_public(v4.into()),
            // 64:ff9b::/96: an IPv4 address behind a translator (RFC 6052).
            (None, [0x64, 0xff9b, 0, 0, 0, 0, high, low]) => {
                is_public(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into())
            }
            // 2000::/3 is all that is given out, less documentation (2001:db8::/32) and tunnels to
            // anywhere (2001::/32, 2002::/16).
            (None, [0x2001, 0x0db8 | 0, ..] | [0x2002, ..]) => false,
            (None, [first, ..]) => first >> 13 == 1,
        },
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

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn a_private_address_is_told_from_its_public_neighbour() {
        for (private, public) in [
            ("10.255.255.255", "11.0.0.0"),
            ("172.16.0.1", "172.32.0.1"),
            ("192.168.0.1", "192.169.0.1"),
            ("127.0.0.1", "128.0.0.1"),
            ("169.254.169.254", "169.255.0.1"),
            ("100.64.0.1", "100.128.0.1"),
            ("0.0.0.0", "1.1.1.1"),
            ("192.0.0.1", "192.0.1.1"),
            ("198.18.0.1", "198.20.0.1"),
            ("224.0.0.1", "223.0.0.1"),
            ("255.255.255.255", "8.8.8.8"),
            ("::1", "2600::1"),
            ("::", "2a00::1"),
            ("fd00::1", "2001:4860:4860::8888"),
            ("fe80::1", "3fff:ffff::1"),
            ("::ffff:10.0.0.1", "::ffff:8.8.8.8"),
            ("64:ff9b::a00:1", "64:ff9b::808:808"),
            ("2002:a00:1::", "2003::1"),
            ("2001:db8::1", "2001:db9::1"),
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
