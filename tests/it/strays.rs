//! Deliveries and dead letters whose way a reload has taken away: nothing goes where the operator has nothing any
//! more, and nothing is lost.

use std::sync::Arc;

use serde_json::Value;

use crate::support::webhooks::{EARLY, dead, until, webhooks};
use crate::support::{Absent, Call, Connection, Gate, Upstream, folder, hook, hook_to};

const STRANDED: &str = "hookgate_deliveries_stranded";
const HELD: &str =
    "ack = \"early\"\nlossy = true\nretry = { schedule = [\"50ms\"], attempts = 1000 }\n";
const KEPT: &str = "is kept and not attempted, ";

/// The route `hook` to another upstream, and nothing of the first one.
fn elsewhere(other: &Upstream, settings: &str) -> String {
    hook(other)
        .replace("upstreams.app", "upstreams.other")
        .replace("\"app\"", "\"other\"")
        + settings
}

async fn sent(gate: &Gate, body: &str) -> String {
    let answer = Call::post("/hook", body).send(gate.address).await;
    assert_eq!(answer.status, 202);
    answer.field("hookgate-id").unwrap().to_owned()
}

/// Waits until the log says that a delivery has no place any more.
async fn stranded(gate: &mut Gate, id: &str) -> Value {
    gate.wait_for_log(|line| {
        line["msg"] == "delivery stranded: its route or its upstream is gone from the configuration"
            && line["id"] == id
    })
    .await
}

#[tokio::test]
async fn a_dead_letter_goes_by_the_configuration_in_force_and_nowhere_by_an_old_one() {
    let (mut old, mut new, mut other) = (
        Upstream::answers(&[410]).await,
        Upstream::answers(&[410]).await,
        Upstream::ok().await,
    );
    let mut gate = Gate::start(&(hook(&old) + EARLY)).await;
    let id = dead(&mut gate, "x").await;
    old.next().await;

    gate.apply(&(hook(&new) + EARLY)).await;
    let (code, printed) = webhooks(&gate, &["replay", &id]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "1 replayed\n"));
    assert_eq!(new.next().await.field("hookgate-id"), Some(&*id));
    until(&gate, &["list"], "2 attempts: answered 410", 1).await;

    // The route has none of that name; whether another one has is no matter.
    let unused = format!(
        "[upstreams.app]\nurl = \"{}\"\n[routes.more]\npath = \"/more\"\n\
                          public = true\nforward = \"app\"\n",
        new.url()
    );
    for (toml, why) in [
        (
            elsewhere(&other, EARLY),
            "route `hook` does not forward to `app` any more: say where to with `--to`; there are: other",
        ),
        (
            elsewhere(&other, EARLY) + &unused,
            "route `hook` does not forward to `app` any more: say where to with `--to`; there are: app, \
             other",
        ),
        (
            elsewhere(&other, EARLY).replace("routes.hook", "routes.moved"),
            "there is no route `hook` any more: put it back and reload, or discard them",
        ),
    ] {
        gate.write(&toml);
        assert_eq!(gate.ask(&Call::post("/api/reload", "")).await.status, 200);
        for which in [&*id, "--all"] {
            let (code, printed) = webhooks(&gate, &["replay", which]).await;
            assert_eq!(
                (code, printed),
                (Some(1), format!("error: 1 stay: {why}\n"))
            );
        }
        let (_, listed) = webhooks(&gate, &["list"]).await;
        assert!(listed.contains(&id), "{listed}");
    }

    gate.write(&elsewhere(&other, EARLY));
    assert_eq!(gate.ask(&Call::post("/api/reload", "")).await.status, 200);
    let (code, printed) = webhooks(&gate, &["replay", &id, "--to", "other"]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "1 replayed\n"));
    assert_eq!(other.next().await.field("hookgate-id"), Some(&*id));
    assert!(old.is_quiet() && new.is_quiet());
}

#[tokio::test]
async fn what_waits_is_kept_while_its_upstream_or_its_route_is_gone_and_goes_on_when_it_is_back() {
    let (absent, mut other) = (Absent::new(), Upstream::ok().await);
    let toml = hook_to(&absent.url()) + HELD;
    let mut gate = Gate::start(&toml).await;
    let id = sent(&gate, "kept").await;

    gate.apply(&elsewhere(&other, HELD)).await;

    let line = stranded(&mut gate, &id).await;
    assert_eq!(
        (&line["route"], &line["upstream"]),
        (&"hook".into(), &"app".into())
    );
    assert_eq!(gate.metric(STRANDED).await, 1.0);
    let mut upstream = absent.comes_back();
    for arguments in [&["find", &*id][..], &["list", "--waiting"]] {
        let printed = until(&gate, arguments, KEPT, 1).await;
        assert!(
            printed.contains(&id) && printed.contains("hook → app"),
            "{printed}"
        );
    }
    // What comes now is delivered, twenty retries of the other one later.
    for _ in 0..20 {
        sent(&gate, "new").await;
        assert_eq!(other.next().await.text(), "new");
    }
    assert!(upstream.is_quiet());

    // The upstream is back, but the route is not.
    let moved = hook(&upstream).replace("routes.hook", "routes.moved");
    gate.write(&(moved + HELD));
    assert_eq!(gate.ask(&Call::post("/api/reload", "")).await.status, 200);
    assert_eq!(gate.metric(STRANDED).await, 1.0);
    assert!(upstream.is_quiet());

    gate.write(&toml);
    assert_eq!(gate.ask(&Call::post("/api/reload", "")).await.status, 200);
    assert_eq!(upstream.next().await.field("hookgate-id"), Some(&*id));
    assert_eq!(gate.metric(STRANDED).await, 0.0);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    assert!(upstream.is_quiet() && other.is_quiet());
}

