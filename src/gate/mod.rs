//! The story of one webhook: intake, judge, admit, reply. Choreography, no mechanics.
//!
//! The cheapest refusal comes first: framing, route, method, address, declared size; then the body;
//! then the plugins. Whatever happens, the sender hears a status that makes it try again or tells it
//! why not, and the cause is in the log under the id that the answer carries.

mod head;
mod memory;
mod reply;
mod sender;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::StatusCode;
use ipnet::IpNet;
use tokio::time::Instant;

use crate::delivery::{Acknowledgement, Contract, Dispatch};
use crate::fetch::Confirmation;
use crate::message::{self, Malformed, Response, Unread};
use crate::plugin::{self, Chain, Verdict};
use crate::route::{Found, Table};
use crate::telemetry::{Event, RouteMeters, Telemetry};
use crate::webhook::{Arrival, Scheme, Webhook, WebhookId};
use head::Head;
pub use memory::{Ended, Memory};
use reply::{Reply, Taken};

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
    /// The status by which its sender knows success; none where it takes every 2xx for one.
    pub success: Option<StatusCode>,
    /// The names of its upstreams, as plugins may use them.
    pub upstreams: Vec<Arc<str>>,
    /// What its sender may have us confirm.
    pub confirmation: Option<Confirmation>,
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

/// A call whose head was admitted, on its way to become a webhook of its route.
#[derive(Debug)]
pub struct Call {
    id: WebhookId,
    arrival: Arrival,
    head: message::Head,
    sender: IpAddr,
    scheme: Scheme,
    route: Arc<Route>,
}

impl Call {
    /// Bytes of the largest body.
    #[must_use]
    pub fn body_bytes_max(&self) -> usize {
        self.route.body_bytes_max
    }

    /// For reading the body.
    #[must_use]
    pub fn body_time(&self) -> Duration {
        self.route.body_time
    }
}

/// Handles webhooks by the routes in force; one for each worker, cheap to clone.
#[derive(Clone, Debug)]
pub struct Gate {
    routes: Arc<ArcSwap<Routes>>,
    dispatch: Dispatch,
    telemetry: Telemetry,
    memory: Arc<Memory>,
}

impl Gate {
    /// A gate whose routes a reload may swap.
    #[must_use]
    pub fn new(routes: Arc<ArcSwap<Routes>>, dispatch: Dispatch, telemetry: Telemetry) -> Self {
        Self {
            routes,
            dispatch,
            telemetry,
            memory: Arc::default(),
        }
    }

    /// How the calls ended that came to no delivery.
    #[must_use]
    pub fn memory(&self) -> Arc<Memory> {
        Arc::clone(&self.memory)
    }

    /// From a head to a route: everything that needs neither the body nor a plugin.
    ///
    /// # Errors
    /// The answer: no route takes it, or not from this sender.
    pub fn admit(
        &self,
        head: message::Head,
        peer: SocketAddr,
        scheme: Scheme,
    ) -> Result<Call, Response> {
        let arrival = Arrival::now();
        let id = WebhookId::new(arrival);
        // Let go before the first wait: a reload must not be held up by a slow body.
        let routes = self.routes.load();
        let origin = sender::origin(&head.fields, peer, scheme, &routes.trusted_proxies);
        match self.route_of(&routes, &head, origin.address) {
            Ok(route) => Ok(Call {
                id,
                arrival,
                head,
                sender: origin.address,
                scheme: origin.scheme,
                route,
            }),
            Err(reply) => Err(self.refused(reply, id, origin.address, None)),
        }
    }

    /// Answers a call whose body could not be read.
    #[must_use]
    pub fn unread(&self, call: &Call, why: Unread) -> Response {
        let reply = Reply::Unread(why, call.route.body_bytes_max);
        let route = Some(Arc::clone(&call.route.name));
        self.refused(reply, call.id, call.sender, route)
    }

    /// Answers bytes that are no head.
    #[must_use]
    pub fn malformed(&self, why: Malformed, peer: SocketAddr) -> Response {
        let id = WebhookId::new(Arrival::now());
        self.refused(Reply::Malformed(why), id, peer.ip().to_canonical(), None)
    }

