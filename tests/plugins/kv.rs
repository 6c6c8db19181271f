//! What a plugin remembers, and when.

use hookgate::plugin::{Chain, Grants, OnFailure, Verdict, Writes};
use hookgate::telemetry::Telemetry;

use super::world::{LIMITS, World, step, webhook_with};

const KV: Grants = Grants {
    signing: Vec::new(),
    kv: true,
    reuse: None,
};

/// One route with the guest that does as the body says.
struct Memory {
    chain: Chain,
    telemetry: Telemetry,
    _world: World,
}

impl Memory {
    fn new(on_failure: OnFailure) -> Self {
        let world = World::new();
        let mut step = step(&world.load("memory", LIMITS, &KV).unwrap());
        step.on_failure = on_failure;
        Self {
            chain: Chain::new(vec![step]),
            telemetry: Telemetry::new(),
            _world: world,
        }
    }

    /// The verdict in a word, or a drop's reason; and what would be remembered.
    async fn asked(&self, body: &str) -> (String, Option<Writes>) {
        let webhook = webhook_with(&[], body);
        match self.chain.judge(&webhook, &[], &self.telemetry).await {
            Ok(Verdict::Accepted(accepted)) => ("accepted".into(), accepted.into_parts().2),
            Ok(Verdict::Dropped { reason, .. }) => (reason, None),
            Ok(Verdict::Rejected { .. }) => ("rejected".into(), None),
            Ok(Verdict::Responded { .. }) => ("responded".into(), None),
            Err(failure) => (failure.kind.as_str().into(), None),
        }
    }

    /// The same for a webhook that is then taken.
    async fn taken(&self, body: &str) -> String {
        let (said, writes) = self.asked(body).await;
        if let Some(writes) = writes {
            writes.keep();
        }
        said
    }
}

#[tokio::test]
async fn what_was_written_is_there_once_the_webhook_was_taken() {
    let memory = Memory::new(OnFailure::Refuse);

    let (said, writes) = memory.asked("s 1").await;
    assert_eq!(said, "accepted");
    assert_eq!(memory.taken("g").await, "accepted", "nobody sees it yet");
    writes.unwrap().keep();
    assert_eq!(memory.taken("g").await, "s 1");

    assert_eq!(memory.taken("d").await, "accepted");
    assert_eq!(memory.taken("g").await, "accepted");
}

#[tokio::test]
async fn a_webhook_that_was_not_taken_leaves_nothing() {
    let memory = Memory::new(OnFailure::Refuse);

    drop(memory.asked("s 1").await);
    for (body, said) in [
        ("s-", "rejected"),
        ("s!", "trap"),
        ("s?", "temporary"),
        ("c-", "rejected"),
        ("c!", "trap"),
        ("c?", "temporary"),
    ] {
        assert_eq!(memory.taken(body).await, said, "{body}");
        assert_eq!(memory.taken("g").await, "accepted", "after {body}");
    }

    assert_eq!(memory.taken("c").await, "accepted");
}

#[tokio::test]
async fn a_failure_that_is_skipped_leaves_nothing_though_the_webhook_is_taken() {
    let memory = Memory::new(OnFailure::Skip);

    assert_eq!(memory.taken("s!").await, "accepted");

    assert_eq!(memory.taken("g").await, "accepted");
}

#[tokio::test]
async fn a_claim_is_one_webhooks_until_it_was_taken_and_everybodys_when_it_was_not() {
    let memory = Memory::new(OnFailure::Refuse);

    let (first, writes) = memory.asked("c").await;
    assert_eq!(first, "accepted");
    assert_eq!(memory.taken("c").await, "taken", "in flight");
    drop(writes);
    assert_eq!(memory.taken("c").await, "accepted");
    assert_eq!(memory.taken("c").await, "taken");
}

#[tokio::test]
async fn a_webhook_that_a_filter_drops_on_purpose_was_taken() {
    let memory = Memory::new(OnFailure::Refuse);
    assert_eq!(memory.taken("s 1").await, "accepted");

    // It claims in vain, which drops it; the value is still the first one's.
    assert_eq!(memory.taken("c").await, "taken");

    assert_eq!(memory.taken("g").await, "s 1");
}

#[tokio::test]
async fn a_counter_counts_refused_webhooks_too() {
    let memory = Memory::new(OnFailure::Refuse);

    assert_eq!(memory.taken("i").await, "1");
    assert_eq!(memory.taken("i-").await, "rejected");
    assert_eq!(memory.taken("i!").await, "trap");
    assert_eq!(memory.taken("i").await, "4");
    // It has a name of its own.
    assert_eq!(memory.taken("g").await, "accepted");
}

#[tokio::test]
async fn what_is_too_much_is_an_error_and_not_a_trap() {
    let memory = Memory::new(OnFailure::Refuse);

    assert_eq!(memory.taken("x").await, "0", "a key of 1025 bytes");
    assert_eq!(memory.taken("l").await, "0", "a value of 64 KiB and a byte");
    assert_eq!(memory.taken("q").await, "1", "the 65th key of a webhook");
}

#[tokio::test]
async fn routes_and_plugins_share_nothing_and_a_reload_keeps_it() {
    let world = World::new();
    let plugin = world.load("memory", LIMITS, &KV).unwrap();
    let telemetry = Telemetry::new();
    let on = |route: &str| {
        let mut step = step(&plugin);
        step.meters = telemetry.plugin("memory", route);
        Memory {
            chain: Chain::new(vec![step]),
            telemetry: telemetry.clone(),
            _world: World::new(),
        }
    };
    let (one, two) = (on("one"), on("two"));

    assert_eq!(one.taken("s 1").await, "accepted");
    let reloaded = on("one");
    drop(one);

    assert_eq!(two.taken("g").await, "accepted");
    assert_eq!(reloaded.taken("g").await, "s 1");
}
