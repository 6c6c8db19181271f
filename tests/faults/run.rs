//! One run: a gate under one contract, its senders, its upstream, and whoever ends its processes.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::ledger::{Figures, Ledger};
use crate::script::{Mood, Script};
use crate::senders;
use crate::support::{Gate, folder, passing};
use crate::upstream::{TIMEOUT, Upstream};

/// Time for what waits when the last sender has gone; the upstream is well then.
const SETTLING: Duration = Duration::from_secs(30);
/// Attempts at once.
pub const CONCURRENCY: usize = 64;

/// A line for every attempt would be most of the work.
const QUIET: &[(&str, &str)] = &[("HOOKGATE_LOG", "info")];

/// What a route promises, what is done to its processes, and what must come of it.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    name: &'static str,
    route: &'static str,
    is_killed: bool,
    /// Of the webhooks sent, in percent.
    acknowledged_least: f64,
    /// A 2xx is the upstream's own.
    is_upstreams: bool,
}

impl Contract {
    pub const UPSTREAM: Self = Self {
        name: "upstream",
        route: "ack = \"upstream\"\ndeadline = \"5s\"\n",
        is_killed: true,
        acknowledged_least: 75.0,
        is_upstreams: true,
    };
    /// Without a spool it promises nothing under SIGKILL.
    pub const BUFFERED: Self = Self {
        name: "buffered, in memory",
        route: "ack = \"buffered\"\ndeadline = \"250ms\"\n",
        is_killed: false,
        acknowledged_least: 98.0,
        is_upstreams: false,
    };

    /// # Panics
    /// What was promised was not kept.
    pub fn check(&self, figures: &Figures, table: &str) {
        assert!(figures.wrong.is_empty(), "{:?}\n{table}", figures.wrong);
        assert_eq!(figures.lost, 0, "{self:?}\n{table}");
        assert_eq!(figures.needless, 0, "{self:?}\n{table}");
        assert!(
            !self.is_upstreams || figures.ahead == 0,
            "{self:?}\n{table}"
        );
        let share = percent(figures.acknowledged, figures.sent);
        assert!(share >= self.acknowledged_least, "{self:?}\n{table}");
        // Where nothing failed, nothing was shown.
        assert!(figures.repeats > 0, "{self:?}\n{table}");
    }
}

pub const HEADINGS: &str = "\
contract              ended by      sent  acknowledged  refused  unheard  delivered  lost  repeats  needless  greeting";

pub fn row(contract: &Contract, figures: &Figures) -> String {
    let ends = if contract.is_killed {
        "TERM, KILL"
    } else {
        "TERM"
    };
    let share = percent(figures.acknowledged, figures.sent);
    format!(
        "{:<20}  {ends:<10}  {:>6}  {:>5} {share:>4.1} %  {:>7}  {:>7}  {:>9}  {:>4}  {:>7}  {:>8}  {:>5} ms",
        contract.name,
        figures.sent,
        figures.acknowledged,
        figures.refused,
        figures.unheard,
        figures.delivered,
        figures.lost,
        figures.repeats,
        figures.needless,
        figures.slowest_greeting.as_millis(),
    )
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole as f64
}

pub struct Run {
    contract: Contract,
    script: Arc<Script>,
    ledger: Arc<Ledger>,
    folder: Arc<TempDir>,
}

impl Run {
    pub fn new(contract: Contract, script: &Arc<Script>) -> Self {
        Self {
            contract,
            ledger: Arc::new(Ledger::new(script.webhooks())),
            script: Arc::clone(script),
            folder: folder(),
        }
    }

