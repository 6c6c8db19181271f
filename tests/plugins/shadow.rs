//! A candidate is asked what the plugin in force is asked, and heard by nobody.

use std::sync::Arc;
use std::time::Duration;

use hookgate::plugin::{Candidate, Chain, Grants, Limits, Plugin, Verdict};
use hookgate::telemetry::{ShadowMeters, Telemetry};

use super::world::{LIMITS, World, judge, step, webhook_with};

/// More than any candidate of these tests takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A route where `candidate` runs beside `current`.
fn beside(current: &Arc<Plugin>, candidate: &Arc<Plugin>) -> (Chain, Arc<ShadowMeters>) {
    let meters = Telemetry::new().shadow("github", current.name(), candidate.name());
    let candidate = Candidate {
        plugin: Arc::clone(candidate),
        meters: Arc::clone(&meters),
    };
    let chain = Chain::new(vec![step(current)]).shadow(0, candidate);
    (chain, meters)
}

fn count(meters: &ShadowMeters, outcome: &str) -> u64 {
    let mut rows = meters.outcomes();
    rows.find(|(word, _)| *word == outcome)
        .map_or(0, |(_, n)| n)
}

/// Waits until so many questions have come to something.
async fn asked(meters: &ShadowMeters, questions: u64) {
    let reached = async {
        while meters.outcomes().map(|(_, n)| n).sum::<u64>() < questions {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap();
}

#[tokio::test]
async fn the_same_say_is_counted_as_the_same() {
    let world = World::new();
    let (chain, meters) = beside(&world.guest("stages"), &world.guest("stages"));

    judge(&chain).await.unwrap();

    // Verify, filter, and transform, in one instance: it counts them in its memory.
    asked(&meters, 3).await;
    assert_eq!(count(&meters, "same"), 3);
    assert_eq!(meters.differences(), []);
}

#[tokio::test]
async fn another_verdict_is_counted_and_listed_and_changes_nothing() {
    let world = World::new();
    let (chain, meters) = beside(&world.guest("accept"), &world.guest("reject"));

    let verdict = judge(&chain).await;

    assert!(matches!(verdict, Ok(Verdict::Accepted(_))), "{verdict:?}");
    asked(&meters, 1).await;
    assert_eq!(count(&meters, "verdict"), 1);
    let [difference] = &meters.differences()[..] else {
        panic!("{meters:?}")
    };
    let said = (difference.current.as_str(), difference.candidate.as_str());
    assert_eq!(
        (difference.stage, said),
        ("verify", ("accept", "reject 401"))
    );
}

#[tokio::test]
async fn other_bytes_are_counted_and_told_without_the_bytes() {
    let world = World::new();
    let (chain, meters) = beside(
        &world.guest("deliver-slice-a"),
        &world.guest("deliver-slice-b"),
    );

    judge(&chain).await.unwrap();

    asked(&meters, 1).await;
    let [difference] = &meters.differences()[..] else {
        panic!("{meters:?}")
    };
    assert_eq!(difference.outcome, "bytes");
    assert_eq!(
        difference.candidate,
        "1 deliveries, of number 1 its body (2 bytes to 3) from byte 2 on differ"
    );
}

#[tokio::test]
async fn a_candidate_that_fails_has_failed() {
    let world = World::new();
    for (candidate, said) in [("panic", "trap: it panicked"), ("loop", "time: it used up")] {
        let (chain, meters) = beside(&world.guest("accept"), &world.guest(candidate));

        judge(&chain).await.unwrap();

        asked(&meters, 1).await;
        assert_eq!(count(&meters, "failed"), 1);
        let difference = &meters.differences()[0];
        assert!(difference.candidate.starts_with(said), "{difference:?}");
    }
}

#[tokio::test]
async fn a_candidate_that_never_ends_delays_nobody() {
    let world = World::new();
    let limits = Limits {
        time: Duration::from_secs(10),
        ..LIMITS
    };
    let slow = world.load("loop", limits, &Grants::default()).unwrap();
    let (chain, meters) = beside(&world.guest("accept"), &slow);

    for _ in 0..10 {
        judge(&chain).await.unwrap();
    }

    assert_eq!(
        meters.outcomes().map(|(_, n)| n).sum::<u64>(),
        0,
        "none is done yet"
    );
}

#[tokio::test]
async fn a_failure_of_the_plugin_in_force_is_compared_too() {
    let world = World::new();
    let (chain, meters) = beside(&world.guest("panic"), &world.guest("accept"));

    judge(&chain).await.unwrap_err();

    asked(&meters, 1).await;
    assert_eq!(count(&meters, "verdict"), 1);
    assert_eq!(meters.differences()[0].candidate, "accept");
}

#[tokio::test]
async fn what_comes_too_fast_is_skipped_and_counted() {
    let world = World::new();
    // Each takes 10 ms to be stopped, so that the queue of 256 is full before they are done.
    let (chain, meters) = beside(&world.guest("accept"), &world.guest("loop"));

    for _ in 0..400 {
        judge(&chain).await.unwrap();
    }

    assert!(count(&meters, "skipped") > 0);
    asked(&meters, 400).await;
    assert_eq!(count(&meters, "skipped") + count(&meters, "failed"), 400);
}

#[tokio::test]
async fn what_a_candidate_remembers_is_its_own() {
    let world = World::new();
    let kv = Grants {
        kv: true,
        ..Grants::default()
    };
    let current = world.load("memory", LIMITS, &kv).unwrap();
    let path = world.file("next.wasm", &super::world::component("memory"));
    let source = hookgate::plugin::Source::File { path, sha256: None };
    let next = world.catalog.load("next", &source, LIMITS, &kv).unwrap();
    let (chain, meters) = beside(&current, &next);
    let telemetry = Telemetry::new();
    let ask = async |body: &str| {
        let webhook = webhook_with(&[], body);
        let verdict = chain.judge(&webhook, &[], &telemetry).await.unwrap();
        match verdict {
            Verdict::Accepted(accepted) => {
                if let Some(writes) = accepted.into_parts().2 {
                    writes.keep();
                }
                "accepted".to_owned()
            }
            Verdict::Dropped { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    };

    assert_eq!(ask("c").await, "accepted");
    asked(&meters, 1).await;
    assert_eq!(ask("c").await, "taken");
    asked(&meters, 2).await;
    assert_eq!(ask("i").await, "1");
    asked(&meters, 3).await;
    assert_eq!(ask("i").await, "2");
    asked(&meters, 4).await;

    assert_eq!(count(&meters, "same"), 4);
}
