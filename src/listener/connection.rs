//! One connection: the handshake and its deadline, and which protocol it speaks.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{Certificates, Peer, Service, Shared, h1, h2};
use crate::drain::Watch;
use crate::telemetry::Event;

/// Serves one connection to its end. Dropping the future closes it.
pub(super) async fn run<S: Service>(
    tcp: TcpStream,
    tls: Option<Arc<Certificates>>,
    peer: Peer,
    shared: &Shared,
    service: S,
    watch: Watch,
) {
    shared.telemetry.emit(&Event::ConnectionOpened);
    match tls {
        None => h1::run(tcp, peer, shared, &service, &watch).await,
        Some(certificates) => secure(tcp, &certificates, peer, shared, service, &watch).await,
    }
    shared.telemetry.emit(&Event::ConnectionClosed);
}

async fn secure<S: Service>(
    tcp: TcpStream,
    certificates: &Certificates,
    peer: Peer,
    shared: &Shared,
    service: S,
    watch: &Watch,
) {
    let failed = |reason: &str| {
        shared.telemetry.emit(&Event::HandshakeFailed {
            peer: peer.address.ip(),
            reason,
        });
    };
    let handshake = TlsAcceptor::from(certificates.config()).accept(tcp);
    // Boxed: it is ten times the size of what follows and gone after a millisecond.
    match tokio::time::timeout(shared.limits.handshake_time, Box::pin(handshake)).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            // Boxed: few senders speak it, and its state is large.
            Box::pin(h2::run(stream, peer, shared, service, watch)).await;
        }
        Ok(Ok(stream)) => h1::run(stream, peer, shared, &service, watch).await,
        Ok(Err(error)) => failed(&error.to_string()),
        Err(_elapsed) => failed("it took too long"),
    }
}
