//! What a delivery waits for, and what an operator may do about it: hurry it, send it elsewhere, discard it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::breaker::restrained;
use crate::support::webhooks::{until, webhooks};
use crate::support::{Absent, Act, Call, Gate, Upstream, folder, hook, hook_to};

const EARLY: &str = "ack = \"early\"\nlossy = true\n";
const SPOOL: &str = "[buffer]\nspool = \"spool\"\n";

/// Says when to come back, the first time; then takes everything.
async fn busy_once(retry_after: &'static str) -> Upstream {
    Upstream::start(move |request| match request.number {
        0 => {
            let fields = vec![("Retry-After", retry_after.to_owned())];
            Act::Answer(429, fields, String::new())
        }
        _ => Act::status(200),
    })
    .await
}

async fn sent(gate: &Gate, body: &str) -> String {
    let answer = Call::post("/hook?x=1", body).send(gate.address).await;
    assert_eq!(answer.status, 202);
    answer.field("hookgate-id").unwrap().to_owned()
}

/// The one delivery of this webhook, once it is in this state after so many attempts.
async fn found(gate: &Gate, id: &str, state: &str, attempts: u64) -> Value {
    let question = Call::get(&format!("/api/webhooks?id={id}"));
    let mut last = Value::Null;
    let found = async {
        while last["state"] != state || last["attempts"] != attempts {
            let told = gate.ask(&question).await.json();
            last = told["deliveries"][0].clone();
        }
    };
    let patience = Duration::from_secs(30);
    let in_time = tokio::time::timeout(patience, found).await.is_ok();
    assert!(in_time, "{last}, and the log:\n{}", gate.log().join("\n"));
    last
}

