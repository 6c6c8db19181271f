//! Deliveries over real sockets. The upstream is played by the test itself, line by line, so nothing
//! waits for a time: only for the other side.

mod ack;
mod answers;
mod end;
mod fan_out;
mod h2;
mod order;
mod pooling;
mod repeats;
mod sim;
mod tls;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::drain::Drain;
use crate::telemetry::Telemetry;
use crate::webhook::{Arrival, Scheme, WebhookId};

/// Much longer than any test takes, so that no deadline but the tested one can fire.
const LONG: Duration = Duration::from_secs(60);
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A worker with all that stands behind it.
struct House {
    drain: Drain,
    buffer: Buffer,
    dead: Arc<DeadLetters>,
    dispatch: Dispatch,
}

impl House {
    fn new() -> Self {
        Self::bounded(Bounds::default())
    }

    fn bounded(bounds: Bounds) -> Self {
        let (drain, buffer, dead) = (
            Drain::new(),
            Buffer::new(bounds),
            Arc::new(DeadLetters::new()),
        );
        let commons = Commons {
            buffer: buffer.clone(),
            dead: Arc::clone(&dead),
            duplicates: Arc::new(Duplicates::new()),
            telemetry: Telemetry::new(),
            keeping: Keeping::Memory,
        };
        let dispatch = Dispatch::new(0, commons, drain.watch());
        Self {
            drain,
            buffer,
            dead,
            dispatch,
        }
    }

    /// Retries at once and often, within [`LONG`].
    fn contract(&self, ack: Ack, upstreams: &[&Arc<Upstream>]) -> Contract {
        Contract {
            ack,
            deadline: LONG,
            policy: Policy {
                schedule: Schedule::Steps(vec![Duration::ZERO]),
                attempts_max: NonZeroU32::new(1000).unwrap(),
                ..Policy::default()
            },
            upstreams: upstreams
                .iter()
                .map(|upstream| Arc::clone(upstream))
                .collect(),
            share: self.buffer.share(Bounds::default()),
            meters: Telemetry::new().route("github"),
            signers: Signers::new(),
        }
    }

    async fn hand_over(&self, contract: &Arc<Contract>) -> Acknowledgement {
        self.hand_over_as(contract, Overlay::default()).await
    }

    async fn hand_over_as(&self, contract: &Arc<Contract>, overlay: Overlay) -> Acknowledgement {
        self.dispatch
            .take_over(webhook(), vec![overlay], None, contract)
            .await
    }
}

fn webhook() -> Arc<Webhook> {
    let arrival = Arrival::now();
    Arc::new(Webhook {
        id: WebhookId::new(arrival),
        route: "github".into(),
        method: Method::POST,
        target: "/github?a=1".parse().unwrap(),
        authority: Some("hooks.example.com".into()),
        scheme: Scheme::Https,
        fields: [("content-type", "application/json")].into_iter().collect(),
        body: Bytes::from_static(b"{\"a\":1}"),
        arrival,
        sender: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        public_url: None,
    })
}

fn settings(name: &str, scheme: &str, port: u16) -> UpstreamSettings {
    let url = UpstreamUrl::parse(&format!("{scheme}://127.0.0.1:{port}")).unwrap();
    UpstreamSettings {
        timeout: LONG,
        connect_timeout: LONG,
        ..UpstreamSettings::new(name.into(), url)
    }
}

fn upstream(settings: UpstreamSettings) -> Arc<Upstream> {
    let meters = Telemetry::new().upstream(&settings.name);
    Arc::new(Upstream::new(settings, 1, meters).unwrap())
}

/// The upstream's side, played by the test.
struct Peer {
    listener: TcpListener,
    port: u16,
}

impl Peer {
    async fn new() -> Self {
        Self::at(0).await
    }

    async fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    fn upstream(&self, name: &str) -> Arc<Upstream> {
        upstream(settings(name, "http", self.port))
    }

    async fn accept(&self) -> Line<TcpStream> {
        Line(self.listener.accept().await.unwrap().0)
    }

    /// One call on a connection of its own.
    async fn answer(&self, answer: &str) -> Request {
        let mut line = self.accept().await;
        let request = line.request().await;
        line.say(answer).await;
        request
    }
}

/// One connection, seen from the upstream.
struct Line<S>(S);

#[derive(Debug)]
struct Request {
    head: String,
    body: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    async fn request(&mut self) -> Request {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let request = Request {
            head,
            body: Vec::new(),
        };
        let length = request.field("content-length").unwrap().parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        Request { body, ..request }
    }

    async fn say(&mut self, answer: &str) {
        self.0.write_all(answer.as_bytes()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// Resolves when the other side has closed.
    async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0; 1]).await, Ok(0) | Err(_))
    }
}

impl Request {
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

fn status(acknowledgement: &Acknowledgement) -> Option<u16> {
    match acknowledgement {
        Acknowledgement::Answered(answer) => Some(answer.status.as_u16()),
        _ => None,
    }
}

fn cause(acknowledgement: &Acknowledgement) -> Option<Cause> {
    match acknowledgement {
        Acknowledgement::Unavailable { cause, .. } => Some(*cause),
        _ => None,
    }
}

/// Gives up after the first attempt, so that one failure is the answer.
fn once(mut contract: Contract) -> Arc<Contract> {
    contract.policy.attempts_max = NonZeroU32::MIN;
    Arc::new(contract)
}
