//! The clock of the guests: a thread that advances the epoch every millisecond while a guest runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

/// One tick: how often a computing guest gives way to the other webhooks of its worker.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// 50 ms. A webhook that finds the clock parked pays a system call to wake it, so under any load
/// worth the name it does not park; an idle proxy wakes up for nothing only this long.
const IDLE_TICKS_MAX: u32 = 50;

/// Stops its thread when dropped.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    wake: Thread,
}

#[derive(Debug, Default)]
struct Shared {
    started: AtomicU64,
    parked: AtomicBool,
    stopped: AtomicBool,
}

impl Ticker {
    /// Starts the thread; `tick` is called once a tick, `busy` says whether any guest runs.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(
        tick: impl Fn() + Send + 'static,
        busy: impl Fn() -> bool + Send + 'static,
    ) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("guest-clock".into())
            .spawn(move || run(&of_thread, tick, busy))?;
        let wake = thread.thread().clone();
        Ok(Self {
            shared,
            thread: Some(thread),
            wake,
        })
    }

    /// A guest is about to run: `busy` must say so already.
    ///
    /// Both sides write, then read the other's word (all `SeqCst`): either the thread sees the start
    /// and goes on, or this sees it parked and wakes it.
    pub(super) fn guest_starts(&self) {
        self.shared.started.fetch_add(1, Ordering::SeqCst);
        if self.shared.parked.load(Ordering::SeqCst) {
            self.wake.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.wake.unpark();
        if let Some(thread) = self.thread.take() {
            // It cannot panic; and if it did, there is nobody left to tell.
            drop(thread.join());
        }
    }
}

fn run(shared: &Shared, tick: impl Fn(), busy: impl Fn() -> bool) {
    let mut seen = 0;
    let mut idle = 0;
    while !shared.stopped.load(Ordering::SeqCst) {
        thread::park_timeout(TICK);
        tick();
        let started = shared.started.load(Ordering::SeqCst);
        if busy() || started != seen {
            seen = started;
            idle = 0;
            continue;
        }
        idle += 1;
        if idle < IDLE_TICKS_MAX {
            continue;
        }
        idle = 0;
        shared.parked.store(true, Ordering::SeqCst);
        while shared.started.load(Ordering::SeqCst) == seen
            && !shared.stopped.load(Ordering::SeqCst)
        {
            thread::park();
        }
        shared.parked.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_parked_clock_ticks_again_when_a_guest_starts() {
        let (ticks, ticked) = mpsc::channel();
        let running = Arc::new(AtomicUsize::new(0));
        let busy = Arc::clone(&running);
        let ticker = Ticker::start(
            move || ticks.send(()).unwrap_or_default(),
            move || busy.load(Ordering::SeqCst) > 0,
        )
        .unwrap();
        while !ticker.shared.parked.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        while ticked.try_recv().is_ok() {}

        running.store(1, Ordering::SeqCst);
        ticker.guest_starts();

        for _ in 0..3 {
            ticked.recv().unwrap();
        }
    }

    #[test]
    fn a_clock_without_guests_parks() {
        let ticker = Ticker::start(|| {}, || false).unwrap();

        while !ticker.shared.parked.load(Ordering::SeqCst) {
            thread::yield_now();
        }
    }
}
