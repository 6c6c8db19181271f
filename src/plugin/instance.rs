//! One guest at work on one webhook.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use wasmtime::component::{ComponentNamedList, Lift, Lower};
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use super::answer::Answer;
use super::compiled::{Compiled, Export};
use super::failure::Fault;
use super::host::Guest;
use super::kept::Service;
use super::load::Reason;
use super::ticker::TICK;
use super::{FailureKind, Limits, Stage};

/// Bytes that a guest may hand over in one call; ten times the largest that a bound lets through.
const CALL_BYTES_MAX: usize = 32 << 20;
/// Handles of one guest: drafts of deliveries, and what WASI guests open.
const HANDLES_MAX: usize = 2_048;
/// Beyond its computing time: how long a guest may wait, for WASI's clock or for its turn.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// A guest with its own memory. After any fault it must not be used again: wasmtime refuses to enter
/// it, and what it had half done must not be seen.
pub(super) struct Instance {
    limits: Limits,
    waits: bool,
    service: Service,
    store: Store<Guest>,
    instance: wasmtime::component::Instance,
}

impl Instance {
    /// Makes it. The caller holds a permit of the pool.
    pub(super) async fn start(
        compiled: &Compiled,
        guest: Guest,
        limits: Limits,
    ) -> Result<Self, Fault> {
        let mut store = Store::new(&compiled.pool().engine, guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(CALL_BYTES_MAX);
        store.set_max_component_handles(HANDLES_MAX);
        store.epoch_deadline_callback(tick);
        arm(&mut store, limits);
        let waits = compiled.waits();
        let pre = compiled.pre();
        let made = bounded(waits, limits, pin!(pre.instantiate_async(&mut store))).await;
        match made {
            Ok(Ok(instance)) => Ok(Self {
                limits,
                waits,
                service: Service::new(),
                store,
                instance,
            }),
            Ok(Err(error)) => Err(Fault::from_error(&error, store.data(), limits)),
            Err(fault) => Err(fault),
        }
    }

    /// Asks one stage of `compiled`, of which this is an instance.
    pub(super) async fn ask(&mut self, compiled: &Compiled, stage: Stage) -> Result<Answer, Fault> {
        self.store.data_mut().budget.stage_begins();
        let exports = compiled.exports();
        let answer = match stage {
            Stage::Verify => Answer::of_verify(self.call(exports.verify.as_ref(), ()).await?.0),
            Stage::Filter => Answer::of_filter(self.call(exports.filter.as_ref(), ()).await?.0),
            Stage::Transform => {
                let drafts = self.call(exports.transform.as_ref(), ()).await?.0;
                let guest = self.store.data_mut();
                Answer::of_transform(drafts, |draft| guest.take(draft))
            }
        };
        match &answer {
            Ok(_) => self.store.data_mut().keep_work(),
            Err(_) => self.store.data_mut().drop_work(),
        }
        answer
    }

    /// Calls an export under the guest's limits.
    pub(super) async fn call<P, R>(
        &mut self,
        export: Option<&Export<P, R>>,
        params: P,
    ) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let Some(function) = export.and_then(|e| e.of(&mut self.store, &self.instance)) else {
            return Err(Fault::new(
                FailureKind::Trap,
                "it does not export what it was asked",
            ));
        };
        arm(&mut self.store, self.limits);
        let (waits, limits) = (self.waits, self.limits);
        let store = &mut self.store;
        let answer = bounded(waits, limits, pin!(function.call_async(store, params))).await;
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Fault::from_error(&error, self.store.data(), self.limits)),
            Err(fault) => Err(fault),
        }
    }

    /// Looks the exports of `compiled` up and checks their types.
    pub(super) fn prove(&mut self, compiled: &mut Compiled) -> Result<(), Reason> {
        compiled.prove(&mut self.store, &self.instance)
    }

    /// What it has behind it.
    pub(super) fn service(&self) -> Service {
        self.service
    }

    /// It has served a webhook.
    pub(super) fn served(&mut self) {
        self.service.one_more();
    }

    /// Bytes over all its memories.
    pub(super) fn memory(&self) -> usize {
        self.store.data().memory.used()
    }

    pub(super) fn guest(&mut self) -> &mut Guest {
        self.store.data_mut()
    }
}

/// Gives the guest its time, from now on.
fn arm(store: &mut Store<Guest>, limits: Limits) {
    let ticks = limits.time.as_nanos().div_ceil(TICK.as_nanos());
    store.data_mut().ticks_left = u32::try_from(ticks).unwrap_or(u32::MAX);
    store.set_epoch_deadline(1);
}

/// One tick of a computing guest: it gives way to others, until its time is used up. Ticks pass while
/// others have their turn, too, but are not counted: the deadline is set anew when it goes on.
#[expect(clippy::unnecessary_wraps, reason = "the signature is wasmtime's")]
fn tick(mut store: StoreContextMut<'_, Guest>) -> wasmtime::Result<UpdateDeadline> {
    let guest = store.data_mut();
    Ok(match guest.ticks_left.checked_sub(1) {
        Some(left) => {
            guest.ticks_left = left;
            UpdateDeadline::Yield(1)
        }
        None => UpdateDeadline::Interrupt,
    })
}

/// Bounds what epochs cannot see: a guest that waits in a host call, and a panic of ours.
///
/// A panic costs this webhook only. Unwinding is safe: what it leaves half done is in the store, which
/// is dropped after a fault, or behind locks whose contents are valid at every step.
async fn bounded<R>(
    waits: bool,
    limits: Limits,
    work: Pin<&mut impl Future<Output = R>>,
) -> Result<R, Fault> {
    let caught = caught(work);
    if waits {
        tokio::time::timeout(limits.time + WAIT_MAX, caught)
            .await
            .unwrap_or_else(|_elapsed| Err(Fault::waited(WAIT_MAX)))
    } else {
        caught.await
    }
}

async fn caught<R>(mut work: Pin<&mut impl Future<Output = R>>) -> Result<R, Fault> {
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(_panic) => Poll::Ready(Err(Fault::host_panicked())),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_host_is_a_fault_and_not_the_end() {
        let fault = caught(pin!(async { panic!("a test's panic") }))
            .await
            .map(|(): ()| ())
            .unwrap_err();

        assert_eq!(fault.kind, FailureKind::Trap);
        assert_eq!(
            fault.detail,
            "a function of the host panicked: this is a defect of Hookgate, please report it"
        );
    }
}
