//! Guests that misbehave: the sentence that the operator reads, and that the next webhook is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hookgate::plugin::{FailureKind, Grants, Limits, Settings};

use super::world::{LIMITS, World, accepted, chain, judge};

/// Runs the guest, then a good one in the same sandboxes, then both again.
async fn fails(guest: &str, kind: FailureKind, sentence: &str) {
    let world = World::with(&Settings {
        instances_max: 1,
        cache: None,
    });
    let bad = chain(&[&world.guest(guest)]);
    let good = chain(&[&world.guest("accept")]);
    for _ in 0..3 {
        let failure = judge(&bad).await.unwrap_err();
        assert_eq!(failure.to_string(), sentence);
        assert_eq!(failure.kind, kind);
        accepted(judge(&good).await);
    }
}

#[tokio::test]
async fn a_loop_without_an_end() {
    fails(
        "loop",
        FailureKind::Time,
        "plugin `loop` failed in verify: it used up its 10 ms of computing time; raise `limits.time` if it needs more",
    )
    .await;
}

#[tokio::test]
async fn a_memory_bomb() {
    fails(
        "bomb",
        FailureKind::Memory,
        "plugin `bomb` failed in verify: it asked for more than its 16 MiB of memory; raise `limits.memory` if it needs more",
    )
    .await;
}

#[tokio::test]
async fn a_recursion_without_an_end() {
    fails(
        "recursion",
        FailureKind::Trap,
        "plugin `recursion` failed in verify: it overflowed its stack of 256 KiB: a recursion without an end?, in `down`",
    )
    .await;
}

#[tokio::test]
async fn a_panic() {
    fails(
        "panic",
        FailureKind::Trap,
        "plugin `panic` failed in verify: it panicked or aborted (wasm `unreachable`), in `parse_header`",
    )
    .await;
}

#[tokio::test]
async fn last_words_are_kept_and_escaped() {
    fails(
        "shout",
        FailureKind::Trap,
        r#"plugin `shout` failed in verify: it panicked or aborted (wasm `unreachable`); it wrote: panicked at \"a.rs\"\n\u{1b}[2J"#,
    )
    .await;
}

#[tokio::test]
async fn an_exit() {
    fails(
        "exit",
        FailureKind::Trap,
        "plugin `exit` failed in verify: it ended itself with exit code 1",
    )
    .await;
}

#[tokio::test]
async fn a_wait_without_an_end() {
    let world = World::new();
    let sleeper = chain(&[&world.guest("sleep")]);

    let failure = judge(&sleeper).await.unwrap_err();

    assert_eq!(failure.kind, FailureKind::Time);
    assert_eq!(
        failure.to_string(),
        "plugin `sleep` failed in verify: it waited for more than 1 s, for a clock or the like"
    );
    accepted(judge(&chain(&[&world.guest("accept")])).await);
}

#[tokio::test]
async fn the_environment_is_empty() {
    let world = World::new();

    let verdict = judge(&chain(&[&world.guest("environment")])).await;

    // Nothing to be found is an acceptance.
    accepted(verdict);
}

#[tokio::test]
async fn a_reach_outside_of_its_memory() {
    fails(
        "outside",
        FailureKind::Trap,
        "plugin `outside` failed in verify: it reached outside of its memory: a defect, or a recursion without an end",
    )
    .await;
}

#[tokio::test]
async fn a_verdict_that_does_not_exist() {
    fails(
        "nonsense",
        FailureKind::Output,
        "plugin `nonsense` failed in verify: it broke a rule of the sandbox: unexpected discriminant: 9",
    )
    .await;
}

#[tokio::test]
async fn a_giant_answer() {
    fails(
        "respond-giant",
        FailureKind::Output,
        "plugin `respond-giant` failed in verify: it answered with 65537 bytes; 64 KiB are the most",
    )
    .await;
}

#[tokio::test]
async fn an_answer_with_a_split_header() {
    fails(
        "respond-field",
        FailureKind::Output,
        "plugin `respond-field` failed in verify: it gave the header field `x-test` a value with control characters",
    )
    .await;
}

#[tokio::test]
async fn an_answer_that_switches_protocols() {
    fails(
        "respond-status",
        FailureKind::Output,
        "plugin `respond-status` failed in verify: it answered with status 101; 200 to 599 are allowed",
    )
    .await;
}

