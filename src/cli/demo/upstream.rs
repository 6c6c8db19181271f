//! The demo's upstream: keeps what it received, and fails as often as it is told.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

use crate::drain::Watch;
use crate::listener::{self, Admitted, Limits, Peer, Settings, Shared, Tenure};
use crate::message::{Head, Response};
use crate::telemetry::Telemetry;

/// What a demo's webhook may weigh.
const BODY_BYTES_MAX: usize = 1 << 20;
const BODY_TIME: Duration = Duration::from_secs(10);
/// A demo that is left running must not fill the memory.
const RECEIVED_MAX: usize = 100;

/// One delivery as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A running upstream; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    received: Mutex<Vec<Received>>,
    failures_left: AtomicUsize,
}

impl Upstream {
    /// Starts it on a free port of this machine.
    ///
    /// # Errors
    /// No port to be had.
    pub(super) async fn start(watch: &Watch) -> io::Result<(Self, SocketAddr)> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = socket.local_addr()?;
        let upstream = Self {
            state: Arc::default(),
        };
        let settings = Settings {
            addresses: vec![address],
            tls: None,
            limits: Limits::default(),
        };
        let shared = Shared::new(&settings, Telemetry::new());
        watch.spawn(listener::serve(
            socket,
            Tenure::Own,
            shared,
            upstream.clone(),
            watch.clone(),
        ));
        Ok((upstream, address))
    }

    /// Answers 503 to the next `count` deliveries.
    pub(super) fn fail(&self, count: usize) {
        self.state.failures_left.store(count, Ordering::SeqCst);
    }

    /// What came in since the last look.
    pub(super) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received())
    }

    fn received(&self) -> std::sync::MutexGuard<'_, Vec<Received>> {
        // A push or a take leaves the list whole, whoever panicked.
        self.state
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, head: &Head, body: Bytes) -> (StatusCode, String) {
        let path = head.target.path().to_owned();
        if let Some(count) = path
            .strip_prefix("/fail/")
            .and_then(|count| count.parse().ok())
        {
            self.fail(count);
            return (
                StatusCode::OK,
                format!("the next {count} deliveries get a 503\n"),
            );
        }
        let failing =
            self.state
                .failures_left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                    left.checked_sub(1)
                });
        if failing.is_ok() {
            return (StatusCode::SERVICE_UNAVAILABLE, "told to fail\n".to_owned());
        }
        let mut received = self.received();
        if received.len() == RECEIVED_MAX {
            received.remove(0);
        }
        received.push(Received {
            path,
            headers: HeaderMap::from(&head.fields),
            body,
        });
        (StatusCode::OK, "thank you\n".to_owned())
    }
}

impl listener::Service for Upstream {
    type Call = Head;

    fn admit(&self, head: Head, _peer: Peer) -> Result<Admitted<Head>, Response> {
        Ok(Admitted {
            call: head,
            body_bytes_max: BODY_BYTES_MAX,
            body_time: BODY_TIME,
        })
    }

    async fn answer(&self, head: Head, body: Bytes) -> Response {
        let (status, text) = self.receive(&head, body);
        Response {
            body: Bytes::from(text),
            ..Response::new(status)
        }
    }
}
