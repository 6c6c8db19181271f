//! One process takes over from another while senders call: nobody is refused, nobody is reset.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UnixDatagram;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::support::{Call, Connection, Gate, Upstream, folder, free_port, hook, passing};

/// Often enough for what happens seldom.
const REPLACEMENTS: usize = 4;

/// Between two calls of a sender.
const PAUSE: Duration = Duration::from_millis(5);

/// Senders that call all along, each time over a connection of its own; a call that is not answered 200
/// is a panic.
struct Senders {
    senders: JoinSet<usize>,
    is_over: Arc<AtomicBool>,
}

impl Senders {
    fn begin(to: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut senders = JoinSet::new();
        for _ in 0..8 {
            let is_over = Arc::clone(&is_over);
            senders.spawn(async move {
                let mut calls = 0;
                // The machine's ports are not endless.
                let mut pace = tokio::time::interval(PAUSE);
                while !is_over.load(Ordering::Relaxed) {
                    let answer = Call::post("/hook", "x").send(to).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    calls += 1;
                    pace.tick().await;
                }
                calls
            });
        }
        Self { senders, is_over }
    }

    /// How many calls they made.
    async fn end(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        self.senders.join_all().await.into_iter().sum()
    }
}

/// A configuration with addresses of its own, and an upstream that forgets what it got.
async fn busy(admin: &str) -> String {
    let mut upstream = Upstream::ok().await;
    let toml = format!(
        "[server]\nlisten = [\"127.0.0.1:{}\"]\n[admin]\nlisten = \"{admin}\"\n{}",
        free_port(),
        hook(&upstream)
    );
    tokio::spawn(async move {
        loop {
            upstream.next().await;
        }
    });
    toml
}

/// Webhooks that this process has answered.
async fn answered(gate: &Gate) -> f64 {
    let series = "hookgate_webhooks_total{route=\"hook\",outcome=\"delivered\",class=\"2xx\"}";
    gate.metric(series).await
}

#[tokio::test]
async fn a_process_beside_another_takes_over_and_nobody_is_refused() {
    let mut gate = Gate::start(&busy(&format!("127.0.0.1:{}", free_port())).await).await;
    let senders = Senders::begin(gate.address);

    for _ in 0..REPLACEMENTS {
        let next = gate.beside().await;
        gate.signal("TERM");
        assert_eq!(gate.ended().await.0.code(), Some(0));
        gate = next;
    }

    let last = answered(&gate).await;
    assert!(senders.end().await > REPLACEMENTS);
    assert!(answered(&gate).await > last);
}

#[tokio::test]
async fn a_socket_that_is_passed_on_keeps_its_callers_while_nobody_is_there() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = Upstream::ok().await;
    let toml = format!(
        "[server]\nlisten = [\"{}\"]\n{}",
        socket.local_addr().unwrap(),
        hook(&upstream)
    );
    let mut gate = Gate::start_by(passing(&[], &socket), folder(), &toml, &[]).await;
    let senders = Senders::begin(gate.address);

    for _ in 0..REPLACEMENTS {
        gate.signal("TERM");
        assert_eq!(gate.ended().await.0.code(), Some(0));
        gate = Gate::start_by(passing(&[], &socket), folder(), &toml, &[]).await;
    }

    assert!(senders.end().await > REPLACEMENTS);
    assert!(answered(&gate).await > 0.0);
}

#[tokio::test]
async fn each_worker_serves_a_passed_socket() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut upstream, permits) = Upstream::awaiting().await;
    let toml = format!(
        "[server]\nlisten = [\"{}\"]\nworkers = 3\n{}",
        socket.local_addr().unwrap(),
        hook(&upstream)
    );
    let gate = Gate::start_by(passing(&[], &socket), folder(), &toml, &[]).await;

    let mut sender = Connection::open(gate.address).await;
    sender.write(Call::post("/hook", "x").bytes()).await;
    assert_eq!(upstream.next().await.text(), "x");
    permits.add_permits(1);

    assert_eq!(sender.answer().await.status, 200);
}

#[tokio::test]
async fn a_second_process_is_refused_unless_it_is_to_replace_the_first() {
    let first = Gate::start(&busy("127.0.0.1:0").await).await;

    let second = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args(["run", "--config", "config.toml"])
        .current_dir(first.folder())
        .output()
        .await
        .unwrap();

    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    let end = format!(
        "error: cannot listen on `{}`: Address already in use (os error 98)\n\
         help: to take over from a process that runs there, start with --replace\n",
        first.address
    );
    assert!(said.ends_with(&end), "{said}");
}

#[tokio::test]
async fn a_passed_socket_that_is_for_nothing_is_refused() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = folder();
    std::fs::write(folder.path().join("config.toml"), busy("off").await).unwrap();

    let ended = passing(&[], &socket)
        .args(["run", "--config", "config.toml"])
        .current_dir(folder.path())
        .output()
        .await
        .unwrap();

    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    let end = format!(
        "error: a socket was passed for `{}`, and nothing listens there: name it in `server.listen`, or \
         take it out of what passes it (`ListenStream=` in a systemd socket unit)\n",
        socket.local_addr().unwrap()
    );
    assert!(said.ends_with(&end), "{said}");
}

#[tokio::test]
async fn a_supervisor_hears_when_a_process_is_ready_and_when_it_stops() {
    let folder = folder();
    let path = folder.path().join("notify");
    let notified = UnixDatagram::bind(&path).unwrap();
    let upstream = Upstream::ok().await;
    let env = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let gate = Gate::start_in(folder, &hook(&upstream), &env).await;

    let mut word = [0; 64];
    let length = notified.recv(&mut word).await.unwrap();
    assert_eq!(&word[..length], b"READY=1\n");
    gate.signal("TERM");
    let length = notified.recv(&mut word).await.unwrap();
    assert_eq!(&word[..length], b"STOPPING=1\n");
    assert_eq!(gate.ended().await.0.code(), Some(0));
}