#[tokio::test]
async fn work_for_the_host_without_an_end() {
    let world = World::new();
    // Its bytes are to end it and not its time, on a slow and busy machine, too.
    let patient = Limits {
        time: Duration::from_mins(1),
        ..LIMITS
    };
    let reader = world.load("reader", patient, &Grants::default()).unwrap();

    let failure = judge(&chain(&[&reader])).await.unwrap_err();

    assert_eq!(
        failure.to_string(),
        "plugin `reader` failed in verify: it made the host read more than 16 MiB and 32 times the body"
    );
    accepted(judge(&chain(&[&world.guest("accept")])).await);
}

#[tokio::test]
async fn a_field_that_belongs_to_the_proxy() {
    fails(
        "deliver-host",
        FailureKind::Output,
        "plugin `deliver-host` failed in transform: it changed the header field `host`, which belongs to the proxy",
    )
    .await;
}

#[tokio::test]
async fn a_field_that_an_upstream_takes_for_the_proxys() {
    fails(
        "deliver-folded",
        FailureKind::Output,
        "plugin `deliver-folded` failed in transform: it changed the header field `x_forwarded_for`, which belongs to the proxy",
    )
    .await;
}

#[tokio::test]
async fn a_field_name_that_splits_the_request() {
    fails(
        "deliver-name",
        FailureKind::Output,
        r"plugin `deliver-name` failed in transform: it gave a header field the name `a: b\r\n\r\nGET /`, which is none",
    )
    .await;
}

#[tokio::test]
async fn a_path_that_climbs() {
    fails(
        "deliver-path",
        FailureKind::Output,
        "plugin `deliver-path` failed in transform: it set the path `/../admin`, which is none below the upstream's",
    )
    .await;
}

#[tokio::test]
async fn a_path_that_climbs_once_decoded() {
    fails(
        "deliver-hidden-path",
        FailureKind::Output,
        "plugin `deliver-hidden-path` failed in transform: it set the path `/%2e%2e%2fadmin`, which is none below the upstream's",
    )
    .await;
}

#[tokio::test]
async fn a_slice_outside_of_the_body() {
    fails(
        "deliver-slice",
        FailureKind::Output,
        "plugin `deliver-slice` failed in transform: it asked for bytes 2 to 4294967297 of a body of 13 bytes",
    )
    .await;
}

#[tokio::test]
async fn deliveries_without_an_end() {
    fails(
        "deliver-many",
        FailureKind::Output,
        "plugin `deliver-many` failed in transform: it made more than 1000 deliveries of one webhook",
    )
    .await;
}

#[tokio::test]
async fn a_handle_that_it_was_never_given() {
    fails(
        "deliver-forged",
        FailureKind::Output,
        "plugin `deliver-forged` failed in transform: it broke a rule of the sandbox: unknown handle index 77",
    )
    .await;
}

#[tokio::test]
async fn a_computing_guest_gives_way_to_its_neighbours() {
    let world = World::new();
    let limits = Limits {
        time: Duration::from_millis(30),
        ..LIMITS
    };
    let busy = chain(&[&world.load("loop", limits, &Grants::default()).unwrap()]);
    let turns = Arc::new(AtomicU32::new(0));
    let neighbour = async {
        loop {
            turns.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    };

    let failure = tokio::select! {
        failure = judge(&busy) => failure.unwrap_err(),
        () = neighbour => unreachable!(),
    };

    assert_eq!(failure.kind, FailureKind::Time);
    assert!(turns.load(Ordering::Relaxed) >= 30, "{turns:?}");
}

#[tokio::test]
async fn a_full_house_is_overload_and_not_the_guests_fault() {
    let world = World::with(&Settings {
        instances_max: 1,
        cache: None,
    });
    let limits = Limits {
        time: Duration::from_secs(2),
        ..LIMITS
    };
    let busy = chain(&[&world.load("loop", limits, &Grants::default()).unwrap()]);
    let good = chain(&[&world.guest("accept")]);

    let failure = tokio::select! {
        biased;
        busy = judge(&busy) => panic!("{busy:?}"),
        failure = judge(&good) => failure.unwrap_err(),
    };

    assert!(failure.kind.is_temporary());
    assert_eq!(
        failure.to_string(),
        "plugin `accept` failed in verify: all 1 sandboxes were busy for 1 s"
    );
    accepted(judge(&good).await);
}
