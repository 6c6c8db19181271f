//! Dead letters: where a webhook is, and what becomes of it by command.

use std::process::Output;

use tokio::process::Command;

use crate::support::{Act, Call, Gate, Upstream, hook};

const EARLY: &str =
    "ack = \"early\"\nlossy = true\nretry = { schedule = [\"1ms\"], attempts = 2 }\n";

async fn webhooks(gate: &Gate, arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .arg("webhooks")
        .args(arguments)
        .args(["--admin", &gate.admin.to_string()])
        .output()
        .await
        .unwrap();
    let printed = [stdout, stderr].concat();
    (status.code(), String::from_utf8(printed).unwrap())
}

/// A webhook that was acknowledged and has become a dead letter; its id.
async fn dead(gate: &mut Gate, body: &str) -> String {
    let answer = Call::post("/hook?x=1", body)
        .field("x-event", "push")
        .send(gate.address)
        .await;
    assert_eq!(answer.status, 202);
    let id = answer.field("hookgate-id").unwrap().to_owned();
    gate.wait_for_log(|line| line["msg"] == "delivery given up" && line["id"] == id.as_str())
        .await;
    id
}

#[tokio::test]
async fn one_command_tells_where_a_webhook_is() {
    let mut upstream = Upstream::answers(&[500, 503]).await;
    let mut gate = Gate::start(&(hook(&upstream) + EARLY)).await;
    let id = dead(&mut gate, "x").await;

    let (code, printed) = webhooks(&gate, &["find", &id]).await;

    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.contains(&format!("{id}  hook → app  dead, 2 attempts")),
        "{printed}"
    );
    assert!(printed.contains("attempt 1 after") && printed.contains(": answered 500"));
    assert!(printed.contains("attempt 2 after") && printed.contains(": answered 503"));
    upstream.next().await;
    upstream.next().await;
    let elsewhere = format!("wh_{}", "0".repeat(32));
    let (code, printed) = webhooks(&gate, &["find", &elsewhere]).await;
    assert_eq!(code, Some(1));
    assert!(printed.contains("is not known"), "{printed}");
}

#[tokio::test]
async fn one_command_tells_it_while_its_sender_waits_and_how_it_ended() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let address = gate.address;
    let sender = tokio::spawn(async move { Call::post("/hook", "x").send(address).await });
    let received = upstream.next().await;
    let id = received.field("hookgate-id").unwrap();

    let (code, printed) = webhooks(&gate, &["find", id]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!(printed, format!("{id}  hook → app  sender-waits\n"));

    permits.add_permits(1);
    assert_eq!(sender.await.unwrap().status, 200);
    let (code, printed) = webhooks(&gate, &["find", id]).await;
    assert_eq!(code, Some(0), "{printed}");
    let delivered = format!("{id}  hook → app  delivered, 1 attempts, ");
    assert!(
        printed.starts_with(&delivered) && printed.ends_with(" s ago\n"),
        "{printed}"
    );
}

#[tokio::test]
async fn what_was_never_taken_is_remembered_too() {
    for (status, route, told, word) in [
        (503, "", 503, "withdrawn"),
        (422, "", 422, "refused"),
        (200, "ack = \"early\"\nlossy = true\n", 202, "delivered"),
    ] {
        let upstream = Upstream::start(move |_| Act::status(status)).await;
        let retry = "retry = { schedule = [\"5ms\"], attempts = 2 }\n";
        let gate = Gate::start(&(hook(&upstream) + retry + route)).await;

        let answer = Call::post("/hook", "x").send(gate.address).await;
        assert_eq!(answer.status, told);
        gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
            .await;

        let id = answer.field("hookgate-id").unwrap();
        let (code, printed) = webhooks(&gate, &["find", id]).await;
        assert_eq!(code, Some(0), "{printed}");
        assert!(
            printed.contains(&format!("  hook → app  {word}, ")),
            "{printed}"
        );
    }
}