#[tokio::test]
async fn a_retry_after_is_told_with_its_cap_and_nobody_waits_beyond_that() {
    let upstream = busy_once("7200").await;
    let gate = Gate::start(&(hook(&upstream) + EARLY)).await;
    let id = sent(&gate, "the body").await;

    let asked = "waiting, 1 attempt, the next in 59 min ";
    let printed = until(&gate, &["find", &id], asked, 1).await;
    assert!(printed.contains(") as its upstream asked\n"), "{printed}");
    let why = ": answered 429 with Retry-After of 7200 s, capped at 3600 s\n";
    assert!(printed.contains(why), "{printed}");
    let told = found(&gate, &id, "waiting", 1).await;
    assert_eq!(told["waits_for"], "retry-after");
    assert!(told["next_in_ms"].as_u64() <= Some(3_600_000), "{told}");
    let (_, listed) = webhooks(&gate, &["list", "--waiting"]).await;
    assert!(
        listed.contains(") as its upstream asked, ") && listed.ends_with(why),
        "{listed}"
    );
    let (code, shown) = webhooks(&gate, &["show", &id]).await;
    assert_eq!(code, Some(0));
    for part in [
        ") as its upstream asked\n",
        why,
        "\nPOST /hook?x=1\n",
        "\n\nthe body\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[tokio::test]
async fn an_upstreams_breaker_its_rate_and_its_places_are_told_as_what_is_waited_for() {
    for (settings, act, waits_for, word) in [
        (
            "breaker = { failures = 1, open = \"1h\" }",
            Act::status(500),
            "breaker",
            ", the next in 59 min ",
        ),
        (
            "rate = \"1/h\"",
            Act::status(200),
            "rate",
            ", the next in 59 min ",
        ),
        (
            "concurrency = 1",
            Act::Hang,
            "places",
            "waiting, 0 attempts: all places of its upstream are taken",
        ),
    ] {
        let mut upstream = Upstream::start(move |_| act.clone()).await;
        let toml = restrained(&upstream, settings)
            + EARLY
            + "retry = { schedule = [\"5s\"], attempts = 9 }\n";
        let mut gate = Gate::start(&toml).await;
        sent(&gate, "first").await;
        upstream.next().await;
        if waits_for == "breaker" {
            gate.wait_for_log(|line| line["msg"] == "breaker opened, deliveries wait")
                .await;
        }

        let id = sent(&gate, "second").await;

        let told = found(&gate, &id, "waiting", 0).await;
        assert_eq!(told["waits_for"], waits_for);
        let (_, printed) = webhooks(&gate, &["find", &id]).await;
        assert!(
            printed.contains("waiting, 0 attempts") && printed.contains(word),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn what_is_waited_for_survives_a_restart() {
    let (folder, upstream) = (folder(), busy_once("7200").await);
    let toml = SPOOL.to_owned() + &hook(&upstream) + "ack = \"early\"\n";
    let gate = Gate::start_in(Arc::clone(&folder), &toml, &[]).await;
    let id = sent(&gate, "x").await;
    found(&gate, &id, "waiting", 1).await;
    gate.signal("TERM");
    gate.ended().await;

    let gate = Gate::start_in(folder, &toml, &[]).await;

    let told = found(&gate, &id, "waiting", 1).await;
    assert_eq!(told["waits_for"], "retry-after");
    let why = "answered 429 with Retry-After of 7200 s, capped at 3600 s";
    assert_eq!(told["tried"][0]["reason"], why);
}

#[tokio::test]
async fn what_waits_goes_at_once_when_it_is_told_to() {
    let mut upstream = busy_once("7200").await;
    let mut gate = Gate::start(&(hook(&upstream) + EARLY)).await;
    let id = sent(&gate, "x").await;
    upstream.next().await;
    found(&gate, &id, "waiting", 1).await;

    let (code, printed) = webhooks(&gate, &["replay", &id]).await;

    assert_eq!((code, printed.as_str()), (Some(0), "1 hurried\n"));
    let again = upstream.next().await;
    assert_eq!(again.field("hookgate-id"), Some(&*id));
    assert_eq!(again.field("hookgate-attempt"), Some("2"));
    let line = gate
        .wait_for_log(|line| line["msg"] == "waiting deliveries hurried")
        .await;
    assert_eq!(
        (&line["which"], &line["from"], &line["hurried"]),
        (&format!("id={id}").into(), &"127.0.0.1".into(), &1.into())
    );
    found(&gate, &id, "delivered", 2).await;
    let (code, printed) = webhooks(&gate, &["replay", &id]).await;
    let nothing = format!(
        "error: `{id}` neither waits nor is a dead letter; `hookgate webhooks find {id}` tells where it is\n"
    );
    assert_eq!((code, printed), (Some(1), nothing));
}

#[tokio::test]
async fn what_waits_is_sent_elsewhere_with_the_attempts_of_a_new_one_and_stays_there_over_a_restart()
 {
    let (folder, busy, absent) = (folder(), busy_once("7200").await, Absent::new());
    let toml = SPOOL.to_owned()
        + &hook(&busy)
        + "ack = \"early\"\nretry = { schedule = [\"1h\"], attempts = 2 }\n"
        + &format!("[upstreams.other]\nurl = \"{}\"\n", absent.url());
    let gate = Gate::start_in(Arc::clone(&folder), &toml, &[]).await;
    let id = sent(&gate, "x").await;
    found(&gate, &id, "waiting", 1).await;

    let (code, printed) = webhooks(&gate, &["replay", &id, "--to", "nowhere"]).await;
    let unknown = "error: there is no upstream `nowhere`; there are: app, other\n";
    assert_eq!((code, printed.as_str()), (Some(1), unknown));
    let (code, printed) = webhooks(&gate, &["replay", &id, "--to", "other"]).await;

    assert_eq!((code, printed.as_str()), (Some(0), "1 hurried\n"));
    // The second attempt of two, but the first there.
    found(&gate, &id, "waiting", 2).await;
    gate.signal("KILL");
    gate.ended().await;
    let mut other = absent.comes_back();
    let gate = Gate::start_in(folder, &toml, &[]).await;
    // In an hour, if its second failure was written before the end.
    webhooks(&gate, &["replay", &id]).await;
    assert_eq!(other.next().await.field("hookgate-id"), Some(&*id));
}

#[tokio::test]
async fn what_waits_is_discarded_for_good_when_the_operator_hears_of_it() {
    let (folder, absent) = (folder(), Absent::new());
    let toml = SPOOL.to_owned()
        + &hook_to(&absent.url())
        + "ack = \"early\"\nretry = { schedule = [\"1h\"] }\n";
    let mut gate = Gate::start_in(Arc::clone(&folder), &toml, &[]).await;
    let (first, second) = (sent(&gate, "1").await, sent(&gate, "2").await);
    found(&gate, &first, "waiting", 1).await;

    let (code, printed) = webhooks(&gate, &["discard", &first]).await;

    assert_eq!((code, printed.as_str()), (Some(0), "1 discarded\n"));
    let line = gate
        .wait_for_log(|line| line["msg"] == "waiting deliveries discarded")
        .await;
    assert_eq!(line["which"], format!("id={first}"));
    let (_, printed) = webhooks(&gate, &["find", &first]).await;
    let discarded = format!("{first}  hook → app  discarded, ");
    assert!(printed.starts_with(&discarded), "{printed}");
    gate.wait_for_metric("hookgate_deliveries_waiting", 1.0)
        .await;
    gate.signal("KILL");
    gate.ended().await;
    let gate = Gate::start_in(folder, &toml, &[]).await;
    let (_, listed) = webhooks(&gate, &["list", "--waiting"]).await;
    assert!(
        listed.contains(&second) && !listed.contains(&first),
        "{listed}"
    );
}

#[tokio::test]
async fn an_attempt_under_way_is_finished_and_one_that_was_discarded_has_no_other() {
    let mut upstream = Upstream::start(|_| Act::Hang).await;
    let toml = restrained(&upstream, "timeout = \"1s\"")
        + EARLY
        + "retry = { schedule = [\"1ms\"], attempts = 9 }\n";
    let gate = Gate::start(&toml).await;
    let id = sent(&gate, "x").await;
    upstream.next().await;

    let (code, printed) = webhooks(&gate, &["discard", &id]).await;

    let finished = "1 in an attempt, which is finished; if it fails, there is no other\n";
    assert_eq!((code, printed.as_str()), (Some(0), finished));
    let told = found(&gate, &id, "discarded", 1).await;
    assert_eq!(told["attempts"], 1);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn what_its_sender_waits_for_is_not_discarded_and_the_operator_is_told_so() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let address = gate.address;
    let sender = tokio::spawn(async move { Call::post("/hook", "x").send(address).await });
    let received = upstream.next().await;
    let id = received.field("hookgate-id").unwrap();

    let (code, printed) = webhooks(&gate, &["discard", id]).await;

    let told = format!(
        "error: the sender of `{id}` waits for it still, and hears what becomes of it; ask again then\n"
    );
    assert_eq!((code, printed), (Some(1), told));
    permits.add_permits(1);
    assert_eq!(sender.await.unwrap().status, 200);
}

#[tokio::test]
async fn what_waits_is_meant_by_an_id_or_by_saying_so_and_dead_letters_otherwise() {
    let absent = Absent::new();
    let toml = hook_to(&absent.url()) + EARLY + "retry = { schedule = [\"1h\"] }\n";
    let gate = Gate::start(&toml).await;
    let id = sent(&gate, "x").await;
    found(&gate, &id, "waiting", 1).await;

    let (code, printed) = webhooks(&gate, &["discard", "--all"]).await;
    let none = "no dead letter fits, nothing was done\n";
    assert_eq!((code, printed.as_str()), (Some(0), none));
    let (_, printed) = webhooks(&gate, &["discard", "--waiting", "--route", "nothing"]).await;
    assert_eq!(
        printed,
        "error: there is no route `nothing`; there are: hook\n"
    );
    found(&gate, &id, "waiting", 1).await;
    let (_, printed) = webhooks(&gate, &["discard", "--waiting", "--all"]).await;
    assert_eq!(printed, "1 discarded\n");
    let (_, printed) = webhooks(&gate, &["discard", "--waiting", "--all"]).await;
    assert_eq!(printed, "nothing that waits fits, nothing was done\n");
}
