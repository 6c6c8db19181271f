//! Where a webhook is: waiting, in flight, in the hands of its sender, ended, or never taken.

use crate::support::webhooks::{EARLY, WAITING, dead, until, webhooks};
use crate::support::{Act, Call, Gate, Upstream, hook};

#[tokio::test]
async fn one_command_tells_where_a_webhook_is() {
    let mut upstream = Upstream::answers(&[500, 503]).await;
    let mut gate = Gate::start(&(hook(&upstream) + EARLY)).await;
    let id = dead(&mut gate, "x").await;

    let (code, printed) = webhooks(&gate, &["find", &id]).await;

    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.starts_with(&format!("{id}  hook → app  dead letter, 2 attempts, ")),
        "{printed}"
    );
    assert!(
        printed.contains(" ago: answered 503; that was the last of 2 attempts\n"),
        "{printed}"
    );
    assert!(printed.contains("  attempt 1 after 0.") && printed.contains(" s: answered 500\n"));
    assert!(printed.contains("  attempt 2 after 0.") && printed.contains(" s: answered 503\n"));
    upstream.next().await;
    upstream.next().await;
    let elsewhere = format!("wh_{}", "0".repeat(32));
    let (code, printed) = webhooks(&gate, &["find", &elsewhere]).await;
    assert_eq!(code, Some(1));
    assert!(printed.contains("is not known here"), "{printed}");
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
    assert_eq!(printed, format!("{id}  hook → app  its sender waits\n"));

    permits.add_permits(1);
    assert_eq!(sender.await.unwrap().status, 200);
    let (code, printed) = webhooks(&gate, &["find", id]).await;
    assert_eq!(code, Some(0), "{printed}");
    let delivered = format!("{id}  hook → app  delivered, 1 attempt, ");
    assert!(
        printed.starts_with(&delivered) && printed.ends_with(" s ago\n"),
        "{printed}"
    );
}