    /// Answers a call whose body is there.
    ///
    /// Dropping the future (the sender hung up) cancels what has not been accepted yet; an accepted
    /// webhook is delivered all the same.
    pub async fn answer(&self, call: Call, body: Bytes) -> Response {
        let Call {
            id,
            arrival,
            head,
            sender,
            scheme,
            route,
        } = call;
        let webhook = Arc::new(Webhook {
            id,
            route: Arc::clone(&route.name),
            method: head.method,
            target: head.target,
            authority: head.authority,
            scheme,
            fields: head.fields,
            body,
            arrival,
            sender,
            public_url: route.public_url.clone(),
        });
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
        if !reply.is_in_delivery() {
            let route = Some(Arc::clone(&route.name));
            self.remember(&reply, id, route, plugin, reason);
        }
        reply.into_response(id)
    }

    /// Who asks where the webhook is hears how it ended.
    fn remember(
        &self,
        reply: &Reply,
        id: WebhookId,
        route: Option<Arc<str>>,
        plugin: Option<Arc<str>>,
        reason: Option<String>,
    ) {
        let ended = Ended {
            id,
            route,
            outcome: reply.outcome(),
            status: Some(reply.status().as_u16()),
            plugin,
            reason: None,
            at: Instant::now(),
        };
        self.memory.add(ended, reason);
    }

    fn route_of(
        &self,
        routes: &Routes,
        head: &message::Head,
        sender: IpAddr,
    ) -> Result<Arc<Route>, Reply> {
        let Head { host, path } =
            Head::check(head).map_err(|why| Reply::Malformed(Malformed::Syntax(why)))?;
        match routes.table.lookup(host, &head.method, path) {
            Found::Route(route) if sender::is_allowed(&route.allow, sender) => {
                Ok(Arc::clone(route))
            }
            Found::Route(_) => Err(Reply::NotAllowed),
            Found::MethodNotAllowed(allow) => Err(Reply::MethodNotAllowed(allow)),
            Found::Nothing => Err(Reply::NoRoute),
        }
    }

    fn refused(
        &self,
        reply: Reply,
        id: WebhookId,
        sender: IpAddr,
        route: Option<Arc<str>>,
    ) -> Response {
        let reason = reply.reason();
        self.telemetry.emit(&Event::Unrouted {
            id,
            sender,
            status: reply.status().as_u16(),
            reason: &reason,
        });
        self.remember(&reply, id, route, None, Some(reason));
        reply.into_response(id)
    }

    /// A plugin answers, and what it answers to may have to be confirmed first: a sender that hears 2xx
    /// does not ask again.
    async fn respond(
        webhook: &Webhook,
        route: &Route,
        response: plugin::Response,
    ) -> (Reply, Option<String>) {
        let Some(confirmation) = &route.confirmation else {
            return (Reply::Responded(response), None);
        };
        // Boxed: it is seldom, and its size would be every webhook's.
        match Box::pin(confirmation.of(webhook)).await {
            None => (Reply::Responded(response), None),
            Some(Ok(())) => {
                let reason = "the subscription is confirmed".to_owned();
                (Reply::Responded(response), Some(reason))
            }
            Some(Err(why)) => (Reply::PluginFailed { temporary: true }, Some(why)),
        }
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
                let reply = Reply::Taken(Taken::Dropped, route.success);
                return (reply, Some(plugin), Some(reason));
            }
            Ok(Verdict::Rejected {
                plugin,
                status,
                reason,
            }) => {
                return (Reply::Rejected { status }, Some(plugin), Some(reason));
            }
            Ok(Verdict::Responded { plugin, response }) => {
                let (reply, reason) = Self::respond(webhook, route, response).await;
                return (reply, Some(plugin), reason);
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
        // All that have arrived are judged before the first of them is sent on: guests after guests and
        // system calls after system calls find warm caches.
        if !route.chain.is_empty() {
            tokio::task::yield_now().await;
        }
        let reply = match self.dispatch.hand_over(accepted, &route.contract).await {
            Acknowledgement::Answered(answer) => Reply::Answered(answer),
            Acknowledgement::Held => Reply::Taken(Taken::Held, route.success),
            Acknowledgement::Duplicate => Reply::Taken(Taken::Duplicate, route.success),
            Acknowledgement::Unkept { retry_after } => Reply::Unkept { retry_after },
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
