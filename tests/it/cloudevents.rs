//! A webhook delivered as a CloudEvent.

use serde_json::{Value, json};

use crate::support::{Call, Gate, Upstream, hook};

fn step(with: &str) -> String {
    format!("[[routes.hook.plugins]]\nuse = \"cloudevents\"\nwith = {{ {with} }}\n")
}

const ATTRIBUTES: &str = "source = \"https://shop.example/{header:x-shop}\", type = \"com.shop.{/topic}\", \
    id = \"{/id}\", subject = \"{/who}\", time = \"{/at}\", extensions = { partitionkey = \"{/who}\" }";

fn call(body: &str) -> Call {
    Call::post("/hook", body).field("x-shop", "a b")
}

#[tokio::test]
async fn in_the_binary_mode_the_attributes_are_headers_and_the_body_stays() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&(hook(&upstream) + &step(ATTRIBUTES))).await;
    let body = r#"{ "topic":"order.paid", "id":"7", "who":"Ann \"A\" €", "at":"2026-11-21T10:00:00+01:00" }"#;
    let call = call(body)
        .field("content-type", "application/json; charset=utf-8")
        .field("ce-type", "forged")
        .field("CE-Evil", "forged");

    assert_eq!(call.send(gate.address).await.status, 200);

    let event = upstream.next().await;
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "https://shop.example/a%2520b"),
        ("ce-type", "com.shop.order.paid"),
        ("ce-time", "2026-11-21T10:00:00+01:00"),
        ("ce-subject", "Ann%20%22A%22%20%E2%82%AC"),
        ("ce-partitionkey", "Ann%20%22A%22%20%E2%82%AC"),
        ("content-type", "application/json; charset=utf-8"),
    ] {
        assert_eq!(event.field(name), Some(value), "{name}");
    }
    let ours = event
        .fields
        .iter()
        .filter(|(name, _)| name.starts_with("ce-"));
    assert_eq!(ours.count(), 7, "{:?}", event.fields);
    assert_eq!(event.text(), body);
}

#[tokio::test]
async fn in_the_structured_mode_everything_is_in_one_document() {
    let mut upstream = Upstream::ok().await;
    let with =
        "mode = \"structured\", source = \"/shop\", type = \"t\", subject = \"{header:x-none}\"";
    let gate = Gate::start(&(hook(&upstream) + &step(with))).await;
    for (media_type, body, data) in [
        (
            Some("application/json"),
            &b"{\"a\": 1.0}"[..],
            json!({ "data": { "a": 1.0 } }),
        ),
        (
            Some("application/vnd.x+json"),
            b"[1]",
            json!({ "data": [1] }),
        ),
        (None, b"[1]", json!({ "data": [1] })),
        (Some("text/plain"), b"[1]\n\"", json!({ "data": "[1]\n\"" })),
        (
            Some("application/octet-stream"),
            b"\xff\0",
            json!({ "data_base64": "/wA=" }),
        ),
        (None, b"not json", json!({ "data_base64": "bm90IGpzb24=" })),
        (Some("application/json"), b"", json!({})),
    ] {
        let mut call = Call::post("/hook", body);
        if let Some(media_type) = media_type {
            call = call.field("content-type", media_type);
        }

        assert_eq!(call.send(gate.address).await.status, 200);

        let event = upstream.next().await;
        let media = "application/cloudevents+json; charset=utf-8";
        assert_eq!(event.field("content-type"), Some(media));
        let made: Value = serde_json::from_slice(&event.body).unwrap();
        let mut expected = json!({
            "specversion": "1.0", "id": event.field("hookgate-id").unwrap(),
            "source": "/shop", "type": "t", "time": made["time"],
        });
        if let Some(media_type) = media_type {
            expected["datacontenttype"] = media_type.into();
        }
        for (name, value) in data.as_object().unwrap() {
            expected[name] = value.clone();
        }
        assert_eq!(made, expected);
        let received_at: i64 = event
            .field("hookgate-received-at")
            .unwrap()
            .parse()
            .unwrap();
        let time: jiff::Timestamp = made["time"].as_str().unwrap().parse().unwrap();
        assert_eq!(time.as_millisecond(), received_at);
    }
}

#[tokio::test]
async fn what_cannot_be_an_event_is_a_failure() {
    let mut upstream = Upstream::ok().await;
    let mut gate = Gate::start(&(hook(&upstream) + &step(ATTRIBUTES))).await;
    for body in [
        r#"{"id":"7"}"#,
        r#"{"topic":"t"}"#,
        r#"{"topic":"t","id":"a\nb"}"#,
        "no json",
    ] {
        assert_eq!(call(body).send(gate.address).await.status, 500, "{body}");
    }
    gate.wait_for_log(|line| {
        line["detail"]
            == "it cannot handle this webhook: the webhook lacks what the attribute `type` is made of"
    })
    .await;

    let with = "mode = \"structured\", source = \"/shop\", type = \"t\"";
    gate.apply(&(hook(&upstream) + &step(with))).await;
    let broken = call("{").field("content-type", "application/json");
    assert_eq!(broken.send(gate.address).await.status, 500);
    assert!(upstream.is_quiet());
}
