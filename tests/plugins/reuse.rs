//! A plugin keeps its memory from webhook to webhook where it is told to, and never after a failure.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hookgate::plugin::{Chain, Grants, Plugin, Reuse, Verdict};
use hookgate::telemetry::Telemetry;

use super::world::{LIMITS, World, accepted, judge, step, webhook_with};

const HOUR: Duration = Duration::from_hours(1);

fn reuse(webhooks: u32, time: Duration) -> Grants {
    Grants {
        reuse: NonZeroU32::new(webhooks).map(|webhooks| Reuse { webhooks, time }),
        ..Grants::default()
    }
}

fn route(plugin: &Arc<Plugin>) -> Chain {
    Chain::new(vec![step(plugin)])
}

/// What the guest says: its count, or the kind of its failure.
async fn ask(chain: &Chain, body: &str) -> String {
    let webhook = webhook_with(&[], body);
    let said = match chain.judge(&webhook, &[], &Telemetry::new()).await {
        Ok(Verdict::Dropped { reason, .. }) => reason,
        Ok(other) => panic!("{other:?}"),
        Err(failure) => failure.kind.as_str().into(),
    };
    assert_eq!(Arc::strong_count(&webhook), 1, "it holds on to the webhook");
    said
}

async fn says(chain: &Chain, bodies: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    for body in bodies {
        said.push(ask(chain, body).await);
    }
    said
}

#[tokio::test]
async fn memory_survives_only_where_it_is_told_to_and_only_so_often() {
    let world = World::new();
    let fresh = route(&world.guest("keeping"));
    let kept = world.load("keeping", LIMITS, &reuse(3, HOUR)).unwrap();
    let (kept, other) = (route(&kept), route(&kept));

    assert_eq!(says(&fresh, &["a"; 3]).await, ["1", "1", "1"]);
    assert_eq!(says(&kept, &["a"; 5]).await, ["1", "2", "3", "1", "2"]);
    assert_eq!(says(&other, &["a"; 2]).await, ["1", "2"], "another route");
    assert_eq!(says(&kept, &["a"]).await, ["3"]);
}

#[tokio::test]
async fn no_instance_serves_after_a_failure() {
    let world = World::new();
    let kept = world.load("keeping", LIMITS, &reuse(100, HOUR)).unwrap();

    for (body, kind) in [("!", "trap"), ("?", "temporary"), ("@", "time")] {
        let said = says(&route(&kept), &["a", "a", body, "a", "a"]).await;
        assert_eq!(said, ["1", "2", kind, "1", "2"]);
    }
}

#[tokio::test]
async fn memory_that_one_webhook_did_not_get_does_not_explain_the_trap_of_another() {
    let world = World::new();
    let kept = world.load("keeping", LIMITS, &reuse(100, HOUR)).unwrap();

    let said = says(&route(&kept), &["+", "!"]).await;

    assert_eq!(said, ["1", "trap"]);
}

#[tokio::test]
async fn an_instance_that_is_too_old_serves_no_more() {
    let world = World::new();
    let kept = reuse(100, Duration::from_nanos(1));
    let kept = world.load("keeping", LIMITS, &kept).unwrap();

    assert_eq!(says(&route(&kept), &["a"; 3]).await, ["1", "1", "1"]);
}

#[tokio::test]
async fn a_guest_that_keeps_a_delivery_is_not_kept() {
    let world = World::new();
    let hoarding = world.load("hoarding", LIMITS, &reuse(100, HOUR)).unwrap();
    let chain = route(&hoarding);

    for _ in 0..3 {
        assert_eq!(accepted(judge(&chain).await).overlays().len(), 1);
    }
}

#[tokio::test]
async fn instances_that_are_idle_take_nobodys_sandbox() {
    let world = World::new();
    let kept = world.load("keeping", LIMITS, &reuse(100, HOUR)).unwrap();
    // As many routes as there are sandboxes: a quarter of them may keep one more.
    let routes: Vec<Chain> = (0..8).map(|_| route(&kept)).collect();
    for route in &routes {
        ask(route, "a").await;
    }

    let mut said = Vec::new();
    for route in &routes {
        said.push(ask(route, "a").await);
    }
    let plugin = world.guest("accept");
    let eight = Chain::new((0..8).map(|_| step(&plugin)).collect());

    assert_eq!(
        said.iter().filter(|said| *said == "2").count(),
        2,
        "{said:?}"
    );
    accepted(judge(&eight).await);
}