#[tokio::test]
async fn what_was_never_taken_is_remembered_too() {
    for (status, route, told, word) in [
        (503, "", 503, "withdrawn, for its sender has it still"),
        (422, "", 422, "refused by the upstream"),
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
        + "ack = \"early\"\nlossy = true\nretry = { schedule = [\"50m\"], attempts = 2 }\n";
    let mut gate = Gate::start(&toml).await;
    let answer = Call::post("/hook", "x").send(gate.address).await;
    gate.wait_for_log(|line| line["msg"] == "delivery waits")
        .await;

    let id = answer.field("hookgate-id").unwrap();
    let printed = until(&gate, &["find", id], WAITING, 1).await;

    assert!(printed.contains("attempt 1 after"), "{printed}");
}

#[tokio::test]
async fn what_became_no_delivery_is_found_with_the_step_that_decided() {
    let upstream = Upstream::ok().await;
    let toml = hook(&upstream).replace("public = true\n", "")
        + "[[routes.hook.plugins]]\nuse = \"token\"\n\
           with = { header = \"X-Token\", keys = [{ env = \"TOKEN\" }] }\n\
           [[routes.hook.plugins]]\nuse = \"json-filter\"\nwith = { json = { \"/type\" = [\"paid\"] } }\n\
           [[routes.hook.plugins]]\nuse = \"dedupe\"\nwith = { pointer = \"/id\" }\n";
    let gate = Gate::start_in(
        crate::support::folder(),
        &toml,
        &[("TOKEN", "a token of length")],
    )
    .await;
    let paid = r#"{"type":"paid","id":"7"}"#;
    let call = |body: &str, token: &str| Call::post("/hook", body).field("x-token", token);
    let token = "a token of length";
    let first = call(paid, token).send(gate.address).await;
    assert_eq!(first.status, 200);
    let first = first.field("hookgate-id").unwrap();
    let repeats = format!("  hook → app  a duplicate of {first}, 0.");

    for (call, status, told) in [
        (
            call(paid, "forged"),
            401,
            "  hook  refused by `token`, answered 401, 0.",
        ),
        (
            call(r#"{"type":"draft","id":"8"}"#, token),
            200,
            "  hook  dropped by `json-filter`, answered 200, 0.",
        ),
        (call(paid, token), 200, &repeats),
        (
            Call::post("/nowhere", "x"),
            404,
            "  refused, answered 404, 0.",
        ),
    ] {
        let answer = call.send(gate.address).await;
        assert_eq!(answer.status, status, "{told}");
        let id = answer.field("hookgate-id").unwrap();

        let (code, printed) = webhooks(&gate, &["find", id]).await;

        assert_eq!(code, Some(0), "{printed}");
        assert!(printed.starts_with(&format!("{id}{told}")), "{printed}");
        let of_first = printed.contains(&format!("\n{first}  hook → app  delivered, 1 attempt, "));
        assert_eq!(of_first, told == repeats, "{printed}");
    }
}

#[tokio::test]
async fn what_waits_is_listed_page_by_page() {
    let upstream = Upstream::answers(&[503]).await;
    let toml = hook(&upstream)
        + "ack = \"early\"\nlossy = true\nretry = { schedule = [\"50m\"], attempts = 2 }\n";
    let mut gate = Gate::start(&toml).await;
    let (code, printed) = webhooks(&gate, &["list", "--waiting"]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "nothing waits\n"));
    let (_, printed) = webhooks(&gate, &["list", "--waiting", "--json"]).await;
    assert_eq!(printed, "{\"waiting\":[],\"total\":0}\n");
    let mut ids = Vec::new();
    for body in ["1", "2", "3"] {
        let answer = Call::post("/hook", body).send(gate.address).await;
        let id = answer.field("hookgate-id").unwrap().to_owned();
        gate.wait_for_log(|line| line["msg"] == "delivery waits" && line["id"] == id.as_str())
            .await;
        ids.push(id);
    }
    // Two may have arrived in one millisecond.
    ids.sort();
    gate.wait_for_metric("hookgate_deliveries_waiting", 3.0)
        .await;

    let first = until(&gate, &["list", "--waiting", "--limit", "2"], WAITING, 2).await;
    let (_, second) = webhooks(&gate, &["list", "--waiting", "--after", &ids[1]]).await;

    let lines: Vec<&str> = first.lines().collect();
    assert!(
        lines[0].contains(&format!("Z  {}  hook → app  waiting, 1 attempt", ids[0])),
        "{first}"
    );
    assert!(lines[0].ends_with(" s old: answered 503"), "{first}");
    assert!(lines[1].contains(&ids[1]), "{first}");
    assert_eq!(lines[2], format!("3 in all; go on with --after {}", ids[1]));
    assert!(
        second.contains(&ids[2]) && second.lines().count() == 1,
        "{second}"
    );
    for (filter, fits) in [("answered 503", 3), ("answered 500", 0)] {
        let (_, json) = webhooks(&gate, &["list", "--waiting", "--json", "--reason", filter]).await;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["total"], fits);
    }
}

#[tokio::test]
async fn an_attempt_that_nobody_waits_for_is_seen_while_it_lasts() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let toml = hook(&upstream) + "ack = \"early\"\nlossy = true\n";
    let gate = Gate::start(&toml).await;
    let answer = Call::post("/hook", "x").send(gate.address).await;
    let id = answer.field("hookgate-id").unwrap();
    upstream.next().await;

    let (_, found) = webhooks(&gate, &["find", id]).await;
    let (_, listed) = webhooks(&gate, &["list", "--waiting"]).await;

    assert_eq!(found, format!("{id}  hook → app  in flight, attempt 1\n"));
    let line = format!("Z  {id}  hook → app  in flight, attempt 1, 0.");
    assert!(listed.contains(&line), "{listed}");
    permits.add_permits(1);
}

#[tokio::test]
async fn what_a_sender_waits_for_is_seen_with_the_attempts_that_failed() {
    let upstream = Upstream::answers(&[503]).await;
    let toml =
        hook(&upstream) + "retry = { schedule = [\"5s\"], attempts = 2 }\ndeadline = \"20s\"\n";
    let mut gate = Gate::start(&toml).await;
    let address = gate.address;
    tokio::spawn(async move { Call::post("/hook", "x").send(address).await });
    let line = gate
        .wait_for_log(|line| line["msg"] == "delivery waits")
        .await;
    let id = line["id"].as_str().unwrap();

    let found = until(
        &gate,
        &["find", id],
        "its sender waits, 1 attempt, the next in ",
        1,
    )
    .await;

    assert!(found.contains(" s: answered 503\n"), "{found}");
}
