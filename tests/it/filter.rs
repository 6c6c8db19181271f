//! What a filter does not want is answered 200 and goes nowhere; what it cannot judge is a failure.

use crate::support::{Call, Gate, Upstream, folder, github, hook};

const SECRET: &str = "It's a Secret to Everybody";
const SIGNATURE: &str = "[[routes.hook.plugins]]\nuse = \"signature\"\n\
    with = { preset = \"github\", keys = [{ env = \"SECRET\" }] }\n";

fn filter(with: &str) -> String {
    format!("[[routes.hook.plugins]]\nuse = \"json-filter\"\nwith = {{ {with} }}\n")
}

async fn gate(upstream: &Upstream, steps: &str) -> Gate {
    Gate::start_in(folder(), &(hook(upstream) + steps), &[("SECRET", SECRET)]).await
}

#[tokio::test]
async fn a_dropped_webhook_is_200_and_reaches_nobody() {
    let mut upstream = Upstream::ok().await;
    // The filter stands first in the file and still comes after the signature.
    let steps = filter("event = [\"push\", \"pull_*\"]") + SIGNATURE;
    let mut gate = gate(&upstream, &steps).await;

    for event in ["push", "pull_request"] {
        assert_eq!(
            github("/hook", event, SECRET, "{}")
                .send(gate.address)
                .await
                .status,
            200
        );
        assert_eq!(upstream.next().await.field("x-github-event"), Some(event));
    }
    let dropped = github("/hook", "star", SECRET, "{}")
        .send(gate.address)
        .await;
    let forged = github("/hook", "star", "another", "{}")
        .send(gate.address)
        .await;

    assert_eq!((dropped.status, forged.status), (200, 401));
    let id = dropped.field("hookgate-id").unwrap().to_owned();
    assert_eq!(
        dropped.json(),
        serde_json::json!({ "id": id, "outcome": "dropped" })
    );
    assert!(upstream.is_quiet());
    let line = gate
        .wait_for_log(|line| line["id"] == id.as_str() && line["outcome"] == "dropped")
        .await;
    assert_eq!(line["plugin"], "json-filter");
    assert_eq!(line["reason"], "the event is `star`, which is not wanted");
}

#[tokio::test]
async fn an_event_that_no_plugin_named_is_a_failure_and_not_a_drop() {
    let mut upstream = Upstream::ok().await;
    let mut gate = gate(&upstream, &filter("event = [\"push\"]")).await;

    let answer = github("/hook", "push", SECRET, "{}")
        .send(gate.address)
        .await;

    assert_eq!(answer.status, 500);
    assert!(upstream.is_quiet());
    let line = gate
        .wait_for_log(|line| line["msg"] == "plugin failed")
        .await;
    assert_eq!(line["id"], answer.field("hookgate-id").unwrap());
    let detail = line["detail"].as_str().unwrap();
    assert!(
        detail.contains("no earlier plugin named the event: give `signature` a preset"),
        "{detail}"
    );
}

#[tokio::test]
async fn values_of_the_body_and_headers_must_all_be_as_wanted() {
    let mut upstream = Upstream::ok().await;
    let with = r#"json = { "/ref" = ["refs/heads/*"], "/forced" = [false] }, header = { x-tenant = ["a"] }"#;
    let gate = gate(&upstream, &filter(with)).await;
    let call = |tenant, body: &str| Call::post("/hook", body).field("x-tenant", tenant);

    let wanted = r#"{"ref":"refs/heads/main","forced":false}"#;
    assert_eq!(call("a", wanted).send(gate.address).await.status, 200);
    assert_eq!(upstream.next().await.text(), wanted);
    for (tenant, body) in [
        ("b", wanted),
        ("a", r#"{"ref":"refs/tags/v1","forced":false}"#),
        ("a", r#"{"ref":"refs/heads/main","forced":true}"#),
        ("a", r#"{"ref":"refs/heads/main"}"#),
    ] {
        let answer = call(tenant, body).send(gate.address).await;
        assert_eq!(
            (answer.status, &answer.json()["outcome"]),
            (200, &"dropped".into()),
            "{body}"
        );
    }
    for body in [
        "",
        "no json",
        r#"{"ref":"refs/heads/main","ref":"x","forced":false}"#,
    ] {
        assert_eq!(
            call("a", body).send(gate.address).await.status,
            500,
            "{body}"
        );
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_filter_that_may_be_skipped_lets_through_what_it_cannot_judge() {
    let mut upstream = Upstream::ok().await;
    let steps = filter("event = [\"push\"]") + "on_failure = \"skip\"\n";
    let mut gate = gate(&upstream, &steps).await;

    assert_eq!(
        Call::post("/hook", "x").send(gate.address).await.status,
        200
    );

    assert_eq!(upstream.next().await.text(), "x");
    let line = gate
        .wait_for_log(|line| line["msg"] == "plugin failed")
        .await;
    assert_eq!(line["policy"], "skip");
}

#[tokio::test]
async fn conditions_of_any_depth_decide_over_body_header_and_query() {
    let mut upstream = Upstream::ok().await;
    let with = r#"event = ["issues"], when = { all = [
        { any = [{ json = "/amount", ge = 100 }, { header = "X-Priority", eq = "high" }] },
        { not = { query = "dry", exists = true } },
        { json = "/labels", contains = "bug" },
    ] }"#;
    let steps = SIGNATURE.to_owned() + &filter(with);
    let toml = hook(&upstream).replace("public = true\n", "ack = \"upstream\"\n") + &steps;
    let mut gate = Gate::start_in(folder(), &toml, &[("SECRET", SECRET)]).await;
    let outcome = async |target: &str, body: &str, high: bool| {
        let call = github(target, "issues", SECRET, body);
        let call = if high {
            call.field("x-priority", "high")
        } else {
            call
        };
        let answer = call.send(gate.address).await;
        match answer.body.starts_with(b"{") {
            true => answer.json()["outcome"]
                .as_str()
                .unwrap_or("failed")
                .to_owned(),
            false => answer.text(),
        }
    };
    let (large, small) = (
        r#"{"amount":100,"labels":["p1","bug"]}"#,
        r#"{"amount":99.99,"labels":["bug"]}"#,
    );

    for (target, body, high, expected) in [
        ("/hook", large, false, "ok"),
        ("/hook", small, true, "ok"),
        ("/hook", small, false, "dropped"),
        ("/hook?dry=", large, false, "dropped"),
        (
            "/hook",
            r#"{"amount":100,"labels":["bugs"]}"#,
            false,
            "dropped",
        ),
        ("/hook", r#"{"amount":"100","labels":["bug"]}"#, false, "ok"),
        (
            "/hook",
            r#"{"amount":null,"labels":["bug"]}"#,
            false,
            "dropped",
        ),
        ("/hook", "no json", true, "failed"),
    ] {
        assert_eq!(
            outcome(target, body, high).await,
            expected,
            "{target} {body} {high}"
        );
        if expected == "ok" {
            assert_eq!(upstream.next().await.text(), body);
        }
    }
    assert!(upstream.is_quiet());
    gate.wait_for_log(|line| {
        line["reason"]
            == "none of `any` holds; of the first, `/amount` is `99.99`, which fails `ge`"
    })
    .await;
}
