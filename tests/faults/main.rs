//! A fault harness: the real binary over real sockets, an upstream that fails in every way, a process
//! that is replaced and killed under load. Who was told what is compared with what was delivered, one by one.
//!
//! `HOOKGATE_FAULTS=SECONDS[,RATE[,SEED]]` makes it longer, harder, or another one; `-- --nocapture` shows
//! its figures. The seed decides what goes wrong and when. `HOOKGATE_BACKLOG=DELIVERIES` is what waits for
//! an upstream that is away.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    reason = "neighbours end with their test, not in a drain"
)]
#![expect(
    unreachable_pub,
    reason = "each module is a library of this binary's own"
)]

mod disk;
mod ledger;
mod run;
mod script;
mod senders;
#[expect(dead_code, unused_imports, reason = "shared with the other tests")]
#[path = "../it/support/mod.rs"]
mod support;
mod upstream;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use run::{Contract, Run};
use script::Script;
use tokio::sync::Semaphore;

/// Every mood once, well between them.
const LENGTH: Duration = Duration::from_secs(20);
const RATE: u32 = 200;
const RUNS_AT_ONCE: usize = 3;

fn asked() -> Script {
    let asked = std::env::var("HOOKGATE_FAULTS").unwrap_or_default();
    let mut parts = asked.split(',');
    let length = parts.next().and_then(|part| part.parse().ok());
    let rate = parts.next().and_then(|part| part.parse().ok());
    let seed = parts.next().and_then(|part| part.parse().ok());
    let length = length.map_or(LENGTH, Duration::from_secs);
    Script::new(length, rate.unwrap_or(RATE), seed.unwrap_or(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_nothing_that_was_acknowledged_is_lost() {
    let script = Arc::new(asked());
    // Not all at once: what a busy machine does to them is not what they are asked about.
    let turns = Arc::new(Semaphore::new(RUNS_AT_ONCE));
    let runs = Contract::ALL.map(|contract| {
        let (run, turns) = (Run::new(contract, &script), Arc::clone(&turns));
        tokio::spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            run.make().await
        })
    });
    let mut table = format!("{script}\n{}\n", run::HEADINGS);
    let mut all = Vec::new();
    for (contract, run) in Contract::ALL.iter().zip(runs) {
        let figures = run.await.unwrap();
        let _ = writeln!(table, "{}", run::row(contract, figures.as_ref()));
        all.push((contract, figures));
    }
    say(&table);
    for (contract, figures) in all {
        if let Some(figures) = figures {
            contract.check(&figures, &table);
        }
    }
}

/// What waits for an upstream that is away; with 1 KiB of body each.
const BACKLOG: usize = 40_000;
/// A million of them in 1.6 GiB.
const BYTES_EACH_MAX: usize = (16 << 30) / 10 / 1_000_000;
/// What an allocator has now and then and gives to nobody.
const KEPT_BACK: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_small_and_goes_as_fast_as_its_upstream_takes_it_and_never_more_at_once_than_it_may()
 {
    let backlog = std::env::var("HOOKGATE_BACKLOG").unwrap_or_default();
    let backlog = backlog.parse().unwrap_or(BACKLOG);

    let drained = run::drain(backlog, &Arc::new(asked())).await;

    let said = format!(
        "{backlog} deliveries wait in {} MiB, {} bytes each; they are drained in {:.1?}, of which the \
         upstream needed {:.1?}; {} at once at most, of {}, whose places were in use for {:.1} % of the time",
        drained.memory >> 20,
        drained.each,
        drained.took,
        drained.least,
        drained.inside_most,
        run::CONCURRENCY,
        drained.in_use,
    );
    say(&said);
    assert!(
        drained.each <= BYTES_EACH_MAX + KEPT_BACK / backlog,
        "{said}"
    );
    assert!(drained.inside_most <= run::CONCURRENCY, "{said}");
    // What limits it is the upstream, on a machine that does other things as well.
    assert!(drained.in_use > 75.0, "{said}");
}

#[expect(clippy::print_stdout, reason = "what a sceptic runs it for")]
fn say(table: &str) {
    println!("{table}");
}

#[test]
fn the_same_seed_gives_the_same_faults_and_another_one_others() {
    let script = |seed| Script::new(LENGTH, RATE, seed);

    assert_eq!(script(7), script(7));
    assert_ne!(script(7), script(8));
    assert_eq!(script(7).dice(3, 2).u64(..), script(7).dice(3, 2).u64(..));
    assert_ne!(script(7).dice(3, 2).u64(..), script(7).dice(3, 1).u64(..));
}
