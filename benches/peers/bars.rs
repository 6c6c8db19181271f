//! The bars: which servers do which work, round by round in shuffled order.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::load::{self, Load, Sample};
use crate::peers::{Check, Peer, Site, Transport, free_port};
use crate::report::{Row, Table};
use crate::server::{Launch, Server};
use crate::work::{Certificate, Connection, Signature, webhook};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bar {
    /// Pass-through, keep-alive.
    Pass,
    /// The signature checked, keep-alive.
    Verify,
    /// Pass-through over TLS, keep-alive.
    Tls,
    /// Pass-through, one TLS connection per webhook, full handshakes.
    Handshake,
    /// Start-up with a warm cache, and memory without traffic.
    Idle,
}

/// What a bar is held to, by the figure that its ratios are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    /// Hookgate's share of ...
    pub ratio: f64,
    /// ... this one's figure, at most.
    pub of: Peer,
}

impl Bar {
    /// As in the options and the report.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Verify => "verify",
            Self::Tls => "tls",
            Self::Handshake => "handshake",
            Self::Idle => "idle",
        }
    }

    /// Who does this work; nginx is there whenever it can be, as the yardstick.
    fn line_up(self) -> &'static [Peer] {
        use Peer::{Haproxy, Hookgate, HookgateBefore, Nginx, NginxLua, Node};
        match self {
            Self::Pass | Self::Tls | Self::Handshake => &[Hookgate, HookgateBefore, Nginx, Haproxy],
            Self::Verify => &[Hookgate, HookgateBefore, Nginx, NginxLua, Node],
            Self::Idle => &[Hookgate, HookgateBefore, Nginx, NginxLua, Haproxy, Node],
        }
    }

    fn transport(self) -> Transport {
        match self {
            Self::Pass | Self::Verify | Self::Idle => Transport::Plain,
            Self::Tls | Self::Handshake => Transport::Tls,
        }
    }

    fn check(self) -> Check {
        match self {
            Self::Pass | Self::Tls | Self::Handshake => Check::Nothing,
            Self::Verify | Self::Idle => Check::Signature,
        }
    }

    fn connection(self) -> Connection {
        match self {
            Self::Handshake => Connection::Closed,
            Self::Pass | Self::Verify | Self::Tls | Self::Idle => Connection::Kept,
        }
    }

    /// What each sample holds; ratios are made of the first.
    #[must_use]
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Pass | Self::Verify | Self::Tls | Self::Handshake => load::COLUMNS,
            Self::Idle => &["ready_ms", "idle_mib", "after_load_mib"],
        }
    }

    /// What Hookgate is held to, where that is a ratio.
    #[must_use]
    pub(crate) fn goal(self) -> Option<Goal> {
        let (ratio, of) = match self {
            Self::Pass => (1.15, Peer::Nginx),
            Self::Verify => (1.25, Peer::NginxLua),
            Self::Tls => (1.05, Peer::Nginx),
            Self::Handshake => (0.65, Peer::Nginx),
            Self::Idle => return None,
        };
        Some(Goal { ratio, of })
    }
}

/// What every bar needs to know.
pub(crate) struct Bench<'a> {
    /// A folder that goes away with the run.
    pub home: &'a Path,
    /// How senders trust the servers.
    pub certificate: Certificate,
    /// Where everything is delivered.
    pub upstream: u16,
    /// The core of the server under test.
    pub core: usize,
    /// Who takes part.
    pub peers: Vec<Peer>,
    /// Another build of Hookgate.
    pub before: Option<&'a Path>,
    /// How often.
    pub rounds: u64,
    /// How long each server is loaded in a round.
    pub time: Duration,
}

/// A server that takes part, and what is known about it.
struct Contender {
    launch: Launch,
    load: Load,
    row: Row,
    /// Runs through all rounds; the idle bar starts one of its own each time.
    server: Option<Server>,
}

/// How long a server may take until it answers its first webhook; Node needs 100 ms.
const READY_MAX: Duration = Duration::from_secs(20);

