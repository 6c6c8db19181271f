//! A spool on a disk that is full and stays so: what has ended goes, what was acknowledged stays, and what has
//! room is taken.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::support::webhooks::webhooks;
use crate::support::{Act, Call, Disk, Gate, Received, Upstream, folder, hook_to};

const SPOOL: &str = "[buffer]\nspool = \"spool\"\n";
/// Each, of what is delivered in the end and of what is refused for good.
const HELD: usize = 30;

/// An upstream that takes nothing until it is well, and then refuses for good what asks for it.
struct Moody {
    url: String,
    is_well: Arc<AtomicBool>,
    delivered: Arc<Mutex<Vec<String>>>,
}

impl Moody {
    async fn start() -> Self {
        let is_well = Arc::new(AtomicBool::new(false));
        let delivered = Arc::new(Mutex::new(Vec::new()));
        let (well, taken) = (Arc::clone(&is_well), Arc::clone(&delivered));
        let act = move |webhook: &Received| {
            let id = webhook.field("hookgate-id").unwrap().to_owned();
            match (well.load(Ordering::SeqCst), webhook.body.as_slice()) {
                (false, _) => Act::status(503),
                (true, [b'b', b'a', b'd', ..]) => Act::status(410),
                (true, _) => {
                    taken.lock().unwrap().push(id);
                    Act::status(200)
                }
            }
        };
        let url = Upstream::start(act).await.url();
        Self {
            url,
            is_well,
            delivered,
        }
    }

    fn be(&self, is_well: bool) {
        self.is_well.store(is_well, Ordering::SeqCst);
    }

    /// The ids of all that it has taken, as often as it has.
    fn delivered(&self) -> Vec<String> {
        self.delivered.lock().unwrap().clone()
    }

    /// A route that holds what it does not take.
    fn route(&self) -> String {
        let patient = "breaker = { failures = 1000000 }\n[routes.hook]";
        let hook = hook_to(&self.url).replace("[routes.hook]", patient);
        format!(
            "{SPOOL}{hook}ack = \"buffered\"\ndeadline = \"50ms\"\n\
             retry = {{ schedule = [\"100ms\"], attempts = 1000 }}\n"
        )
    }
}

/// A gate on a full disk that holds webhooks; the ids of those that will be delivered.
struct Full {
    folder: Arc<TempDir>,
    disk: Disk,
    upstream: Moody,
    gate: Gate,
    good: BTreeSet<String>,
}

impl Full {
    async fn new() -> Self {
        let (folder, upstream) = (folder(), Moody::start().await);
        let spool = folder.path().join("spool");
        std::fs::create_dir(&spool).unwrap();
        let disk = Disk::mount(&spool, "16m").await;
        let mut gate = start(&disk, &folder, &upstream).await;
        let mut good = BTreeSet::new();
        for _ in 0..HELD {
            good.insert(held(&gate, "good").await);
            held(&gate, "bad").await;
        }
        disk.fill();
        while let Some(id) = taken(&gate, "good").await {
            good.insert(id);
        }
        gate.wait_for_log(|line| {
            line["msg"] == "spool cannot be written, senders are asked to come back"
        })
        .await;
        Self {
            folder,
            disk,
            upstream,
            gate,
            good,
        }
    }
}

async fn start(disk: &Disk, folder: &Arc<TempDir>, upstream: &Moody) -> Gate {
    Gate::start_by(disk.gate(), Arc::clone(folder), &upstream.route(), &[]).await
}

/// The id of a webhook that is acknowledged; none for one that is not.
async fn taken(gate: &Gate, kind: &str) -> Option<String> {
    let body = format!("{kind}{}", "x".repeat(1_000));
    let answer = Call::post("/hook", body).send(gate.address).await;
    match answer.status {
        200 | 202 => Some(answer.field("hookgate-id").unwrap().to_owned()),
        503 => None,
        other => panic!("{other}"),
    }
}

async fn held(gate: &Gate, kind: &str) -> String {
    taken(gate, kind).await.expect("there is room")
}

#[tokio::test]
async fn a_full_disk_whose_backlog_has_gone_takes_webhooks_again_and_a_kill_repeats_none() {
    let Full {
        folder,
        disk,
        upstream,
        mut gate,
        good,
    } = Full::new().await;
    assert_eq!(gate.ask(&Call::get("/ready")).await.status, 503);

    upstream.be(true);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    gate.wait_for_log(|line| line["msg"] == "spool can be written again")
        .await;

    assert_eq!(gate.ask(&Call::get("/ready")).await.status, 200);
    assert_eq!(gate.metric("hookgate_spool_unwritten").await, 0.0);
    assert_eq!(gate.metric("hookgate_spool_writable").await, 1.0);
    upstream.be(false);
    let new = held(&gate, "good").await;
    gate.signal("KILL");
    gate.ended().await;
    let delivered = upstream.delivered();
    assert_eq!(delivered.iter().cloned().collect::<BTreeSet<_>>(), good);

    upstream.be(true);
    let mut gate = start(&disk, &folder, &upstream).await;
    let found = gate
        .wait_for_log(|line| line["msg"] == "spool opened")
        .await;

    assert_eq!(
        (&found["deliveries"], &found["dead_letters"]),
        (&1.into(), &HELD.into())
    );
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    assert_eq!(upstream.delivered(), [delivered, vec![new]].concat());
}

#[tokio::test]
async fn a_start_on_a_full_disk_delivers_what_is_there_and_says_that_it_takes_nothing() {
    let Full {
        folder,
        disk,
        upstream,
        gate,
        good,
    } = Full::new().await;
    gate.signal("TERM");
    assert_eq!(gate.ended().await.0.code(), Some(0));
    // Of the room that its end has let go.
    disk.fill();

    let mut gate = start(&disk, &folder, &upstream).await;
    gate.wait_for_log(|line| {
        line["msg"] == "spool cannot be written, senders are asked to come back"
    })
    .await;

    assert_eq!(gate.ask(&Call::get("/ready")).await.status, 503);
    assert_eq!(gate.metric("hookgate_spool_writable").await, 0.0);
    assert_eq!(taken(&gate, "good").await, None);
    disk.free();
    gate.wait_for_log(|line| line["msg"] == "spool can be written again")
        .await;
    assert_eq!(gate.ask(&Call::get("/ready")).await.status, 200);
    assert_eq!(gate.metric("hookgate_spool_writable").await, 1.0);
    upstream.be(true);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    let delivered: BTreeSet<String> = upstream.delivered().into_iter().collect();
    assert_eq!(delivered, good);
}

#[tokio::test]
async fn a_full_disk_takes_a_discard_before_the_operator_hears_of_it() {
    let Full {
        folder,
        disk,
        upstream,
        gate,
        ..
    } = Full::new().await;

    let (code, printed) = webhooks(&gate, &["discard", "--waiting", "--all"]).await;
    gate.signal("KILL");
    gate.ended().await;

    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(" discarded\n"), "{printed}");
    upstream.be(true);
    let mut gate = start(&disk, &folder, &upstream).await;
    let found = gate
        .wait_for_log(|line| line["msg"] == "spool opened")
        .await;
    assert_eq!(
        (&found["deliveries"], &found["dead_letters"]),
        (&0.into(), &0.into())
    );
}
