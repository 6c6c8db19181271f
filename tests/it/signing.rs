//! What reaches the upstream is signed as Standard Webhooks, each attempt anew.

use jiff::Timestamp;

use crate::support::{Act, Call, Gate, Received, Upstream, base64, folder, github, hook, mac};

const SECRET: &str = "It's a Secret to Everybody";
const OLD_KEY: &[u8] = b"twenty-four bytes of old";
const NEW_KEY: &[u8] = b"twenty-four bytes of new";

fn step(plugin: &str, with: &str) -> String {
    format!("[[routes.hook.plugins]]\nuse = \"{plugin}\"\nwith = {{ {with} }}\n")
}

async fn gate(toml: &str) -> Gate {
    let standard = |key| format!("whsec_{}", base64(key));
    let env = [
        ("SECRET", SECRET),
        ("NEW", &*standard(NEW_KEY)),
        ("OLD", &*standard(OLD_KEY)),
    ];
    Gate::start_in(folder(), toml, &env).await
}

/// The only value of a field.
fn only<'r>(request: &'r Received, name: &str) -> &'r str {
    let mut values = request.fields.iter().filter(|(field, _)| field == name);
    let (value, more) = (values.next(), values.next());
    assert!(more.is_none(), "{name} is there twice");
    &value.unwrap_or_else(|| panic!("no {name}")).1
}

/// What the specification says: `id.timestamp.body`, under `v1,` in base64, one for each key.
fn verified(request: &Received, keys: &[&[u8]]) -> i64 {
    let (id, timestamp) = (
        only(request, "webhook-id"),
        only(request, "webhook-timestamp"),
    );
    let message = [
        id.as_bytes(),
        b".",
        timestamp.as_bytes(),
        b".",
        &request.body,
    ]
    .concat();
    let expected: Vec<String> = keys
        .iter()
        .map(|key| format!("v1,{}", base64(&mac(key, &message))))
        .collect();
    assert_eq!(only(request, "webhook-signature"), expected.join(" "));
    let timestamp: i64 = timestamp.parse().unwrap();
    assert!((Timestamp::now().as_second() - timestamp).abs() < 60);
    timestamp
}

#[tokio::test]
async fn each_attempt_has_a_signature_of_its_own_time() {
    let mut upstream = Upstream::answers(&[503, 200]).await;
    let signature = step(
        "signature",
        "preset = \"github\", keys = [{ env = \"SECRET\" }]",
    );
    let template = step("json-template", "body = { made = \"{/a}\" }");
    let sign = step(
        "standard-sign",
        "keys = [{ env = \"NEW\" }, { env = \"OLD\" }]",
    );
    let route = hook(&upstream).replace("public = true\n", "retry = { schedule = [\"2s\"] }\n");
    // The signature covers what is sent, whichever transform comes last.
    let gate = gate(&(route + &signature + &sign + &template)).await;
    let forged = github("/hook", "push", SECRET, "{\"a\":1}")
        .field("webhook-id", "forged")
        .field("webhook-timestamp", "1")
        .field("webhook-signature", "v1,forged");

    assert_eq!(forged.send(gate.address).await.status, 200);

    let (first, second) = (upstream.next().await, upstream.next().await);
    assert_eq!(first.text(), "{\"made\":1}");
    let keys = [NEW_KEY, OLD_KEY];
    assert!(verified(&second, &keys) > verified(&first, &keys));
    assert_eq!(only(&first, "webhook-id"), only(&first, "hookgate-id"));
    assert_eq!(only(&first, "webhook-id"), only(&second, "webhook-id"));
}

#[tokio::test]
async fn the_id_is_the_senders_where_it_has_one() {
    let mut upstream = Upstream::ok().await;
    let with = "keys = { env = \"NEW\" }, id = \"msg_{header:X-Id}\"";
    let gate = gate(&(hook(&upstream) + &step("standard-sign", with))).await;
    for (sent, id) in [("7-a", "msg_7-a"), ("7-a", "msg_7-a")] {
        let call = Call::post("/hook", "{}").field("x-id", sent);
        assert_eq!(call.send(gate.address).await.status, 200);
        let received = upstream.next().await;
        verified(&received, &[NEW_KEY]);
        assert_eq!(only(&received, "webhook-id"), id);
    }

    // A dot would let a receiver read another message; without an id of the sender's there is ours.
    Call::post("/hook", "{}")
        .field("x-id", "a.1")
        .send(gate.address)
        .await;
    let digested = upstream.next().await;
    verified(&digested, &[NEW_KEY]);
    assert_eq!(only(&digested, "webhook-id").len(), 64);
    Call::post("/hook", "{}").send(gate.address).await;
    let ours = upstream.next().await;
    assert_eq!(only(&ours, "webhook-id"), only(&ours, "hookgate-id"));
}

#[tokio::test]
async fn each_element_of_a_batch_is_signed_under_an_id_of_its_own() {
    let mut upstream = Upstream::start(|_| Act::status(200)).await;
    let steps = step("standard-sign", "keys = { env = \"NEW\" }") + &step("split", "");
    let gate = gate(&(hook(&upstream) + &steps)).await;

    assert_eq!(
        Call::post("/hook", "[1,2]").send(gate.address).await.status,
        200
    );

    let mut received = [upstream.next().await, upstream.next().await];
    received.sort_by_key(Received::text);
    for (place, element) in received.iter().enumerate() {
        verified(element, &[NEW_KEY]);
        let id = format!("{}-{place}", only(element, "hookgate-id"));
        assert_eq!(only(element, "webhook-id"), id);
    }
}
