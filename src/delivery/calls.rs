//! The runner's places in the queues of upstreams that are full: at most one for each lane.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::Instant;

use super::Upstream;
use super::entrance::{Entry, Pass, Waiting};
use super::schedule::Admission;

/// By lane.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<Arc<str>, Call>);

#[derive(Debug)]
struct Call {
    waiting: Waiting,
    is_called: bool,
    /// Somebody in the lane still wants it.
    is_asked: bool,
}

impl Calls {
    /// Before all lanes are looked at.
    pub(super) fn begin(&mut self) {
        for call in self.0.values_mut() {
            call.is_asked = false;
        }
    }

    /// Leaves the queues that no lane has asked for, once all lanes have been looked at.
    pub(super) fn forget_unasked(&mut self) {
        self.0.retain(|_, call| call.is_asked);
    }

    /// Whether an attempt at `upstream` may be made at `now`.
    pub(super) fn admit(&mut self, upstream: &Upstream, now: Instant) -> Admission<Pass> {
        let (name, entrance) = (upstream.name(), upstream.entrance());
        let entry = match self.0.get_mut(name) {
            Some(call) if call.waiting.is_for(entrance) => {
                call.is_asked = true;
                if !call.is_called {
                    return Admission::Called;
                }
                let entry = call.waiting.enter(now);
                self.0.remove(name);
                entry
            }
            _ => entrance.enter(now),
        };
        let entry = match entry {
            Entry::Called => {
                let waiting = entrance.wait();
                // A place may have become free just before we could be called.
                let entry = match waiting.is_alone() {
                    true => waiting.enter(now),
                    false => Entry::Called,
                };
                if matches!(entry, Entry::Called) {
                    let call = Call {
                        waiting,
                        is_called: false,
                        is_asked: true,
                    };
                    self.0.insert(Arc::clone(name), call);
                }
                entry
            }
            entry => entry,
        };
        match entry {
            Entry::Now(pass) => Admission::Go(pass),
            Entry::At(at) => Admission::At(at),
            Entry::Called => Admission::Called,
        }
    }

    /// Resolves when one of them is called.
    pub(super) fn next(&mut self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            let mut any = Poll::Pending;
            for call in self.0.values_mut().filter(|call| !call.is_called) {
                if Pin::new(&mut call.waiting).poll(cx).is_ready() {
                    call.is_called = true;
                    any = Poll::Ready(());
                }
            }
            any
        })
    }
}
