//! The spool: a 202 means on disk, and what is on disk is delivered by whoever comes next.

use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::support::{
    Absent, Act, Answer, Call, Connection, Gate, Received, Upstream, folder, hook, hook_to,
};

const SPOOL: &str = "[buffer]\nspool = \"spool\"\n";
const EARLY: &str = "ack = \"early\"\n";

async fn start(folder: &Arc<TempDir>, toml: &str) -> Gate {
    Gate::start_in(Arc::clone(folder), toml, &[]).await
}

/// Ended without a word, as by the system.
async fn kill(gate: Gate) {
    gate.signal("KILL");
    gate.ended().await;
}

async fn stop(gate: Gate) -> Vec<String> {
    gate.signal("TERM");
    let (status, log) = gate.ended().await;
    assert_eq!(status.code(), Some(0), "{log:?}");
    log
}

/// What the log says was found.
async fn found(gate: &mut Gate) -> (u64, u64, u64) {
    let line = gate
        .wait_for_log(|line| line["msg"] == "spool opened")
        .await;
    let count = |name: &str| line[name].as_u64().unwrap();
    (
        count("deliveries"),
        count("dead_letters"),
        count("stranded"),
    )
}

fn id(answer: &Answer) -> String {
    answer.field("hookgate-id").unwrap().to_owned()
}

