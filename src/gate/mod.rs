//! The story of one webhook: intake, judge, admit, reply. Choreography, no mechanics.
//!
//! The cheapest refusal comes first: framing, route, method, address, declared size; then the body;
//! then the plugins. Whatever happens, the sender hears a status that makes it try again or tells it
//! why not, and the cause is in the log under the id that the answer carries.

mod head;
mod intake;
mod reply;
mod sender;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use ipnet::IpNet;

use crate::delivery::{Acknowledgement, Contract, Dispatch};
use crate::drain::Watch;
use crate::plugin::{Chain, Verdict};
use crate::route::{Found, Table};
use crate::telemetry::{Event, RouteMeters, Telemetry};
use crate::webhook::{Arrival, Fields, Scheme, Webhook, WebhookId};
use head::Head;
pub use intake::Intake;
use reply::Reply;

/// One route, compiled: what it takes, who judges it, where it goes.
#[derive(Debug)]
pub struct Route {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Bytes of the largest body.
    pub body_bytes_max: usize,
    /// From the head to the last byte of the body.
    pub body_time: Duration,
    /// Who may call; empty for everybody.
    pub allow: Vec<IpNet>,
    /// The URL under which senders know it.
    pub public_url: Option<Arc<str>>,
    /// Its plugins.
    pub chain: Chain,
    /// Where its webhooks go, and what a 2xx means.
    pub contract: Arc<Contract>,
    /// The names of its upstreams, as plugins may use them.
    pub upstreams: Vec<Arc<str>>,
    /// Its meters.
    pub meters: Arc<RouteMeters>,
}

/// All routes of a plan.
#[derive(Debug)]
pub struct Routes {
    /// By host, path and method.
    pub table: Table<Arc<Route>>,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Handles webhooks by the routes in force; one for each worker, cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate {
    routes: Arc<ArcSwap<Routes>>,
    intake: Arc<Intake>,
    dispatch: Dispatch,
    telemetry: Telemetry,
    watch: Watch,
}

impl Gate {
    /// A gate whose routes a reload may swap.
    #[must_use]
    pub fn new(
        routes: Arc<ArcSwap<Routes>>,
        intake: Arc<Intake>,
        dispatch: Dispatch,
        telemetry: Telemetry,
        watch: Watch,
    ) -> Self {
        Self {
            routes,
            intake,
            dispatch,
            telemetry,
            watch,
        }
    }

    /// Answers one call.
    ///
    /// Dropping the future (the sender hung up) cancels what has not been accepted yet; an accepted
    /// webhook is delivered all the same.
    pub async fn handle<B>(
        &self,
        request: Request<B>,
        peer: SocketAddr,
        scheme: Scheme,
    ) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let arrival = Arrival::now();
        let id = WebhookId::new(arrival);
        match self.admit(request, peer, scheme, arrival, id).await {
            Ok((webhook, route)) => {
                let (reply, plugin, reason) = self.judge(&webhook, &route).await;
                self.telemetry.emit(&Event::Answered {
                    webhook: &webhook,
                    route: &route.meters,
                    status: reply.status().as_u16(),
                    outcome: reply.outcome(),
                    plugin: plugin.as_deref(),
                    reason: reason.as_deref(),
                    took: arrival.instant.elapsed(),
                });
                reply.into_response(id)
            }
            Err((reply, sender)) => {
                let (status, reason) = (reply.status().as_u16(), reply.reason());
                self.telemetry.emit(&Event::Unrouted {
                    id,
                    sender,
                    status,
                    reason: &reason,
                });
                reply.into_response(id)
            }
        }
    }

    /// From a request to a webhook of a route: everything that needs no plugin.
    async fn admit<B>(
        &self,
        request: Request<B>,
        peer: SocketAddr,
        scheme: Scheme,
        arrival: Arrival,
        id: WebhookId,
    ) -> Result<(Arc<Webhook>, Arc<Route>), (Reply, IpAddr)>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (parts, body) = request.into_parts();
        let (route, sender, scheme) = {
            // Let go before the first wait: a reload must not be held up by a slow body.
            let routes = self.routes.load();
            let origin = sender::origin(&parts.headers, peer, scheme, &routes.trusted_proxies);
            let refused = |reply| (reply, origin.address);
            if self.watch.is_requested() {
                return Err(refused(Reply::Draining));
            }
            let head = Head::check(&parts).map_err(|why| refused(Reply::Malformed(why)))?;
            let route = match routes.table.lookup(head.host, &parts.method, head.path) {
                Found::Route(route) => Arc::clone(route),
                Found::MethodNotAllowed(allow) => {
                    return Err(refused(Reply::MethodNotAllowed(allow)));
                }
                Found::Nothing => return Err(refused(Reply::NoRoute)),
            };
            if !sender::is_allowed(&route.allow, origin.address) {
                return Err(refused(Reply::NotAllowed));
            }
            (route, origin.address, origin.scheme)
        };
        let body = self
            .intake
            .read(body, &parts.headers, route.body_bytes_max, route.body_time)
            .await
            .map_err(|unread| (Reply::Unread(unread), sender))?;
        let host = head::authority(&parts);
        let target = head::target(&parts.uri);
        let webhook = Webhook {
            id,
            route: Arc::clone(&route.name),
            method: parts.method,
            target,
            host,
            scheme,
            fields: Fields::from(parts.headers),
            body,
            arrival,
            sender,
            public_url: route.public_url.clone(),
        };
        Ok((Arc::new(webhook), route))
    }

    /// From a webhook to what its sender hears, with the plugin that decided and its reason.
    async fn judge(
        &self,
        webhook: &Arc<Webhook>,
        route: &Route,
    ) -> (Reply, Option<Arc<str>>, Option<String>) {
        let accepted = match route
            .chain
            .judge(webhook, &route.upstreams, &self.telemetry)
            .await
        {
            Ok(Verdict::Accepted(accepted)) => accepted,
            Ok(Verdict::Dropped { plugin, reason }) => {
                return (Reply::Dropped, Some(plugin), Some(reason));
            }
            Ok(Verdict::Rejected {
                plugin,
                status,
                reason,
            }) => {
                return (Reply::Rejected { status }, Some(plugin), Some(reason));
            }
            Ok(Verdict::Responded { plugin, response }) => {
                return (Reply::Responded(response), Some(plugin), None);
            }
            Err(failure) => {
                let temporary = failure.kind.is_temporary();
                return (
                    Reply::PluginFailed { temporary },
                    Some(failure.plugin),
                    Some(failure.detail),
                );
            }
        };
        let reply = match self.dispatch.hand_over(accepted, &route.contract).await {
            Acknowledgement::Answered(answer) => Reply::Answered(answer),
            Acknowledgement::Held => Reply::Held,
            Acknowledgement::Duplicate => Reply::Duplicate,
            Acknowledgement::Full { retry_after } => Reply::Full { retry_after },
            Acknowledgement::Draining { .. } => Reply::Draining,
            Acknowledgement::Unavailable { cause, retry_after } => {
                let reason = cause.as_str().to_owned();
                return (
                    Reply::Unavailable { cause, retry_after },
                    None,
                    Some(reason),
                );
            }
        };
        (reply, None, None)
    }
}
