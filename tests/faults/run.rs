//! One run: a gate under one contract, its senders, its upstream, and whoever ends its processes.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::disk::Disk;
use crate::ledger::{Figures, Ledger};
use crate::script::{Mood, Script};
use crate::senders;
use crate::support::{Gate, folder, passing};
use crate::upstream::{TIMEOUT, Upstream};

/// Time for what waits when the last sender has gone; the upstream is well then.
const SETTLING: Duration = Duration::from_secs(30);
/// For so long a disk that is full stays so.
const FULL: Duration = Duration::from_secs(1);
/// Attempts at once.
pub const CONCURRENCY: usize = 64;

/// A line for every attempt would be most of the work.
const QUIET: &[(&str, &str)] = &[("HOOKGATE_LOG", "info")];

/// What a route promises, what is done to its processes, and what must come of it.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    name: &'static str,
    /// Of the whole process.
    settings: &'static str,
    route: &'static str,
    /// How long its orderly end may take.
    drain: &'static str,
    is_killed: bool,
    /// A process has its spool to itself: the next one starts when it has ended.
    is_alone: bool,
    /// Its spool is on a disk that somebody else fills.
    is_filled: bool,
    /// Of the webhooks sent, in percent.
    acknowledged_least: f64,
}

impl Contract {
    pub const ALL: [Self; 6] = [
        Self {
            name: "upstream",
            settings: "",
            route: "ack = \"upstream\"\ndeadline = \"5s\"\n",
            drain: "20s",
            is_killed: true,
            is_alone: false,
            is_filled: false,
            acknowledged_least: 75.0,
        },
        Self {
            name: "buffered, spool",
            settings: "[buffer]\nspool = \"spool\"\n",
            route: "ack = \"buffered\"\ndeadline = \"250ms\"\n",
            drain: "2s",
            is_killed: true,
            is_alone: true,
            is_filled: false,
            acknowledged_least: 98.0,
        },
        Self {
            name: "early, spool",
            settings: "[buffer]\nspool = \"spool\"\n",
            route: "ack = \"early\"\n",
            drain: "2s",
            is_killed: true,
            is_alone: true,
            is_filled: false,
            acknowledged_least: 98.0,
        },
        // While nothing can be written, senders are asked to come back; these never do.
        Self {
            name: "early, full disk",
            settings: "[buffer]\nspool = \"spool\"\n",
            route: "ack = \"early\"\n",
            drain: "2s",
            is_killed: true,
            is_alone: true,
            is_filled: true,
            acknowledged_least: 80.0,
        },
        // Without a spool nothing is promised under SIGKILL.
        Self {
            name: "buffered, spill",
            settings: "[buffer]\nspill = \"spill\"\n",
            route: "ack = \"buffered\"\ndeadline = \"250ms\"\n",
            drain: "2s",
            is_killed: false,
            is_alone: true,
            is_filled: false,
            acknowledged_least: 98.0,
        },
        Self {
            name: "early, spill",
            settings: "[buffer]\nspill = \"spill\"\n",
            route: "ack = \"early\"\nlossy = true\n",
            drain: "2s",
            is_killed: false,
            is_alone: true,
            is_filled: false,
            acknowledged_least: 98.0,
        },
    ];

    /// Whether a 2xx is the upstream's own.
    fn is_upstreams(&self) -> bool {
        self.name == "upstream"
    }

    /// # Panics
    /// What was promised was not kept.
    pub fn check(&self, figures: &Figures, table: &str) {
        assert!(figures.wrong.is_empty(), "{:?}\n{table}", figures.wrong);
        assert_eq!(figures.lost, 0, "{self:?}\n{table}");
        assert_eq!(figures.needless, 0, "{self:?}\n{table}");
        assert!(
            !self.is_upstreams() || figures.ahead == 0,
            "{self:?}\n{table}"
        );
        let share = percent(figures.acknowledged, figures.sent);
        assert!(share >= self.acknowledged_least, "{self:?}\n{table}");
        // Where nothing failed, nothing was shown.
        assert!(figures.repeats > 0, "{self:?}\n{table}");
        assert!(!self.is_filled || figures.refused > 0, "{self:?}\n{table}");
    }
}