#[tokio::test]
async fn what_has_no_way_any_more_is_sent_elsewhere_or_discarded_by_command() {
    let (absent, mut other) = (Absent::new(), Upstream::ok().await);
    let mut gate = Gate::start(&(hook_to(&absent.url()) + HELD)).await;
    let ids = [sent(&gate, "sent").await, sent(&gate, "discarded").await];
    gate.apply(&elsewhere(&other, HELD)).await;
    for id in &ids {
        stranded(&mut gate, id).await;
    }
    let [first, second] = ids;

    let (code, printed) = webhooks(&gate, &["replay", &first]).await;
    assert_eq!(
        (code, printed.as_str()),
        (
            Some(1),
            "error: its route or its upstream is gone from the configuration: put it back and reload, or say \
             where to with `--to`\n"
        )
    );
    let (code, printed) = webhooks(&gate, &["replay", &first, "--to", "other"]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "1 hurried\n"));
    assert_eq!(other.next().await.text(), "sent");
    assert_eq!(gate.metric(STRANDED).await, 1.0);
    let (code, printed) = webhooks(&gate, &["discard", &second]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "1 discarded\n"));

    assert_eq!(gate.metric(STRANDED).await, 0.0);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    assert!(other.is_quiet());
}

#[tokio::test]
async fn an_end_does_not_wait_for_what_has_no_way_and_keeps_or_names_it() {
    // An hour: this test would not end if the drain took the time that it may take.
    let server = "[server]\nlisten = [\"127.0.0.1:0\"]\ndrain = \"1h\"\n";
    for (buffer, code, left, kept) in [
        ("", 75, 1, 0),
        ("[buffer]\nspill = \"spool\"\n", 0, 0, 1),
        ("[buffer]\nspool = \"spool\"\n", 0, 0, 1),
    ] {
        let (folder, absent, other) = (folder(), Absent::new(), Upstream::ok().await);
        let held = match buffer.contains("spool = ") {
            true => HELD.replace("lossy = true\n", ""),
            false => HELD.to_owned(),
        };
        let before = server.to_owned() + buffer + &hook_to(&absent.url()) + &held;
        let after = server.to_owned() + buffer + &elsewhere(&other, &held);
        let mut gate = Gate::start_in(Arc::clone(&folder), &before, &[]).await;
        let id = sent(&gate, "x").await;
        gate.apply(&after).await;
        stranded(&mut gate, &id).await;
        until(&gate, &["find", &id], KEPT, 1).await;

        gate.signal("TERM");
        let (status, log) = gate.ended().await;

        assert_eq!(status.code(), Some(code), "{buffer}: {log:?}");
        let last: Value = serde_json::from_str(log.last().unwrap()).unwrap();
        assert_eq!(
            (&last["left"], &last["kept"]),
            (&left.into(), &kept.into()),
            "{buffer}"
        );
        if kept == 1 {
            let mut gate = Gate::start_in(folder, &after, &[]).await;
            let found = gate
                .wait_for_log(|line| line["msg"] == "spool opened")
                .await;
            assert_eq!(
                (&found["deliveries"], &found["stranded"]),
                (&0.into(), &1.into())
            );
            let mut upstream = absent.comes_back();
            gate.apply(&before).await;
            assert_eq!(upstream.next().await.field("hookgate-id"), Some(&*id));
        }
    }
}

#[tokio::test]
async fn what_its_sender_still_has_is_withdrawn_when_its_way_is_gone() {
    let (busy, other) = (Upstream::answers(&[503]).await, Upstream::ok().await);
    let patient = "deadline = \"60s\"\nretry = { schedule = [\"30s\"], attempts = 3 }\n";
    let mut gate = Gate::start(&(hook(&busy) + patient)).await;
    let mut sender = Connection::open(gate.address).await;
    sender.write(Call::post("/hook", "x").bytes()).await;
    let line = gate
        .wait_for_log(|line| line["msg"] == "delivery waits")
        .await;
    let id = line["id"].as_str().unwrap();
    drop(sender);
    until(&gate, &["find", id], "  waiting, 1 attempt, ", 1).await;

    gate.apply(&elsewhere(&other, patient)).await;

    let withdrawn = "  withdrawn, for its sender has it still, 1 attempt, ";
    until(&gate, &["find", id], withdrawn, 1).await;
    assert_eq!(gate.metric(STRANDED).await, 0.0);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
}
