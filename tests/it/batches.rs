//! A batch becomes one delivery for each of its elements.

use crate::support::webhooks::webhooks;
use crate::support::{Act, Call, Gate, Received, Upstream, hook};

fn step(plugin: &str, with: &str) -> String {
    format!("[[routes.hook.plugins]]\nuse = \"{plugin}\"\nwith = {{ {with} }}\n")
}

/// As many as are expected, in the order of their bodies.
async fn received(upstream: &mut Upstream, count: usize) -> Vec<Received> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(upstream.next().await);
    }
    all.sort_by_key(Received::text);
    all
}

#[tokio::test]
async fn each_element_is_delivered_byte_for_byte_with_an_id() {
    let mut upstream = Upstream::ok().await;
    let with = "at = \"/events\", id = { header = \"webhook-id\", pointer = \"/id\" }";
    let gate = Gate::start(&(hook(&upstream) + &step("split", with))).await;
    let body = r#"{"events": [ {"id":"a\u0062", "n" : 1.0} ,{"id":7},
        {"none":[{"id":"deep"}]} ]}"#;
    let call = Call::post("/hook", body)
        .field("content-type", "application/vnd.batch+json")
        .field("x-other", "kept");

    let answer = call.send(gate.address).await;

    assert_eq!(answer.status, 200);
    let all = received(&mut upstream, 3).await;
    let webhook = all[0].field("hookgate-id").unwrap().to_owned();
    let derived = format!("{webhook}-2");
    for (delivery, part, body, id) in [
        (&all[0], "0", r#"{"id":"a\u0062", "n" : 1.0}"#, "ab"),
        (&all[1], "1", r#"{"id":7}"#, "7"),
        (&all[2], "2", r#"{"none":[{"id":"deep"}]}"#, &*derived),
    ] {
        assert_eq!(delivery.field("hookgate-part"), Some(part));
        assert_eq!(delivery.text(), body);
        assert_eq!(delivery.field("webhook-id"), Some(id));
        assert_eq!(delivery.field("content-type"), Some("application/json"));
        assert_eq!(delivery.field("x-other"), Some("kept"));
        assert_eq!(delivery.field("hookgate-id"), Some(&*webhook));
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn each_element_has_an_end_of_its_own_and_is_told_with_its_number() {
    let act = |request: &Received| match request.text().contains("bad") {
        true => Act::status(410),
        false => Act::status(200),
    };
    let upstream = Upstream::start(act).await;
    let toml = hook(&upstream) + &step("split", "at = \"/items\"");
    let body = r#"{"items":[{"i":1},{"i":"bad"},{"i":3}]}"#;
    for (ack, status, end) in [
        ("upstream", 410, "refused by the upstream, 1 attempt"),
        ("buffered", 200, "dead letter, 1 attempt"),
    ] {
        let path = "path = \"/hook\"\n";
        let toml = toml.replace(path, &format!("{path}ack = \"{ack}\"\n"));
        let gate = Gate::start(&toml).await;

        let answer = Call::post("/hook", body).send(gate.address).await;

        assert_eq!(answer.status, status);
        let id = answer.field("hookgate-id").unwrap();
        let (_, printed) = webhooks(&gate, &["find", id]).await;
        for (part, end) in [
            (0, "delivered, 1 attempt"),
            (1, end),
            (2, "delivered, 1 attempt"),
        ] {
            let line = format!("{id}  hook → app, part {part}  {end}, ");
            assert!(printed.contains(&line), "{printed}");
        }
    }
}

#[tokio::test]
async fn a_batch_is_bounded_and_an_empty_one_is_dropped() {
    let mut upstream = Upstream::ok().await;
    let mut gate = Gate::start(&(hook(&upstream) + &step("split", "max = 3"))).await;
    let send = async |body: &str| Call::post("/hook", body).send(gate.address).await;

    assert_eq!(send("[1,2,3]").await.status, 200);
    let all = received(&mut upstream, 3).await;
    assert_eq!(all[2].text(), "3");
    let empty = send("[]").await;
    assert_eq!(
        (empty.status, &empty.json()["outcome"]),
        (200, &"dropped".into())
    );
    for body in [
        "[1,2,3,4]",
        "{}",
        "1",
        "no json",
        "[1,2",
        "[{\"a\":1,\"a\":2}]",
    ] {
        assert_eq!(send(body).await.status, 500, "{body}");
    }
    assert!(upstream.is_quiet());
    gate.wait_for_log(|line| {
        line["detail"] == "it cannot handle this webhook: a batch of 4; 3 are the most (`max`)"
    })
    .await;
}

#[tokio::test]
async fn the_largest_batch_goes_through() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&(hook(&upstream) + &step("split", ""))).await;
    let elements: Vec<String> = (0..1_000).map(|id| format!("{{\"id\":{id}}}")).collect();

    let answer = Call::post("/hook", format!("[{}]", elements.join(",")))
        .field("content-type", "application/json")
        .send(gate.address)
        .await;

    assert_eq!(answer.status, 200);
    let mut bodies: Vec<String> = received(&mut upstream, 1_000)
        .await
        .iter()
        .map(Received::text)
        .collect();
    bodies.sort_by_key(|body| elements.iter().position(|element| element == body));
    assert_eq!(bodies, elements);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_batch_that_comes_again_delivers_what_was_not_accepted() {
    let mut upstream = Upstream::start(|request| {
        let refused = request.number < 3 && request.text().contains("\"id\":2");
        Act::Answer(if refused { 503 } else { 200 }, Vec::new(), "ok".to_owned())
    })
    .await;
    let with = "id = { pointer = \"/id\" }, dedupe = \"1h\"";
    let toml = hook(&upstream) + "retry = { attempts = 1 }\n" + &step("split", with);
    let gate = Gate::start(&toml).await;
    let call = Call::post("/hook", r#"[{"id":1},{"id":2},{"id":3}]"#);

    assert!(call.send(gate.address).await.status >= 502);
    received(&mut upstream, 3).await;
    assert_eq!(call.send(gate.address).await.status, 200);

    assert_eq!(upstream.next().await.text(), "{\"id\":2}");
    let third = call.send(gate.address).await;
    assert_eq!(third.json()["outcome"], "duplicate");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn elements_of_a_batch_with_one_key_are_not_each_others_repeats() {
    let mut upstream = Upstream::ok().await;
    let steps = step("dedupe", "header = \"x-batch\"") + &step("split", "");
    let gate = Gate::start(&(hook(&upstream) + &steps)).await;
    let call = |batch: &str| Call::post("/hook", "[1,2,3]").field("x-batch", batch);

    assert_eq!(call("a").send(gate.address).await.status, 200);
    assert_eq!(received(&mut upstream, 3).await[2].text(), "3");
    assert_eq!(
        call("a").send(gate.address).await.json()["outcome"],
        "duplicate"
    );
    assert!(upstream.is_quiet());
    assert_eq!(call("b").send(gate.address).await.status, 200);
    received(&mut upstream, 3).await;
}