async fn held(gate: &Gate, body: &str) -> String {
    let answer = Call::post("/hook", body).send(gate.address).await;
    assert_eq!(answer.status, 202);
    id(&answer)
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill_and_arrives_under_its_id() {
    let (folder, absent) = (folder(), Absent::new());
    let toml = SPOOL.to_owned() + &hook_to(&absent.url()) + EARLY;
    let gate = start(&folder, &toml).await;
    let mut ids = Vec::new();
    for body in ["one", "two", "three"] {
        ids.push((held(&gate, body).await, body.to_owned()));
    }
    kill(gate).await;

    let mut upstream = absent.comes_back();
    let mut gate = start(&folder, &toml).await;

    assert_eq!(found(&mut gate).await, (3, 0, 0));
    let mut received = Vec::new();
    for _ in 0..3 {
        let webhook = upstream.next().await;
        let id = webhook.field("hookgate-id").unwrap().to_owned();
        received.push((id, webhook.text()));
    }
    received.sort();
    assert_eq!(received, ids, "the ids sort by arrival");
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    let cut = "the process before this one did not end in order: what it had not written is undone";
    assert!(stop(gate).await.iter().any(|line| line.contains(cut)));
    let mut gate = start(&folder, &toml).await;
    assert_eq!(found(&mut gate).await, (0, 0, 0));
    assert!(upstream.is_quiet() && !gate.log().iter().any(|line| line.contains(cut)));
}

#[tokio::test]
async fn a_crowd_that_is_acknowledged_before_a_kill_is_delivered_after_it() {
    let (folder, absent) = (folder(), Absent::new());
    let toml = SPOOL.to_owned() + &hook_to(&absent.url()) + EARLY;
    let gate = start(&folder, &toml).await;
    let address = gate.address;
    let (tell, mut told) = mpsc::channel(1);
    for _ in 0..16 {
        let tell = tell.clone();
        tokio::spawn(async move {
            let mut connection = Connection::open(address).await;
            while let Some(answer) = connection.try_call(&Call::post("/hook", "x")).await {
                assert_eq!(answer.status, 202);
                tell.send(id(&answer)).await.unwrap();
            }
        });
    }
    drop(tell);
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 200 {
        acknowledged.push(told.recv().await.unwrap());
    }
    gate.signal("KILL");
    while let Some(id) = told.recv().await {
        acknowledged.push(id);
    }
    gate.ended().await;

    let mut upstream = absent.comes_back();
    let mut gate = start(&folder, &toml).await;

    let (deliveries, ..) = found(&mut gate).await;
    assert!(deliveries >= acknowledged.len() as u64);
    let mut received = std::collections::BTreeSet::new();
    for _ in 0..deliveries {
        received.insert(
            upstream
                .next()
                .await
                .field("hookgate-id")
                .unwrap()
                .to_owned(),
        );
    }
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|id| !received.contains(*id))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[tokio::test]
async fn a_sender_that_stopped_waiting_hears_202_when_its_webhook_is_on_disk() {
    let folder = folder();
    let mut hangs = Upstream::start(|_| Act::Hang).await;
    let buffered = "ack = \"buffered\"\ndeadline = \"200ms\"\n";
    let gate = start(&folder, &(SPOOL.to_owned() + &hook(&hangs) + buffered)).await;
    let first = held(&gate, "in an exchange").await;
    assert_eq!(hangs.next().await.text(), "in an exchange");
    kill(gate).await;

    let absent = Absent::new();
    let toml = SPOOL.to_owned() + &hook_to(&absent.url()) + buffered;
    let mut gate = start(&folder, &toml).await;
    assert_eq!(found(&mut gate).await, (1, 0, 0));
    let second = held(&gate, "refused").await;
    kill(gate).await;
    let mut upstream = absent.comes_back();
    let toml = SPOOL.to_owned() + &hook(&upstream) + buffered;
    let mut gate = start(&folder, &toml).await;

    assert_eq!(found(&mut gate).await.0, 2);
    let both = [upstream.next().await, upstream.next().await];
    let mut both = both.map(|webhook| webhook.field("hookgate-id").unwrap().to_owned());
    both.sort();
    assert_eq!(both, [first, second]);
}

#[tokio::test]
async fn what_a_waiting_sender_still_has_is_not_on_disk() {
    let folder = folder();
    let mut hangs = Upstream::start(|_| Act::Hang).await;
    let toml = SPOOL.to_owned() + &hook(&hangs);
    for ack in ["upstream", "buffered"] {
        let toml = toml.clone() + &format!("ack = \"{ack}\"\n");
        let gate = start(&folder, &toml).await;
        let mut sender = Connection::open(gate.address).await;
        sender.write(Call::post("/hook", "x").bytes()).await;
        hangs.next().await;
        kill(gate).await;
        let mut gate = start(&folder, &toml).await;
        assert_eq!(found(&mut gate).await, (0, 0, 0), "{ack}");
    }
}

#[tokio::test]
async fn an_orderly_end_leaves_what_waits_on_disk_and_does_not_wait_for_it() {
    let (folder, absent) = (folder(), Absent::new());
    // An hour: this test would not end if the drain took the time that it may take.
    let server = "[server]\nlisten = [\"127.0.0.1:0\"]\ndrain = \"1h\"\n";
    let toml = server.to_owned() + SPOOL + &hook_to(&absent.url()) + EARLY;
    let toml = toml + "retry = { schedule = [\"1h\"] }\n";
    let mut gate = start(&folder, &toml).await;
    let id = held(&gate, "x").await;
    gate.wait_for_log(|line| line["msg"] == "delivery waits")
        .await;

    let log = stop(gate).await;

    let last: Value = serde_json::from_str(log.last().unwrap()).unwrap();
    assert_eq!((&last["left"], &last["kept"]), (&0.into(), &1.into()));
    let mut upstream = absent.comes_back();
    // As often as it was attempted, it was attempted; its next time has not come, unless it is told so.
    let toml = server.to_owned() + SPOOL + &hook(&upstream) + EARLY;
    let mut gate = start(&folder, &toml).await;
    assert_eq!(found(&mut gate).await, (1, 0, 0));
    let found = gate
        .ask(&Call::get(&format!("/api/webhooks?id={id}")))
        .await;
    assert!(found.text().contains("\"attempts\":1"), "{}", found.text());
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn each_delivery_of_a_fan_out_has_an_end_of_its_own() {
    let (folder, absent, mut audit) = (folder(), Absent::new(), Upstream::ok().await);
    let toml = SPOOL.to_owned()
        + &hook_to(&absent.url()).replace("forward = \"app\"", "forward = [\"app\", \"audit\"]")
        + EARLY
        + &format!("[upstreams.audit]\nurl = \"{}\"\n", audit.url());
    let gate = start(&folder, &toml).await;
    let id = held(&gate, "x").await;
    assert_eq!(audit.next().await.field("hookgate-id"), Some(&*id));
    gate.wait_for_metric("hookgate_deliveries_waiting", 1.0)
        .await;
    stop(gate).await;

    let mut app = absent.comes_back();
    let mut gate = start(&folder, &toml).await;

    assert_eq!(found(&mut gate).await, (1, 0, 0));
    assert_eq!(app.next().await.field("hookgate-id"), Some(&*id));
    assert!(audit.is_quiet());
}

#[tokio::test]
async fn dead_letters_survive_with_their_reasons_and_can_be_replayed_and_discarded() {
    let (folder, mut upstream) = (folder(), Upstream::answers(&[410, 410, 200]).await);
    let toml = SPOOL.to_owned() + &hook(&upstream) + EARLY;
    let mut gate = start(&folder, &toml).await;
    let ids = [held(&gate, "one").await, held(&gate, "two").await];
    for _ in &ids {
        upstream.next().await;
    }
    for id in &ids {
        gate.wait_for_log(|line| line["msg"] == "delivery given up" && line["id"] == id.as_str())
            .await;
    }
    stop(gate).await;

    let mut gate = start(&folder, &toml).await;
    assert_eq!(found(&mut gate).await, (0, 2, 0));
    let list = gate.ask(&Call::get("/api/dead-letters")).await.text();
    assert!(
        list.contains("answered 410") && list.contains(&ids[1]),
        "{list}"
    );
    let replay = format!("/api/dead-letters/replay?id={}", ids[0]);
    assert_eq!(gate.ask(&Call::post(&replay, "")).await.status, 200);
    let replayed = upstream.next().await;
    assert_eq!(
        (replayed.text(), replayed.field("hookgate-id")),
        ("one".into(), Some(&*ids[0]))
    );
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    stop(gate).await;

    let mut gate = start(&folder, &toml).await;
    assert_eq!(found(&mut gate).await, (0, 1, 0));
    let discard = format!("/api/dead-letters/discard?id={}", ids[1]);
    assert_eq!(gate.ask(&Call::post(&discard, "")).await.status, 200);
    stop(gate).await;
    let mut gate = start(&folder, &toml).await;
    assert_eq!(found(&mut gate).await, (0, 0, 0));
}

#[tokio::test]
async fn what_is_done_to_dead_letters_is_done_for_good_when_the_operator_hears_of_it() {
    let (folder, mut upstream, absent) = (folder(), Upstream::answers(&[410]).await, Absent::new());
    let other = format!("[upstreams.other]\nurl = \"{}\"\n", absent.url());
    let toml = SPOOL.to_owned() + &other + &hook(&upstream) + EARLY;
    let mut gate = start(&folder, &toml).await;
    let ids = [held(&gate, "one").await, held(&gate, "two").await];
    for id in &ids {
        upstream.next().await;
        gate.wait_for_log(|line| line["msg"] == "delivery given up" && line["id"] == id.as_str())
            .await;
    }
    gate.wait_for_metric("hookgate_dead_letters", 2.0).await;
    let [first, second] = ids;
    for (deed, now) in [
        (format!("discard?id={first}"), (0, 1, 0)),
        (format!("replay?id={second}&to=other"), (1, 0, 0)),
    ] {
        let deed = format!("/api/dead-letters/{deed}");
        assert_eq!(gate.ask(&Call::post(&deed, "")).await.status, 200);
        kill(gate).await;
        gate = start(&folder, &toml).await;
        assert_eq!(found(&mut gate).await, now, "{deed}");
    }
    let mut other = absent.comes_back();
    assert_eq!(other.next().await.field("hookgate-id"), Some(&*second));
}

#[tokio::test]
async fn what_the_configuration_has_no_place_for_is_kept_and_named_until_it_has_one() {
    let (folder, absent) = (folder(), Absent::new());
    let before = SPOOL.to_owned() + &hook_to(&absent.url()) + EARLY;
    let gate = start(&folder, &before).await;
    let id = held(&gate, "x").await;
    stop(gate).await;
    let mut upstream = absent.comes_back();
    let elsewhere =
        SPOOL.to_owned() + &hook(&upstream).replace("routes.hook", "routes.other") + EARLY;

    let mut gate = start(&folder, &elsewhere).await;

    assert_eq!(found(&mut gate).await, (0, 0, 1));
    let line = gate
        .wait_for_log(|line| line["msg"] == "delivery stranded in the spool")
        .await;
    assert_eq!(
        (&line["id"], &line["route"]),
        (&id.clone().into(), &"hook".into())
    );
    assert_eq!(line["reason"], "there is no such route");
    assert_eq!(gate.metric("hookgate_spool_stranded").await, 1.0);
    let known = gate
        .ask(&Call::get(&format!("/api/webhooks?id={id}")))
        .await
        .json();
    assert_eq!(known["deliveries"][0]["state"], "stranded");
    assert_eq!(known["deliveries"][0]["route"], "hook");
    kill(gate).await;
    let mut gate = start(&folder, &elsewhere).await;
    assert_eq!(found(&mut gate).await, (0, 0, 1));
    assert!(upstream.is_quiet());

    gate.apply(&(SPOOL.to_owned() + &hook(&upstream) + EARLY))
        .await;

    assert_eq!(upstream.next().await.field("hookgate-id"), Some(&*id));
    assert_eq!(gate.metric("hookgate_spool_stranded").await, 0.0);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    stop(gate).await;
}

#[tokio::test]
async fn a_key_that_was_accepted_is_known_to_the_next_process_whoever_has_the_webhook() {
    let (folder, mut upstream) = (folder(), Upstream::ok().await);
    let dedupe = "[[routes.hook.plugins]]\nuse = \"dedupe\"\nwith = { header = \"X-Delivery\" }\n";
    let call = |id: &str| Call::post("/hook", "{}").field("x-delivery", id);
    // Delivered before the sender was answered, and held.
    for (ack, id) in [("upstream", "1"), ("early", "2")] {
        let toml = SPOOL.to_owned() + &hook(&upstream) + &format!("ack = \"{ack}\"\n") + dedupe;
        let gate = start(&folder, &toml).await;
        assert!(call(id).send(gate.address).await.status < 300);
        upstream.next().await;
        gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
            .await;
        stop(gate).await;

        let gate = start(&folder, &toml).await;

        let answer = call(id).send(gate.address).await;
        assert_eq!(
            (answer.status, answer.json()["outcome"].as_str()),
            (200, Some("duplicate"))
        );
        assert!(upstream.is_quiet(), "{ack}");
        assert!(call("another").send(gate.address).await.status < 300);
        upstream.next().await;
        kill(gate).await;
        // What was written a moment before a kill may be known or not; the next round has its own.
        std::fs::remove_dir_all(folder.path().join("spool")).unwrap();
    }
}

#[tokio::test]
async fn without_a_spool_what_is_left_at_the_end_is_spilled_and_taken_up() {
    let (folder, absent, mut audit) = (
        folder(),
        Absent::new(),
        Upstream::start(|_| Act::Hang).await,
    );
    let server = "[server]\nlisten = [\"127.0.0.1:0\"]\ndrain = \"1s\"\n";
    let route = |url: &str| {
        server.to_owned()
            + "[buffer]\nspill = \"spill\"\n"
            + &hook_to(url).replace("forward = \"app\"", "forward = [\"app\", \"audit\"]")
            + "ack = \"early\"\nlossy = true\n"
    };
    let hanging = format!("[upstreams.audit]\nurl = \"{}\"\n", audit.url());
    let gate = start(&folder, &(route(&absent.url()) + &hanging)).await;
    let id = held(&gate, "x").await;
    // One waits, and one is in an exchange that will not end.
    audit.next().await;

    let log = stop(gate).await;

    let last: Value = serde_json::from_str(log.last().unwrap()).unwrap();
    assert_eq!((&last["left"], &last["kept"]), (&0.into(), &2.into()));
    let (mut app, mut audit) = (absent.comes_back(), Upstream::ok().await);
    let well = format!("[upstreams.audit]\nurl = \"{}\"\n", audit.url());
    let mut gate = start(&folder, &(route(&app.url()) + &well)).await;
    assert_eq!(found(&mut gate).await, (2, 0, 0));
    assert_eq!(app.next().await.field("hookgate-id"), Some(&*id));
    assert_eq!(audit.next().await.field("hookgate-id"), Some(&*id));
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    stop(gate).await;
    let mut gate = start(&folder, &(route(&app.url()) + &well)).await;
    assert_eq!(found(&mut gate).await, (0, 0, 0));
}

#[tokio::test]
async fn without_a_spool_dead_letters_are_spilled_too_whenever_they_died() {
    // One dies while it lives, the other one while it ends: at its last attempt.
    let act = |request: &Received| Act::status(if request.number == 1 { 500 } else { 410 });
    let (folder, mut upstream) = (folder(), Upstream::start(act).await);
    let toml = "[buffer]\nspill = \"spill\"\n".to_owned()
        + &hook(&upstream)
        + "ack = \"early\"\nlossy = true\nretry = { schedule = [\"1h\"] }\n";
    let mut gate = start(&folder, &toml).await;
    let mut ids = Vec::new();
    for (body, becomes) in [("one", "delivery given up"), ("two", "delivery waits")] {
        let id = held(&gate, body).await;
        upstream.next().await;
        gate.wait_for_log(|line| line["msg"] == becomes && line["id"] == id.as_str())
            .await;
        ids.push(id);
    }
    stop(gate).await;
    assert_eq!(upstream.next().await.text(), "two");
    let mut well = Upstream::ok().await;

    let toml = toml.replace(&upstream.url(), &well.url());
    let mut gate = start(&folder, &toml).await;

    assert_eq!(found(&mut gate).await, (0, 2, 0));
    let list = gate.ask(&Call::get("/api/dead-letters")).await.json();
    let list = list["dead_letters"].as_array().unwrap();
    for (letter, id) in list.iter().zip(&ids) {
        assert_eq!(
            (&letter["id"], &letter["reason"]),
            (&Value::from(&**id), &"answered 410, which is final".into())
        );
    }
    let replay = format!("/api/dead-letters/replay?id={}", ids[0]);
    assert_eq!(gate.ask(&Call::post(&replay, "")).await.status, 200);
    let replayed = well.next().await;
    assert_eq!(replayed.field("hookgate-id"), Some(&*ids[0]));
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    stop(gate).await;
    // Taken up and left alone, it is still there.
    let mut gate = start(&folder, &toml).await;
    assert_eq!(found(&mut gate).await, (0, 1, 0));
}

#[tokio::test]
async fn what_plugins_made_of_a_webhook_is_on_disk_with_it() {
    let (folder, absent) = (folder(), Absent::new());
    let key = ("KEY", "whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2Ygb2xk");
    let toml = SPOOL.to_owned()
        + &hook_to(&absent.url())
        + EARLY
        + "[[routes.hook.plugins]]\nuse = \"json-template\"\n\
           with = { body = { to = \"{/who}\" } }\n\
           [[routes.hook.plugins]]\nuse = \"standard-sign\"\nwith = { keys = [{ env = \"KEY\" }] }\n";
    let gate = Gate::start_in(Arc::clone(&folder), &toml, &[key]).await;
    held(&gate, "{\"who\":\"you\"}").await;
    kill(gate).await;
    let mut upstream = absent.comes_back();

    let _gate = Gate::start_in(Arc::clone(&folder), &toml, &[key]).await;

    let received = upstream.next().await;
    assert_eq!(received.text(), "{\"to\":\"you\"}");
    assert!(
        received
            .field("webhook-signature")
            .unwrap()
            .starts_with("v1,")
    );
}