impl Bench<'_> {
    /// Measures one bar.
    ///
    /// # Errors
    /// When the machine does not give what the bench itself needs; a server that does not start is
    /// left out and named.
    pub(crate) async fn measure(&self, bar: Bar) -> Result<Table, Failure> {
        let mut contenders = Vec::new();
        let mut left_out = Vec::new();
        for &peer in bar
            .line_up()
            .iter()
            .filter(|peer| self.peers.contains(peer))
        {
            match self.enter(bar, peer).await {
                Ok(contender) => contenders.push(contender),
                Err(reason) => left_out.push((peer, reason.to_string())),
            }
        }
        for round in 0..self.rounds {
            // The seed is the round, so that a run can be repeated in the same order.
            fastrand::Rng::with_seed(round).shuffle(&mut contenders);
            for contender in &mut contenders {
                let sample = match &contender.server {
                    Some(server) => contender.load.measure(server, self.time).await,
                    None => idle(&contender.launch, &contender.load).await?,
                };
                contender.row.samples.push(sample);
            }
        }
        let mut rows = Vec::new();
        for contender in contenders {
            if let Some(server) = contender.server {
                server.stop().await;
            }
            rows.push(contender.row);
        }
        rows.sort_by_key(|row| bar.line_up().iter().position(|peer| *peer == row.peer));
        Ok(Table {
            bar,
            rows,
            left_out,
        })
    }

    /// Starts a server and sees what it does with a genuine and with a forged webhook.
    async fn enter(&self, bar: Bar, peer: Peer) -> Result<Contender, Failure> {
        let site = Site {
            home: self.home,
            port: free_port()?,
            upstream: self.upstream,
            transport: bar.transport(),
            check: bar.check(),
            core: self.core,
            before: self.before,
        };
        let launch = peer.launch(&site)?;
        let load = Load {
            port: site.port,
            webhook: webhook(Signature::Genuine, bar.connection()),
            tls: match bar.transport() {
                Transport::Plain => None,
                Transport::Tls => Some(self.certificate.sender()?),
            },
            connection: bar.connection(),
        };
        let (server, _) = start(&launch, &load).await?;
        let forged = Load {
            webhook: webhook(Signature::Forged, bar.connection()),
            ..load.clone()
        };
        let refuses = matches!(forged.once().await, Ok(400..500));
        if peer == Peer::Hookgate && bar.check() == Check::Signature && !refuses {
            return Err("it let a forged webhook through".into());
        }
        let server = match bar {
            Bar::Idle => {
                server.stop().await;
                None
            }
            _ => Some(server),
        };
        let row = Row {
            peer,
            refuses,
            samples: Vec::new(),
        };
        Ok(Contender {
            launch,
            load,
            row,
            server,
        })
    }
}

/// Starts a server and waits until it has answered a webhook with 200; says how long that took.
async fn start(launch: &Launch, load: &Load) -> Result<(Server, Duration), Failure> {
    let begun = Instant::now();
    let mut server = Server::start(launch)?;
    loop {
        let last = match load.once().await {
            Ok(200) => return Ok((server, begun.elapsed())),
            Ok(status) => format!("it answered {status}"),
            Err(error) => error.to_string(),
        };
        if let Some(why) = server.ended() {
            return Err(why.into());
        }
        if begun.elapsed() > READY_MAX {
            return Err(format!("not ready after {READY_MAX:?}: {last}").into());
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Starts a server of its own: time to the first answer, memory then, and memory after a second of
/// load; each time when things have settled.
async fn idle(launch: &Launch, load: &Load) -> Result<Sample, Failure> {
    const SETTLE: Duration = Duration::from_millis(500);
    const LOAD: Duration = Duration::from_secs(1);
    let (server, ready) = start(launch, load).await?;
    sleep(SETTLE).await;
    let idle = mib(server.memory());
    let loaded = load.measure(&server, LOAD).await;
    sleep(SETTLE).await;
    let after = mib(server.memory());
    server.stop().await;
    Ok(Sample {
        figures: vec![ready.as_secs_f64() * 1e3, idle, after],
        errors: loaded.errors,
    })
}

fn mib(bytes: u64) -> f64 {
    // Whole KiB are exact in a u32 up to 4 TiB.
    f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0
}