#[tokio::test]
async fn what_waits_is_found_with_its_next_attempt() {
    let upstream = Upstream::answers(&[500]).await;
    let toml = hook(&upstream)
        + "ack = \"early\"\nlossy = true\nretry = { schedule = [\"1h\"], attempts = 2 }\n";
    let mut gate = Gate::start(&toml).await;
    let answer = Call::post("/hook", "x").send(gate.address).await;
    gate.wait_for_log(|line| line["msg"] == "delivery waits")
        .await;

    let id = answer.field("hookgate-id").unwrap();
    let mut printed = String::new();
    while !printed.contains("waiting, 1 attempts, the next in 3") {
        printed = webhooks(&gate, &["find", id]).await.1;
    }

    assert!(printed.contains("attempt 1 after"), "{printed}");
}

#[tokio::test]
async fn a_dead_letter_is_shown_and_replayed_byte_for_byte() {
    let mut upstream = Upstream::answers(&[500, 500, 200]).await;
    let mut gate = Gate::start(&(hook(&upstream) + EARLY)).await;
    let id = dead(&mut gate, "the \"body\"").await;
    let first = upstream.next().await;
    upstream.next().await;

    let (_, shown) = webhooks(&gate, &["show", &id]).await;
    for part in [
        "POST /hook?x=1",
        "x-event: push",
        "the \"body\"",
        "answered 500",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (code, printed) = webhooks(&gate, &["replay", &id]).await;

    assert_eq!((code, printed.as_str()), (Some(0), "1 replayed\n"));
    let again = upstream.next().await;
    assert_eq!(
        (again.body.as_slice(), &again.target),
        (first.body.as_slice(), &first.target)
    );
    assert_eq!(again.field("hookgate-id"), Some(&*id));
    assert_eq!(again.field("hookgate-attempt"), Some("3"));
    gate.wait_for_log(|line| line["msg"] == "attempt delivered")
        .await;
    assert_eq!(webhooks(&gate, &["list"]).await, (Some(0), String::new()));
}

#[tokio::test]
async fn a_filter_chooses_and_another_upstream_takes_what_the_first_did_not() {
    let (broken, mut other) = (Upstream::answers(&[500]).await, Upstream::ok().await);
    let toml = hook(&broken)
        + EARLY
        + &format!(
            "[upstreams.other]\nurl = \"{}\"\n[routes.other]\npath = \"/other\"\npublic = true\n\
             forward = \"other\"\n",
            other.url()
        );
    let mut gate = Gate::start(&toml).await;
    let id = dead(&mut gate, "x").await;

    for (filter, count) in [("--route", "0"), ("--reason", "0")] {
        let (_, printed) = webhooks(&gate, &["replay", filter, "nothing"]).await;
        assert_eq!(printed, format!("{count} replayed\n"));
    }
    let (code, printed) = webhooks(&gate, &["replay", &id, "--to", "nowhere"]).await;
    assert_eq!(code, Some(1));
    assert!(
        printed.contains("there is no upstream `nowhere`"),
        "{printed}"
    );
    let chosen = [
        "replay",
        "--route",
        "hook",
        "--reason",
        "answered 500",
        "--to",
        "other",
    ];
    let (_, printed) = webhooks(&gate, &chosen).await;

    assert_eq!(printed, "1 replayed\n");
    assert_eq!(other.next().await.text(), "x");
}

#[tokio::test]
async fn dead_letters_go_by_command_only() {
    let upstream = Upstream::answers(&[410]).await;
    let mut gate = Gate::start(&(hook(&upstream) + EARLY)).await;
    let (first, second) = (dead(&mut gate, "1").await, dead(&mut gate, "2").await);

    let (code, printed) = webhooks(&gate, &["discard"]).await;
    assert_eq!(code, Some(1));
    assert!(printed.contains("say which ones"), "{printed}");
    let (_, printed) = webhooks(&gate, &["discard", &first]).await;
    assert_eq!(printed, "1 discarded\n");
    let (_, printed) = webhooks(&gate, &["list"]).await;
    assert!(
        printed.contains(&second) && !printed.contains(&first),
        "{printed}"
    );
    let (_, printed) = webhooks(&gate, &["discard", "--all"]).await;
    assert_eq!(printed, "1 discarded\n");
}
