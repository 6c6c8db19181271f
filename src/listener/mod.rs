//! Bytes: TCP, TLS, HTTP. Knows nothing of webhooks; it serves any [`Service`], the gate and the admin
//! alike.
//!
//! Each worker has its own socket for every address (`SO_REUSEPORT`), so the kernel spreads the
//! connections and no accept is shared. A handshake is the connection's own affair, never the accept
//! loop's.

mod answer;
mod bodies;
mod body;
mod connection;
mod h1;
mod h2;
mod line;
mod pace;
mod socket;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::drain::Watch;
pub use crate::http1::FIELDS_MAX as HEADERS_MOST;
use crate::message::{Head, Malformed, Response, Unread};
use crate::telemetry::{Event, Telemetry};
pub use answer::Ledger;
pub use bodies::Bodies;
pub use socket::{BindError, Listening, Sockets, Succession, Tenure, bind};
pub use tls::{Certificates, Pair, Part, TlsError, Validity};

/// Wait before accepting again when the process is out of descriptors or memory: long enough for
/// connections to end, short enough to go unnoticed.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// Handshakes that have begun when the end is asked for are finished within this time: a round trip to the
/// other side of the world.
const LAST_HANDSHAKES: Duration = Duration::from_millis(250);

/// What a sender can use up before it has sent a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections of all listeners together; more wait in the kernel's backlog.
    pub connections_max: usize,
    /// From accept to a finished TLS handshake.
    pub handshake_time: Duration,
    /// From the first byte of a head to its last.
    pub header_time: Duration,
    /// Bytes of one head.
    pub header_bytes_max: usize,
    /// Fields of one head.
    pub header_count_max: usize,
    /// Between two calls on one connection.
    pub idle_time: Duration,
    /// Calls at a time on one HTTP/2 connection.
    pub h2_streams_max: u32,
}

impl Default for Limits {
    /// 10,000 connections; 10 s for a handshake and for a head (what Envoy's edge guide and nginx's
    /// operators settle on); heads of 32 KiB and 100 fields, twice what the wordiest provider sends;
    /// 60 s idle, longer than the pauses inside a provider's burst; 100 streams (RFC 9113, 6.5.2
    /// recommends no fewer).
    fn default() -> Self {
        Self {
            connections_max: 10_000,
            handshake_time: Duration::from_secs(10),
            header_time: Duration::from_secs(10),
            header_bytes_max: 32 << 10,
            header_count_max: 100,
            idle_time: Duration::from_secs(60),
            h2_streams_max: 100,
        }
    }
}

/// One listener's configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub addresses: Vec<SocketAddr>,
    /// None: plain HTTP.
    pub tls: Option<Arc<Certificates>>,
    /// Bounds of every connection.
    pub limits: Limits,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The socket's address; a proxy's, when there is one in between.
    pub address: SocketAddr,
    /// Whether the bytes came through TLS.
    pub secure: bool,
}

/// What answers the calls of a listener.
///
/// In two steps, so that the cheapest refusal comes before a byte of the body is read: the head is
/// judged at once, and the body is read within the bounds that its judge set.
pub trait Service: Clone + Send + Sync + 'static {
    /// A call whose head was admitted.
    type Call: Send;

    /// Judges a head: goes on to the body, or has the answer already.
    ///
    /// # Errors
    /// The answer. A body that is not here yet ends the connection.
    fn admit(&self, head: Head, peer: Peer) -> Result<Admitted<Self::Call>, Response>;

    /// Answers a call whose body is there. Dropped when the caller hangs up.
    fn answer(&self, call: Self::Call, body: Bytes) -> impl Future<Output = Response> + Send;

    /// Answers a call whose body was not read; the connection ends with it.
    fn unread(&self, _call: Self::Call, why: Unread) -> Response {
        last(why.status())
    }

    /// Answers bytes that are no head; the connection ends with it.
    fn malformed(&self, why: Malformed, _peer: Peer) -> Response {
        last(why.status())
    }
}

/// A status and no more, with which the connection ends.
fn last(status: http::StatusCode) -> Response {
    Response {
        is_last: true,
        ..Response::new(status)
    }
}

/// A call that may send its body.
#[derive(Debug)]
pub struct Admitted<C> {
    /// What the service makes of it.
    pub call: C,
    /// Bytes of the largest body.
    pub body_bytes_max: usize,
    /// From now to the last byte of the body.
    pub body_time: Duration,
}

/// What all sockets of a process share: certificates that a reload swaps, and the count of connections.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The certificates in force; none for plain HTTP.
    pub tls: Arc<ArcSwapOption<Certificates>>,
    /// Bounds of every connection.
    pub limits: Limits,
    /// One permit a connection.
    pub permits: Arc<Semaphore>,
    /// Bytes of bodies on their way in.
    pub bodies: Arc<Bodies>,
    /// Bytes of answers on their way out.
    pub untaken: Arc<Ledger>,
    /// Where events go.
    pub telemetry: Telemetry,
}

impl Shared {
    /// For a listener with these settings.
    #[must_use]
    pub fn new(settings: &Settings, telemetry: Telemetry) -> Self {
        Self {
            tls: Arc::new(ArcSwapOption::new(settings.tls.clone())),
            limits: settings.limits,
            permits: Arc::new(Semaphore::new(settings.limits.connections_max)),
            bodies: Arc::default(),
            untaken: Arc::default(),
            telemetry,
        }
    }
}

/// Accepts on one socket until the drain is requested; every connection becomes a task of its own.
///
/// Nobody is reset in the end whom the kernel has let in: what waits at a socket of our own is accepted
/// first, what waits at a shared one is left to whoever goes on with it.
///
/// Dropping the future stops accepting and leaves open connections alone.
pub async fn serve<S: Service>(
    socket: TcpListener,
    tenure: Tenure,
    shared: Shared,
    service: S,
    watch: Watch,
) {
    let admit = |(permit, tcp, address): Accepted| {
        let tls = shared.tls.load_full();
        let peer = Peer {
            address,
            secure: tls.is_some(),
        };
        let (shared, service, on_drain) = (shared.clone(), service.clone(), watch.clone());
        watch.spawn(async move {
            connection::run(tcp, tls, peer, &shared, service, on_drain).await;
            drop(permit);
        });
    };
    loop {
        tokio::select! {
            accepted = accept(&socket, &shared) => admit(accepted),
            () = watch.requested() => break,
        }
    }
    if tenure == Tenure::Shared {
        return;
    }
    // Where the system cannot, those who begin to call just before the socket closes are reset.
    let _ = socket::turn_away(&socket);
    let last = async {
        loop {
            admit(accept(&socket, &shared).await);
        }
    };
    let Err(_elapsed) = tokio::time::timeout(LAST_HANDSHAKES, last).await;
}

type Accepted = (OwnedSemaphorePermit, TcpStream, SocketAddr);

/// The next connection. The permit comes first, so that a full house does not accept.
async fn accept(socket: &TcpListener, shared: &Shared) -> Accepted {
    loop {
        let Ok(permit) = Arc::clone(&shared.permits).acquire_owned().await else {
            // Nobody closes this semaphore; waiting for ever is the harmless reading.
            std::future::pending::<()>().await;
            continue;
        };
        match socket.accept().await {
            Ok((tcp, address)) => return (permit, tcp, address),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                shared.telemetry.emit(&Event::AcceptFailed {
                    reason: &error.to_string(),
                });
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Whether the connection failed while it waited, and not the listener.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
