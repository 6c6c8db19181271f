//! What a plugin remembers commits with the acceptance: a webhook that nobody took was never seen.

use std::sync::Arc;

use crate::support::{Call, Gate, Upstream, folder, guest, hook};

/// Claims a key for each webhook whose body begins with `c`, and drops what it cannot claim.
async fn start(route: &str) -> Gate {
    let folder = folder();
    let memory = include_str!("../guests/memory.wat");
    let component = guest("test:guests/filter-and-kv", memory);
    std::fs::write(folder.path().join("memory.wasm"), component).unwrap();
    let plugin = "[plugins.memory]\nfile = \"memory.wasm\"\ngrant = [\"kv\"]\n";
    let toml = format!("{plugin}{route}");
    Gate::start_in(Arc::clone(&folder), &toml, &[]).await
}

async fn call(gate: &Gate, body: &'static str) -> u16 {
    Call::post("/hook", body).send(gate.address).await.status
}

fn step() -> &'static str {
    "[[routes.hook.plugins]]\nuse = \"memory\"\n"
}

#[tokio::test]
async fn a_webhook_that_its_upstream_refuses_is_not_remembered_and_one_that_it_takes_is() {
    let mut upstream = Upstream::answers(&[400, 200]).await;
    let gate = start(&(hook(&upstream) + step())).await;

    assert_eq!(call(&gate, "c").await, 400);
    assert_eq!(call(&gate, "c").await, 200, "the sender's repeat");
    assert_eq!(call(&gate, "c").await, 200, "dropped");

    assert_eq!(upstream.next().await.text(), "c");
    assert_eq!(upstream.next().await.text(), "c");
    assert!(upstream.is_quiet());
    let dropped = "hookgate_webhooks_total{route=\"hook\",outcome=\"dropped\",class=\"2xx\"}";
    assert_eq!(gate.metric(dropped).await, 1.0);
}

#[tokio::test]
async fn a_webhook_that_one_of_two_upstreams_refuses_is_not_remembered() {
    let mut app = Upstream::ok().await;
    let mut audit = Upstream::answers(&[400, 200]).await;
    let route = hook(&app).replace("forward = \"app\"", "forward = [\"app\", \"audit\"]");
    let other = format!("[upstreams.audit]\nurl = \"{}\"\n", audit.url());
    let gate = start(&(route + step() + &other)).await;

    assert_eq!(call(&gate, "c").await, 400);
    assert_eq!(call(&gate, "c").await, 200);

    for _ in 0..2 {
        app.next().await;
        audit.next().await;
    }
    assert_eq!(call(&gate, "c").await, 200, "dropped");
    assert!(app.is_quiet() && audit.is_quiet());
}

#[tokio::test]
async fn a_webhook_that_is_held_is_remembered_at_once() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let route = hook(&upstream) + "ack = \"early\"\nlossy = true\n";
    let gate = start(&(route + step())).await;

    assert_eq!(call(&gate, "c").await, 202);
    assert_eq!(call(&gate, "c").await, 200, "dropped");
    permits.add_permits(2);

    assert_eq!(upstream.next().await.text(), "c");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_reload_forgets_nothing() {
    let mut upstream = Upstream::ok().await;
    let route = hook(&upstream) + step();
    let mut gate = start(&route).await;
    assert_eq!(call(&gate, "s 1").await, 200);
    upstream.next().await;

    let plugin = "[plugins.memory]\nfile = \"memory.wasm\"\ngrant = [\"kv\"]\n";
    let limits = "limits = { time = \"20ms\" }\n";
    gate.apply(&format!("{plugin}{limits}{route}")).await;

    assert_eq!(call(&gate, "g").await, 200, "dropped, for there is a value");
    assert!(upstream.is_quiet());
}
