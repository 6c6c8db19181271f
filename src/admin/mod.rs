//! What operators ask a running Hookgate: health, metrics, state, dead letters, a reload.
//!
//! [`Admin::answer`] maps one request to one answer and knows no connection, so the server may put it
//! behind any listener; it lives on the control thread and never costs a webhook anything. Who may ask
//! is decided in `access`, what is shown is in `views`, the page for people in `page`.

mod access;
mod deeds;
mod letters;
mod page;
mod reply;
mod views;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::delivery::{Filter, Moved, Replayed, Wanted};
use crate::secret::Secret;
use crate::telemetry::{Event, Exposition, Operator, OperatorEvent, Telemetry};
use deeds::{Deed, Reach};

pub use views::{
    BufferView, DeadLetterView, EndedView, FoundView, Page, RouteView, Sought, StateView,
    TriedView, UpstreamView, WebhookView, WhereView,
};

/// Where admin listens and who may ask.
#[derive(Clone, Debug)]
pub struct Settings {
    /// 127.0.0.1:9119 unless told otherwise.
    pub address: SocketAddr,
    /// Demanded for everything but `/live` and `/ready`, and required off loopback.
    pub token: Option<Arc<Secret>>,
}

/// Why admin cannot listen.
#[derive(Debug, Error)]
pub enum BindError {
    /// Everybody on the network could read the state and reload.
    #[error("admin on `{address}` can be reached from other machines and has no token: set `admin.token`, or listen on `127.0.0.1:{}`", .address.port())]
    Exposed {
        /// As configured.
        address: SocketAddr,
    },
    /// Nothing to compare with, so anything would be right.
    #[error("`admin.token` is empty: give it at least one byte, better 32 random ones")]
    EmptyToken,
    /// The system refuses.
    #[error("cannot bind admin to `{address}` (`admin.listen`, or --admin, names another address)")]
    Taken {
        /// As configured.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// A bound socket that is not served yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    token: Option<Arc<Secret>>,
}

impl Bound {
    /// The address as bound: the port is real even where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The socket (non-blocking, ready for a runtime), and what answers the requests that come in.
    #[must_use]
    pub fn open(self, state: State) -> (TcpListener, Admin) {
        (self.listener, Admin::new(self.token, state))
    }
}

/// Whether webhooks should be sent here: written by the server, read by `/ready`.
#[derive(Debug, Default)]
pub struct Readiness(AtomicU8);

/// The phases of a process, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No worker accepts yet.
    Starting,
    /// Webhooks are taken.
    Ready,
    /// The end was asked for.
    Draining,
}

impl Readiness {
    /// In phase [`Phase::Starting`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    /// The phase right now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.0.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Draining,
        }
    }
}

impl Phase {
    /// The word in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
        }
    }
}

/// Asks the server for a reload. Dropping `outcome` unanswered tells the operator that the server is
/// on its way out.
#[derive(Debug)]
pub struct ReloadRequest {
    /// Where the outcome goes.
    pub outcome: oneshot::Sender<ReloadOutcome>,
}

/// What became of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// The new plan is in force.
    Applied {
        /// What changed, in a line.
        summary: String,
    },
    /// The plan in force stays.
    Refused {
        /// How many problems there are.
        problems: usize,
        /// All of them, as `check` shows them.
        report: String,
    },
}

/// Shows a page of something; or why not.
pub type List<T> = dyn Fn(&Wanted) -> Result<Page<T>, String> + Send + Sync;
/// Replays dead letters; or why not.
pub type Replay = dyn Fn(&Filter, Option<&str>) -> Result<Replayed, String> + Send + Sync;
/// Forgets dead letters, and says how many; or why not.
pub type Discard = dyn Fn(&Filter) -> Result<usize, String> + Send + Sync;

/// Hurries what waits, perhaps to another upstream; or why not.
pub type Hurry = dyn Fn(&Filter, Option<&str>) -> Result<Moved, String> + Send + Sync;
/// Discards what waits; or why not.
pub type Withdraw = dyn Fn(&Filter) -> Result<Moved, String> + Send + Sync;
/// Waits until what was done is on disk, where it has to be there; whether it is. Told whether all of it are
/// removals, which a full disk takes.
pub type CaughtUp = dyn Fn(bool) -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync;