pub const HEADINGS: &str = "\
contract              faults            sent  acknowledged  refused  unheard  delivered  lost  repeats  needless  greeting";

pub fn row(contract: &Contract, figures: Option<&Figures>) -> String {
    let faults = match (contract.is_killed, contract.is_filled) {
        (_, true) => "TERM, KILL, full",
        (true, _) => "TERM, KILL",
        (false, _) => "TERM",
    };
    let Some(figures) = figures else {
        let why = "skipped: nobody may have a name space of his own here";
        return format!("{:<20}  {faults:<16}  {why}", contract.name);
    };
    let share = percent(figures.acknowledged, figures.sent);
    format!(
        "{:<20}  {faults:<16}  {:>6}  {:>5} {share:>4.1} %  {:>7}  {:>7}  {:>9}  {:>4}  {:>7}  {:>8}  {:>5} ms",
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
}

impl Run {
    pub fn new(contract: Contract, script: &Arc<Script>) -> Self {
        Self {
            contract,
            ledger: Arc::new(Ledger::new(script.webhooks())),
            script: Arc::clone(script),
        }
    }

    /// Nothing where there is no disk to be filled.
    pub async fn make(self) -> Option<Figures> {
        let (script, ledger) = (&self.script, &self.ledger);
        let socket = backlogged();
        let upstream = Upstream::start(Mood::Well, Duration::ZERO, script, ledger);
        let upstream = Arc::new(upstream);
        let contract = self.contract;
        let listen = socket.local_addr().unwrap().to_string();
        let toml = configuration(&listen, contract.drain, contract.settings, &upstream);
        let folder = folder();
        let disk = match contract.is_filled {
            true => {
                let at = folder.path().join("spool");
                std::fs::create_dir(&at).unwrap();
                Some(Disk::mount(&at).await?)
            }
            false => None,
        };
        let mut processes = Processes {
            folder,
            toml: toml + contract.route,
            socket,
            runner: disk.as_ref().map(Disk::beside).unwrap_or_default(),
            ended: JoinSet::new(),
        };
        let first = processes.start().await;
        let begun = Instant::now();

        let (to, told) = (first.address, Arc::clone(ledger));
        let (webhooks, rate) = (script.webhooks(), script.rate);
        let sending = tokio::spawn(async move { senders::send(to, webhooks, rate, &told).await });
        let (moods, moody) = (Arc::clone(script), Arc::clone(&upstream));
        let failing = tokio::spawn(async move { moody.follow(&moods, begun).await });
        if let Some(disk) = &disk {
            tokio::time::sleep_until(begun + script.filled).await;
            // What nobody takes needs room.
            upstream.leave();
            disk.fill();
            let refused = ledger.until(Ledger::has_refused);
            // One that never refuses is in the figures.
            let _ = tokio::time::timeout(SETTLING, refused).await;
            tokio::time::sleep(FULL).await;
            disk.free();
            upstream.come_back();
        }
        tokio::time::sleep_until(begun + script.replaced).await;
        let mut gate = processes.replace(first, contract.is_alone).await;
        if contract.is_killed {
            tokio::time::sleep_until(begun + script.killed).await;
            ledger.killed();
            gate = processes.kill(gate).await;
        }
        sending.await.unwrap();
        failing.await.unwrap();

        // What is still owed then is in the figures.
        let settled = ledger.until(|ledger| ledger.owed().is_empty());
        let _ = tokio::time::timeout(SETTLING, settled).await;
        processes.end(gate).await;
        Some(ledger.figures())
    }
}

/// Whoever starts and ends the processes of a gate, as a supervisor would: the socket stays open, and who
/// calls while nobody is there waits.
struct Processes {
    folder: Arc<TempDir>,
    toml: String,
    socket: TcpListener,
    /// The beginning of their command.
    runner: Vec<String>,
    /// With their logs.
    ended: JoinSet<(ExitStatus, Vec<String>)>,
}

impl Processes {
    async fn start(&self) -> Gate {
        let command = passing(&self.runner, &self.socket);
        let folder = Arc::clone(&self.folder);
        Gate::start_by(command, folder, &self.toml, QUIET).await
    }

    /// One process that has nobody beside it, or one beside the other.
    async fn replace(&mut self, gate: Gate, is_alone: bool) -> Gate {
        if is_alone {
            gate.signal("TERM");
            let ended = gate.ended().await;
            self.ended.spawn(async move { ended });
            return self.start().await;
        }
        let next = self.start().await;
        gate.signal("TERM");
        self.ended.spawn(gate.ended());
        next
    }

    async fn kill(&self, gate: Gate) -> Gate {
        gate.signal("KILL");
        gate.ended().await;
        self.start().await
    }

    /// Ends the last one, and looks at how they all ended.
    async fn end(mut self, gate: Gate) {
        gate.signal("TERM");
        self.ended.spawn(gate.ended());
        for (status, log) in self.ended.join_all().await {
            let last = log[log.len().saturating_sub(5)..].join("\n");
            assert_eq!(status.code(), Some(0), "{last}");
        }
    }
}

/// With room for all who call while nobody is there.
fn backlogged() -> TcpListener {
    const BACKLOG: i32 = 4_096;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(&address.into()).unwrap();
    socket.listen(BACKLOG).unwrap();
    socket.into()
}

/// Everything to this upstream; the route `hook` may go on.
fn configuration(listen: &str, drain: &str, settings: &str, upstream: &Upstream) -> String {
    format!(
        "[server]\nlisten = [\"{listen}\"]\ndrain = \"{drain}\"\n{settings}\
         [upstreams.app]\nurl = \"http://{}\"\ntimeout = \"{}ms\"\nconcurrency = {CONCURRENCY}\n\
         breaker = {{ failures = 10, open = \"200ms\" }}\n\
         [routes.hook]\npath = \"/hook\"\npublic = true\nforward = \"app\"\n\
         retry = {{ schedule = [\"100ms\", \"250ms\", \"500ms\"], attempts = 1000 }}\n",
        upstream.address,
        TIMEOUT.as_millis(),
    )
}

/// What a backlog came to.
pub struct Drained {
    /// Bytes of memory that the process has, and how many of them each delivery adds.
    pub memory: usize,
    pub each: usize,
    /// From the first delivery to the last one.
    pub took: Duration,
    /// What the upstream would have needed if it had never had a free hand.
    pub least: Duration,
    pub inside_most: usize,
    /// How much of the upstream's places was in use meanwhile, in percent.
    pub in_use: f64,
}

/// Lets these many webhooks wait for an upstream that is away, and counts how it is met when it comes back.
pub async fn drain(webhooks: usize, script: &Arc<Script>) -> Drained {
    /// Long enough for a busy machine to keep up with it.
    const WORK: Duration = Duration::from_millis(30);
    /// More than anybody asks for.
    const ROOM: &str = "[buffer]\nmax_bytes = \"64 GiB\"\nmax_deliveries = 16000000\n";
    // What it needs once, whatever waits, it has by then.
    let first = webhooks / 4;
    let ledger = Arc::new(Ledger::new(webhooks));
    let upstream = Upstream::start(Mood::Refuses, WORK, script, &ledger);
    let toml =
        configuration("127.0.0.1:0", "20s", ROOM, &upstream) + "ack = \"early\"\nlossy = true\n";
    let gate = Gate::start_in(folder(), &toml, QUIET).await;
    senders::fill(gate.address, 0..first, &ledger).await;
    let before = gate.memory();
    senders::fill(gate.address, first..webhooks, &ledger).await;
    assert_eq!(ledger.owed().len(), webhooks);
    let memory = gate.memory();

    upstream.be(Mood::Well);
    ledger.until(|ledger| ledger.delivered() > 0).await;
    let (begun, worked) = (Instant::now(), ledger.worked());
    ledger.until(|ledger| ledger.delivered() == webhooks).await;
    let (took, worked) = (begun.elapsed(), ledger.worked() - worked);
    gate.signal("TERM");
    assert_eq!(gate.ended().await.0.code(), Some(0));
    Drained {
        memory,
        each: (memory - before) / (webhooks - first),
        took,
        least: WORK.mul_f64(webhooks as f64 / CONCURRENCY as f64),
        inside_most: ledger.inside_most(),
        in_use: 100.0 * worked.div_duration_f64(took * CONCURRENCY.try_into().unwrap()),
    }
}