    pub async fn make(self) -> Figures {
        // Kept open as a supervisor would: who calls while nobody is there waits.
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let begun = Instant::now() + Duration::from_secs(1);
        let upstream = Upstream::start(Mood::Well, Duration::ZERO, &self.script, &self.ledger);
        let listen = socket.local_addr().unwrap().to_string();
        let toml = configuration(&listen, &upstream) + self.contract.route;
        let first = self.gate(&socket, &toml).await;
        tokio::time::sleep_until(begun).await;

        let (to, ledger) = (first.address, Arc::clone(&self.ledger));
        let (webhooks, rate) = (self.script.webhooks(), self.script.rate);
        let sending = tokio::spawn(async move { senders::send(to, webhooks, rate, &ledger).await });
        let script = Arc::clone(&self.script);
        let failing = tokio::spawn(async move {
            upstream.follow(&script, begun).await;
            upstream
        });

        tokio::time::sleep_until(begun + self.script.replaced).await;
        let mut gate = self.gate(&socket, &toml).await;
        first.signal("TERM");
        let replaced = tokio::spawn(first.ended());
        if self.contract.is_killed {
            tokio::time::sleep_until(begun + self.script.killed).await;
            self.ledger.killed();
            gate.signal("KILL");
            gate.ended().await;
            gate = self.gate(&socket, &toml).await;
        }
        sending.await.unwrap();
        let _upstream = failing.await.unwrap();

        let settled = async {
            while !self.ledger.owed().is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // What is still owed then is in the figures.
        let _ = tokio::time::timeout(SETTLING, settled).await;
        gate.signal("TERM");
        for (status, log) in [replaced.await.unwrap(), gate.ended().await] {
            assert_eq!(
                status.code(),
                Some(0),
                "{}",
                log[log.len() - 5..].join("\n")
            );
        }
        self.ledger.figures()
    }

    async fn gate(&self, socket: &TcpListener, toml: &str) -> Gate {
        Gate::start_by(passing(socket), Arc::clone(&self.folder), toml, QUIET).await
    }
}

/// Everything to this upstream; the route `hook` may go on.
fn configuration(listen: &str, upstream: &Upstream) -> String {
    format!(
        "[server]\nlisten = [\"{listen}\"]\ndrain = \"20s\"\n\
         [upstreams.app]\nurl = \"http://{}\"\ntimeout = \"{}ms\"\nconcurrency = {CONCURRENCY}\n\
         breaker = {{ failures = 10, open = \"200ms\" }}\n\
         [routes.hook]\npath = \"/hook\"\npublic = true\nforward = \"app\"\n\
         retry = {{ schedule = [\"100ms\", \"250ms\", \"500ms\"], attempts = 1000 }}\n",
        upstream.address,
        TIMEOUT.as_millis(),
    )
}

/// What draining a backlog came to.
pub struct Drained {
    pub webhooks: usize,
    /// From the first delivery to the last one.
    pub took: Duration,
    /// What the upstream would have needed if it had never had a free hand.
    pub least: Duration,
    pub inside_most: usize,
}

/// Lets these many webhooks wait for an upstream that is away, and counts how it is met when it comes back.
pub async fn drain(webhooks: usize, script: &Arc<Script>) -> Drained {
    /// Long enough for a busy machine to keep up with it.
    const WORK: Duration = Duration::from_millis(30);
    let ledger = Arc::new(Ledger::new(webhooks));
    let upstream = Upstream::start(Mood::Refuses, WORK, script, &ledger);
    let toml = configuration("127.0.0.1:0", &upstream) + "ack = \"early\"\nlossy = true\n";
    let gate = Gate::start_in(folder(), &toml, QUIET).await;
    senders::fill(gate.address, webhooks, &ledger).await;
    assert_eq!(ledger.owed().len(), webhooks);

    upstream.be(Mood::Well);
    while ledger.delivered() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let begun = Instant::now();
    while ledger.delivered() < webhooks {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = begun.elapsed();
    gate.signal("TERM");
    assert_eq!(gate.ended().await.0.code(), Some(0));
    Drained {
        webhooks,
        took,
        least: WORK.mul_f64(webhooks as f64 / CONCURRENCY as f64),
        inside_most: ledger.inside_most(),
    }
}