/// What admin shows, and whom it asks.
#[derive(Clone)]
pub struct State {
    /// For the metrics page.
    pub telemetry: Telemetry,
    /// For `/ready`.
    pub readiness: Arc<Readiness>,
    /// Whether what is held can be written where it is kept; for `/ready`.
    pub is_writable: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Takes a fresh look at the plan and the buffer.
    pub snapshot: Arc<dyn Fn() -> StateView + Send + Sync>,
    /// Lists the dead letters that are meant.
    pub dead_letters: Arc<List<DeadLetterView>>,
    /// Lists the deliveries that are held.
    pub waiting: Arc<List<FoundView>>,
    /// Where a webhook is.
    pub find: Arc<dyn Fn(Sought) -> WhereView + Send + Sync>,
    /// Lets dead letters wait for an attempt again, perhaps at another upstream.
    pub replay: Arc<Replay>,
    /// Forgets dead letters.
    pub discard: Arc<Discard>,
    /// Lets what waits be attempted now, perhaps at another upstream.
    pub hurry: Arc<Hurry>,
    /// Discards what waits.
    pub withdraw: Arc<Withdraw>,
    /// Waits for the disk.
    pub caught_up: Arc<CaughtUp>,
    /// The server's ear; a full one means that a reload is under way.
    pub reload: mpsc::Sender<ReloadRequest>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

/// Answers operators. Cheap to clone, one for each connection.
#[derive(Clone, Debug)]
pub struct Admin(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    token: Option<Arc<Secret>>,
    state: State,
    started: Instant,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Live,
    Ready,
    Metrics,
    State,
    DeadLetters,
    Waiting,
    Webhooks,
    Deed(Deed, Reach),
    Shadows,
    Reload,
    Page,
}

impl Endpoint {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/live" | "/healthz" => Some(Self::Live),
            "/ready" | "/readyz" => Some(Self::Ready),
            "/metrics" => Some(Self::Metrics),
            "/api/state" => Some(Self::State),
            "/api/dead-letters" => Some(Self::DeadLetters),
            "/api/dead-letters/replay" => Some(Self::Deed(Deed::Replay, Reach::Dead)),
            "/api/dead-letters/discard" => Some(Self::Deed(Deed::Discard, Reach::Dead)),
            "/api/waiting/replay" => Some(Self::Deed(Deed::Replay, Reach::Waiting)),
            "/api/waiting/discard" => Some(Self::Deed(Deed::Discard, Reach::Waiting)),
            "/api/webhooks/replay" => Some(Self::Deed(Deed::Replay, Reach::One)),
            "/api/webhooks/discard" => Some(Self::Deed(Deed::Discard, Reach::One)),
            "/api/waiting" => Some(Self::Waiting),
            "/api/webhooks" => Some(Self::Webhooks),
            "/api/shadows" => Some(Self::Shadows),
            "/api/reload" => Some(Self::Reload),
            "/" => Some(Self::Page),
            _ => None,
        }
    }

    fn allows(self, method: &Method) -> bool {
        match self {
            Self::Reload | Self::Deed(..) => method == Method::POST,
            _ => method == Method::GET || method == Method::HEAD,
        }
    }

    fn allow_header(self) -> &'static str {
        match self {
            Self::Reload | Self::Deed(..) => "POST",
            _ => "GET, HEAD",
        }
    }

    /// Probes come from orchestrators that hold no token, and learn nothing but one word.
    fn is_public(self) -> bool {
        matches!(self, Self::Live | Self::Ready)
    }
}

impl Admin {
    /// Has a socket opened that does not block; nothing is answered before [`Bound::open`].
    ///
    /// # Errors
    /// The address is reachable from elsewhere without a token, or the system refuses it.
    pub fn bind(
        settings: Settings,
        open: impl FnOnce(SocketAddr) -> io::Result<TcpListener>,
    ) -> Result<Bound, BindError> {
        let Settings { address, token } = settings;
        match &token {
            None if !address.ip().is_loopback() => return Err(BindError::Exposed { address }),
            Some(token) if token.is_empty() => return Err(BindError::EmptyToken),
            _ => {}
        }
        let taken = |source| BindError::Taken { address, source };
        let listener = open(address).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        Ok(Bound {
            listener,
            address,
            token,
        })
    }

    fn new(token: Option<Arc<Secret>>, state: State) -> Self {
        Self(Arc::new(Inner {
            token,
            state,
            started: Instant::now(),
        }))
    }

    /// Answers one request from this address; its body is not looked at. Dropping the future while a
    /// reload is under way does not stop the reload.
    pub async fn answer(&self, request: Parts, from: IpAddr) -> Response<Full<Bytes>> {
        match self.admit(&request) {
            Ok(endpoint) => reply::guarded(self.ask(endpoint, &request, from).await),
            Err(refusal) => reply::guarded(refusal),
        }
    }

