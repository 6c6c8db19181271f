//! Dead letters: how they are listed and shown, and what becomes of them by command.

use crate::support::webhooks::{EARLY, dead, webhooks};
use crate::support::{Call, Gate, Upstream, hook};

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
    let (code, printed) = webhooks(&gate, &["list"]).await;
    assert_eq!((code, printed.as_str()), (Some(0), "no dead letters\n"));
    let (_, printed) = webhooks(&gate, &["list", "--json"]).await;
    assert_eq!(printed, "{\"dead_letters\":[],\"total\":0}\n");
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

    let elsewhere = format!("wh_{}", "0".repeat(32));
    for (chosen, code, said) in [
        (
            &["replay", "--route", "nothing"][..],
            1,
            "error: there is no route `nothing`; there are: hook, other\n",
        ),
        (
            &["discard", "--upstream", "nothing"],
            1,
            "error: there is no upstream `nothing`; there are: app, other\n",
        ),
        (
            &["list", "--route", "nothing"],
            1,
            "error: there is no route `nothing`; there are: hook, other\n",
        ),
        (
            &["replay", &id, "--to", "nowhere"],
            1,
            "error: there is no upstream `nowhere`; there are: app, other\n",
        ),
        (
            &["replay", &elsewhere],
            1,
            &format!(
                "error: `{elsewhere}` neither waits nor is a dead letter; `hookgate webhooks find \
                 {elsewhere}` tells where it is\n"
            ),
        ),
        (
            &["replay", "--reason", "nothing"],
            0,
            "no dead letter fits, nothing was done\n",
        ),
    ] {
        let (ended, printed) = webhooks(&gate, chosen).await;
        assert_eq!((ended, printed.as_str()), (Some(code), said));
    }
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
    assert_eq!(code, Some(2));
    let which = "error: say which ones: an ID, --route, --upstream, --reason, --since or --until; or --all\n";
    assert_eq!(printed, which);
    let (_, printed) = webhooks(&gate, &["discard", &first]).await;
    assert_eq!(printed, "1 discarded\n");
    let (_, printed) = webhooks(&gate, &["find", &first]).await;
    let discarded = format!("{first}  hook  discarded by an operator, 0.");
    assert!(printed.starts_with(&discarded), "{printed}");
    let (_, printed) = webhooks(&gate, &["list"]).await;
    assert!(
        printed.contains(&second) && !printed.contains(&first),
        "{printed}"
    );
    let (_, printed) = webhooks(&gate, &["discard", "--all"]).await;
    assert_eq!(printed, "1 discarded\n");
}

#[tokio::test]
async fn the_last_answer_and_why_it_was_the_last_are_told() {
    let upstream = Upstream::answers(&[503, 410]).await;
    let toml = hook(&upstream)
        + "ack = \"early\"\nlossy = true\nretry = { schedule = [\"1ms\"], attempts = 9 }\n";
    let mut gate = Gate::start(&toml).await;
    let id = dead(&mut gate, "x").await;

    let (_, found) = webhooks(&gate, &["find", &id]).await;
    let (_, listed) = webhooks(&gate, &["list"]).await;
    let (_, json) = webhooks(&gate, &["list", "--json"]).await;
    let (_, shown) = webhooks(&gate, &["show", &id]).await;

    for told in [&found, &listed, &shown] {
        assert!(told.contains("2 attempts"), "{told}");
        assert!(told.contains(": answered 410, which is final\n"), "{told}");
    }
    for told in [&found, &shown] {
        assert!(told.contains(" s: answered 503\n"), "{told}");
        assert!(told.contains("  attempt 2 after 0."), "{told}");
        assert!(told.contains(" s: answered 410\n"), "{told}");
    }
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let tried = &json["dead_letters"][0]["tried"];
    assert_eq!(tried[0]["reason"], "answered 503");
    assert_eq!(tried[1]["reason"], "answered 410");
    assert_eq!(tried[2], serde_json::Value::Null);
}

#[tokio::test]
async fn a_time_is_a_moment_or_how_long_ago_and_nonsense_is_neither() {
    let upstream = Upstream::answers(&[410]).await;
    let mut gate = Gate::start(&(hook(&upstream) + EARLY)).await;
    let id = dead(&mut gate, "x").await;

    for (since, is_listed) in [("10m", true), ("2020-01-01T00:00:00Z", true), ("0s", false)] {
        let (code, printed) = webhooks(&gate, &["list", "--since", since]).await;
        assert_eq!(
            (code, printed.contains(&id)),
            (Some(0), is_listed),
            "{printed}"
        );
    }
    let (code, printed) = webhooks(&gate, &["replay", "--since", "yesterday"]).await;

    assert_eq!(code, Some(1));
    assert_eq!(
        printed,
        "error: `yesterday` is no time; write how long ago it was, like `10m` or `36h`, or the moment, \
         like `2026-11-21T13:00:00Z`\n"
    );
}

#[tokio::test]
async fn who_replays_and_discards_is_in_the_log() {
    let upstream = Upstream::answers(&[410]).await;
    let mut gate = Gate::start(&(hook(&upstream) + EARLY)).await;
    let first = dead(&mut gate, "1").await;

    webhooks(&gate, &["replay", &first]).await;
    let line = gate
        .wait_for_log(|line| line["msg"] == "dead letters replayed")
        .await;
    assert_eq!(
        (&line["level"], &line["from"]),
        (&"info".into(), &"127.0.0.1".into())
    );
    assert_eq!(line["which"], format!("id={first}"));
    assert_eq!((&line["replayed"], &line["kept"]), (&1.into(), &0.into()));

    dead(&mut gate, "2").await;
    webhooks(
        &gate,
        &["discard", "--route", "hook", "--reason", "answered 410"],
    )
    .await;
    let line = gate
        .wait_for_log(|line| line["msg"] == "dead letters discarded")
        .await;
    assert_eq!(line["which"], "route=hook reason=answered 410");
    assert!(line["discarded"].as_u64() >= Some(1), "{line}");
}

#[tokio::test]
async fn a_202_over_a_failing_upstream_and_the_late_delivery_are_told_at_info() {
    let upstream = Upstream::answers(&[503, 200]).await;
    let toml = hook(&upstream)
        + "ack = \"buffered\"\ndeadline = \"1s\"\nretry = { schedule = [\"2s\"], attempts = 2 }\n";
    let mut gate = Gate::start(&toml).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(answer.status, 202);
    let held = gate
        .wait_for_log(|line| line["msg"] == "delivery held")
        .await;
    assert_eq!(
        (&held["level"], &held["attempts"]),
        (&"info".into(), &1.into())
    );
    assert_eq!(held["reason"], "answered 503");
    assert_eq!(held["id"], answer.field("hookgate-id").unwrap());
    let delivered = gate
        .wait_for_log(|line| line["msg"] == "attempt delivered")
        .await;
    assert_eq!(
        (&delivered["level"], &delivered["attempt"]),
        (&"info".into(), &2.into())
    );
    let (_, found) = webhooks(&gate, &["find", answer.field("hookgate-id").unwrap()]).await;
    assert!(
        found.contains("  hook → app  delivered, 2 attempts, "),
        "{found}"
    );
    assert!(found.contains(" s: answered 503\n"), "{found}");
}
