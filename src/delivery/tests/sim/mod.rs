//! A deterministic simulation: the whole delivery room, as it is, between simulated senders and simulated
//! upstreams, on a clock and with dice of its own.
//!
//! Everything but the sockets is the code that serves: buffer, schedule, retries, breakers, concurrency,
//! rate, order, repeats, hang-ups, dead letters, replay, drain. A run is a number of lives of a process,
//! each ended by a drain or by a crash; upstreams are well, refuse, fail, are busy, hang, take and break
//! off, or flap. What must always hold is checked at each step by [`world`].
//!
//! With a spool, lives follow each other: the power goes, and what was flushed is all that the next one
//! has.
//!
//! `HOOKGATE_SIM=WEBHOOKS[,SEED]` makes it longer, or another one. A failure names its seed, and the same
//! seed gives the same log.

mod life;
mod spooled;
mod upstreams;
mod world;

use life::{Life, Summary};

/// Few enough for every run of the tests; CI asks for a million.
const WEBHOOKS: u32 = 20_000;
const WEBHOOKS_PER_LIFE: u32 = 5_000;

fn asked() -> (u32, u64) {
    let asked = std::env::var("HOOKGATE_SIM").unwrap_or_default();
    let mut parts = asked.split(',');
    let webhooks = parts.next().and_then(|part| part.parse().ok());
    let seed = parts.next().and_then(|part| part.parse().ok());
    (webhooks.unwrap_or(WEBHOOKS), seed.unwrap_or(1))
}

#[test]
fn whatever_upstreams_do_nothing_that_was_acknowledged_is_lost() {
    let (webhooks, seed) = asked();
    // A crash ends a life before its time, so there are more of them.
    let lives = (webhooks / 4 * 5).div_ceil(WEBHOOKS_PER_LIFE);
    // Each life is a thread of its own; which one runs when makes no difference to it.
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let live = |thread: usize| {
        let numbers = (0..lives).skip(thread).step_by(threads);
        let lived = numbers.map(|number| {
            let seed = seed.wrapping_mul(1_000_003) + u64::from(number);
            (number, Life::new(seed).live(WEBHOOKS_PER_LIFE))
        });
        lived.collect::<Vec<_>>()
    };
    let mut lived: Vec<(u32, Summary)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || live(thread)))
            .collect();
        let lived = threads.into_iter().map(|thread| thread.join().unwrap());
        lived.flatten().collect()
    });
    lived.sort_by_key(|(number, _)| *number);
    let mut all = Summary::default();
    lived.iter().for_each(|(_, summary)| all.add(summary));

    say(&all);
    // A simulation in which nothing happens proves nothing.
    assert!(all.webhooks >= webhooks, "{all}");
    assert!(all.acknowledged > webhooks / 2, "{all}");
    for (what, count) in all.counted() {
        assert!(count > 0, "{what}: {all}");
    }
}

#[expect(clippy::print_stdout, reason = "what a sceptic runs it for")]
fn say(summary: &Summary) {
    println!("{summary}");
}

#[test]
fn the_same_seed_gives_the_same_log_and_another_one_another() {
    let log = |seed| Life::new(seed).live(1_000).log;

    assert_eq!(log(7), log(7));
    assert_ne!(log(7), log(8));
}
