//! What operators see of a running server: the admin's views of the plan, the buffer and the letters.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use super::letters::{Desk, Places};
use super::{Running, StartError, letters, waits};
use crate::admin::{self, Admin, BufferView, ReloadRequest, RouteView, StateView, UpstreamView};
use crate::config::Plan;
use crate::delivery::{
    BreakerState, Buffer, Commons, DeadLetters, UpstreamHealth, UpstreamSettings,
};
use crate::listener::{self, Admitted, Peer, Shared, Tenure};
use crate::message::{Fields, Head, Response};
use crate::telemetry::{Event, Telemetry};

/// Connections of operators: a scraper, the probes, a browser's six, and room for a few more.
const CONNECTIONS_MAX: usize = 64;
/// The body of a question: a line or two.
const QUESTION_BYTES_MAX: usize = 64 << 10;
const QUESTION_TIME: Duration = Duration::from_secs(10);

impl Running {
    /// Serves the admin on the present runtime.
    pub(super) fn serve_admin(
        &self,
        bound: admin::Bound,
        tenure: Tenure,
        shared: &Shared,
        reload: mpsc::Sender<ReloadRequest>,
    ) -> Result<(), StartError> {
        let Commons {
            telemetry,
            buffer,
            dead,
            keeping,
            ..
        } = self.commons.clone();
        let places = Places {
            workers: self.dispatches.clone(),
            memories: self.memories.clone(),
            dead: Arc::clone(&dead),
            stranded: Arc::clone(&self.stranded),
        };
        let desk = Arc::new(Desk {
            plan: Arc::clone(&self.plan),
            duplicates: Arc::clone(&self.commons.duplicates),
            memory: self.memories.first().cloned(),
            places,
        });
        let [listed, held, found, replayed, discarded, hurried, withdrawn] =
            [(); 7].map(|()| Arc::clone(&desk));
        let (plan, spool) = (Arc::clone(&self.plan), keeping.clone());
        let state = admin::State {
            telemetry: telemetry.clone(),
            readiness: Arc::clone(&self.readiness),
            is_writable: Arc::new(move || keeping.is_writable()),
            snapshot: Arc::new(move || state(&plan.load(), &buffer, &dead, &telemetry)),
            dead_letters: Arc::new(move |wanted| letters::list(&listed, wanted)),
            waiting: Arc::new(move |wanted| letters::waiting(&held, wanted)),
            find: Arc::new(move |sought| letters::find(&found.places, sought)),
            replay: Arc::new(move |filter, to| letters::replay(&replayed, filter, to)),
            discard: Arc::new(move |filter| letters::discard(&discarded, filter)),
            hurry: Arc::new(move |filter, to| waits::hurry(&hurried, filter, to)),
            withdraw: Arc::new(move |filter| waits::discard(&withdrawn, filter)),
            caught_up: Arc::new(move |of_removals| {
                let keeping = spool.clone();
                Box::pin(async move { keeping.caught_up(of_removals).await })
            }),
            reload,
        };
        let (socket, admin) = bound.open(state);
        let socket = TcpListener::from_std(socket)?;
        // In the clear, whatever the webhooks' listener speaks: it is on the loopback or behind a token.
        // With places and a ledger of its own: a house full of senders must not lock its operators out.
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let shared = Shared {
            tls: Arc::default(),
            permits,
            untaken: Arc::default(),
            ..shared.clone()
        };
        let watch = self.admin.watch();
        let serving = listener::serve(socket, tenure, shared, AdminService(admin), watch);
        self.admin.watch().spawn(serving);
        Ok(())
    }
}

/// The admin as a listener sees it.
#[derive(Clone)]
struct AdminService(Admin);

impl listener::Service for AdminService {
    type Call = (Head, Peer);

    fn admit(&self, head: Head, peer: Peer) -> Result<Admitted<(Head, Peer)>, Response> {
        Ok(Admitted {
            call: (head, peer),
            body_bytes_max: QUESTION_BYTES_MAX,
            body_time: QUESTION_TIME,
        })
    }

    async fn answer(&self, (head, peer): (Head, Peer), _body: Bytes) -> Response {
        let Some(request) = parts(head) else {
            return Response::new(StatusCode::BAD_REQUEST);
        };
        let from = peer.address.ip().to_canonical();
        let (parts, body) = self.0.answer(request, from).await.into_parts();
        // Whole and in memory: there is nothing to wait for and nothing that could fail.
        let Ok(body) = body.collect().await;
        Response {
            status: parts.status,
            fields: Fields::from(&parts.headers),
            body: body.to_bytes(),
            is_last: false,
        }
    }
}

/// As the admin takes it; none for an authority that is no URL's.
fn parts(head: Head) -> Option<Parts> {
    let mut uri = Uri::builder().path_and_query(head.target);
    if let Some(authority) = head.authority {
        uri = uri.scheme("http").authority(&*authority);
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = head.method;
    parts.uri = uri.build().ok()?;
    parts.version = head.version;
    parts.headers = HeaderMap::from(&head.fields);
    Some(parts)
}

fn state(plan: &Plan, buffer: &Buffer, dead: &DeadLetters, telemetry: &Telemetry) -> StateView {
    let routes = plan.summary.iter().map(|route| RouteView {
        name: route.name.clone(),
        host: route.host.clone(),
        path: route.path.clone(),
        ack: route.ack,
        upstreams: route.upstreams.clone(),
        plugins: route.plugins.clone(),
    });
    let upstreams = plan.upstreams.values().map(|upstream| {
        // Without its path: some upstreams' paths are their secret.
        let UpstreamSettings { url, restraint, .. } = upstream.settings();
        let UpstreamHealth { in_flight, breaker } = upstream.health();
        telemetry.emit(&Event::UpstreamHealth {
            upstream: upstream.meters(),
            in_flight,
            breaker_closed: breaker == BreakerState::Closed,
        });
        UpstreamView {
            name: upstream.name().to_string(),
            url: format!("{}://{}", url.scheme().as_str(), url.authority()),
            in_flight,
            concurrency: restraint.concurrency.get(),
            breaker: breaker.as_str(),
        }
    });
    let (deliveries, bytes) = buffer.fill();
    StateView {
        routes: routes.collect(),
        upstreams: upstreams.collect(),
        buffer: BufferView {
            deliveries,
            deliveries_max: plan.buffer.deliveries,
            bytes,
            bytes_max: plan.buffer.bytes,
        },
        dead_letters: dead.len(),
    }
}