    /// Whether the question is answered at all: from a trustworthy page, for something that exists, in
    /// the right way, by somebody who may ask.
    fn admit(&self, request: &Parts) -> Result<Endpoint, Response<Full<Bytes>>> {
        let token = self.0.token.as_deref();
        if token.is_none() && !access::is_local_name(request) {
            return Err(reply::sentence(
                StatusCode::FORBIDDEN,
                "without `admin.token`, admin answers to `localhost` and to IP addresses only",
            ));
        }
        let Some(endpoint) = Endpoint::at(request.uri.path()) else {
            return Err(reply::sentence(
                StatusCode::NOT_FOUND,
                "there is nothing here",
            ));
        };
        if !endpoint.allows(&request.method) {
            let allow = endpoint.allow_header();
            let text = format!("`{}` takes {allow}", request.uri.path());
            let refusal = reply::sentence(StatusCode::METHOD_NOT_ALLOWED, &text);
            return Err(reply::with(refusal, header::ALLOW, allow));
        }
        if let Some(token) = token.filter(|_| !endpoint.is_public())
            && !access::presents(request, token)
        {
            let refusal = reply::sentence(
                StatusCode::UNAUTHORIZED,
                "this needs the token of `admin.token`",
            );
            // Basic (any name, the token as password), so that a browser can open the page.
            let challenge = "Bearer realm=\"hookgate\", Basic realm=\"hookgate\"";
            return Err(reply::with(refusal, header::WWW_AUTHENTICATE, challenge));
        }
        if request.method == Method::POST && !access::is_same_origin(request) {
            return Err(reply::sentence(
                StatusCode::FORBIDDEN,
                "another site's page may not change anything here",
            ));
        }
        Ok(endpoint)
    }

    async fn ask(
        &self,
        endpoint: Endpoint,
        request: &Parts,
        from: IpAddr,
    ) -> Response<Full<Bytes>> {
        let state = &self.0.state;
        let name = self.0.token.as_ref().and_then(|_| access::name(request));
        let by = Operator {
            address: from,
            name: name.as_deref(),
        };
        let phase = state.readiness.phase();
        let overview = || views::Overview {
            version: env!("CARGO_PKG_VERSION"),
            phase: phase.as_str(),
            uptime_s: self.0.started.elapsed().as_secs(),
            state: (state.snapshot)(),
        };
        match endpoint {
            Endpoint::Live => reply::json(StatusCode::OK, &views::Live { live: true }),
            Endpoint::Ready => ready(phase, (self.0.state.is_writable)()),
            Endpoint::Metrics => self.metrics(request),
            Endpoint::State => reply::json(StatusCode::OK, &overview()),
            Endpoint::DeadLetters => letters::dead(state, request),
            Endpoint::Waiting => letters::waiting(state, request),
            Endpoint::Webhooks => letters::find(state, request),
            Endpoint::Deed(deed, reach) => deeds::act(state, request, deed, reach, by).await,
            Endpoint::Shadows => {
                let shadows = state.telemetry.shadows();
                let shadows = shadows.iter().map(|shadow| views::shadow(shadow)).collect();
                reply::json(StatusCode::OK, &views::Shadows { shadows })
            }
            Endpoint::Reload => self.reload(by).await,
            Endpoint::Page => page::answer(&overview()),
        }
    }

    fn metrics(&self, request: &Parts) -> Response<Full<Bytes>> {
        let Inner { state, .. } = &*self.0;
        state.telemetry.emit(&Event::DeadLetters {
            kept: (state.snapshot)().dead_letters,
        });
        let accept = request
            .headers
            .get(header::ACCEPT)
            .and_then(|value| value.to_str().ok());
        let exposition = Exposition::accepted(accept.unwrap_or_default());
        let page = state.telemetry.exposition(exposition);
        reply::text(StatusCode::OK, exposition.content_type(), page)
    }

    async fn reload(&self, by: Operator<'_>) -> Response<Full<Bytes>> {
        let (outcome, answer) = oneshot::channel();
        match self.0.state.reload.try_send(ReloadRequest { outcome }) {
            Ok(()) => {
                let asked = Event::Operator(OperatorEvent::ReloadAsked { by });
                self.0.state.telemetry.emit(&asked);
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                return reply::sentence(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "a reload is under way: ask again when it is done",
                );
            }
            Err(mpsc::error::TrySendError::Closed(_)) => return ending(),
        }
        match answer.await {
            Ok(ReloadOutcome::Applied { summary }) => {
                reply::json(StatusCode::OK, &views::Reload::Applied { summary })
            }
            Ok(ReloadOutcome::Refused { problems, report }) => reply::json(
                StatusCode::UNPROCESSABLE_ENTITY,
                &views::Reload::Refused { problems, report },
            ),
            Err(oneshot::error::RecvError { .. }) => ending(),
        }
    }
}

fn ready(phase: Phase, is_writable: bool) -> Response<Full<Bytes>> {
    let (status, reasons) = match phase {
        Phase::Ready if !is_writable => (StatusCode::SERVICE_UNAVAILABLE, vec!["spool"]),
        Phase::Ready => (StatusCode::OK, vec![]),
        Phase::Starting | Phase::Draining => {
            (StatusCode::SERVICE_UNAVAILABLE, vec![phase.as_str()])
        }
    };
    reply::json(
        status,
        &views::Ready {
            ready: reasons.is_empty(),
            reasons,
        },
    )
}

fn ending() -> Response<Full<Bytes>> {
    reply::sentence(StatusCode::SERVICE_UNAVAILABLE, "the process is ending")
}

#[cfg(test)]
mod tests;
