//! What a transform makes of a webhook.

use crate::support::{Call, Gate, Upstream, hook};

fn template(with: &str) -> String {
    format!("[[routes.hook.plugins]]\nuse = \"json-template\"\nwith = {{ {with} }}\n")
}

#[tokio::test]
async fn a_template_makes_the_body_and_its_length_and_type_follow() {
    let mut upstream = Upstream::ok().await;
    let with = r#"body = { text = "{/who/name} bought {/count} at {header:x-shop}", raw = "{/who}", n = 1 },
        headers = { x-made = "{query:by}" }, path = "/orders/{/who/name}""#;
    let gate = Gate::start(&(hook(&upstream) + &template(&with.replace('\n', " ")))).await;
    let body = r#"{"who":{"name":"Ann \"A\" / ü"},"count":3}"#;
    let call = Call::post("/hook?by=me", body)
        .field("content-type", "text/plain")
        .field("content-digest", "sha-256=:AAAA:")
        .field("x-shop", "the shop")
        .field("x-made", "by the sender");

    assert_eq!(call.send(gate.address).await.status, 200);

    let received = upstream.next().await;
    let made: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(
        made,
        serde_json::json!({
            "text": "Ann \"A\" / ü bought 3 at the shop",
            "raw": { "name": "Ann \"A\" / ü" },
            "n": 1,
        })
    );
    assert_eq!(received.field("content-type"), Some("application/json"));
    assert_eq!(
        received.field("content-length").unwrap(),
        received.body.len().to_string()
    );
    assert_eq!(received.field("content-digest"), None);
    assert_eq!(received.field("x-made"), Some("me"));
    assert_eq!(received.target, "/orders/Ann%20%22A%22%20%2F%20%C3%BC");
}

#[tokio::test]
async fn a_sender_cannot_climb_out_of_a_templates_path() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&(hook(&upstream) + &template("path = \"/orders/{/id}/items\""))).await;
    let call = |id| Call::post("/hook", format!("{{\"id\":\"{id}\"}}"));

    assert_eq!(call("7").send(gate.address).await.status, 200);
    assert_eq!(upstream.next().await.target, "/orders/7/items");
    assert_eq!(call("a/b?x=#").send(gate.address).await.status, 200);
    assert_eq!(
        upstream.next().await.target,
        "/orders/a%2Fb%3Fx%3D%23/items"
    );
    for id in ["..", ".", "../../admin"] {
        assert_eq!(call(id).send(gate.address).await.status, 500, "{id}");
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn what_is_missing_is_empty_or_a_failure_as_the_route_says() {
    let mut upstream = Upstream::ok().await;
    let route = |name: &str, missing: &str| {
        hook(&upstream)
            .replace("hook", name)
            .replace("[upstreams.app]\n", "")
            .replace(&format!("url = \"{}\"\n", upstream.url()), "")
            + &template(&format!(
                "body = {{ a = \"{{/a}}\" }}, missing = \"{missing}\""
            ))
            .replace("hook", name)
    };
    let app = format!("[upstreams.app]\nurl = \"{}\"\n", upstream.url());
    let gate = Gate::start(&(app + &route("lenient", "empty") + &route("strict", "refuse"))).await;

    for (target, body, status) in [
        ("/lenient", "{}", 200),
        ("/strict", "{\"a\":1}", 200),
        ("/strict", "{}", 500),
        ("/lenient", "not json", 500),
    ] {
        assert_eq!(
            Call::post(target, body).send(gate.address).await.status,
            status,
            "{target} {body}"
        );
    }
    upstream.next().await;
    assert_eq!(upstream.next().await.text(), "{\"a\":1}");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_fan_out_hands_the_same_to_every_upstream() {
    let (mut app, mut audit) = (Upstream::ok().await, Upstream::ok().await);
    let toml = hook(&app).replace("forward = \"app\"", "forward = [\"app\", \"audit\"]")
        + &template("body = { id = \"{/id}\" }")
        + &format!("[upstreams.audit]\nurl = \"{}/log\"\n", audit.url());
    let gate = Gate::start(&toml).await;

    let answer = Call::post("/hook", "{\"id\":7,\"more\":1}")
        .send(gate.address)
        .await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let (first, second) = (app.next().await, audit.next().await);
    assert_eq!(
        (first.text(), second.text()),
        ("{\"id\":7}".to_owned(), "{\"id\":7}".to_owned())
    );
    assert_eq!(
        (first.target.as_str(), second.target.as_str()),
        ("/hook", "/log")
    );
    assert_eq!(first.field("hookgate-id"), second.field("hookgate-id"));
    assert!(app.is_quiet() && audit.is_quiet());
}
