//! What operators may do to what waits: hurry it, send it elsewhere, discard it.

use super::letters::{Desk, Places, check_names, is_known};
use crate::config::Plan;
use crate::delivery::{Dispatch, Filter, Moved};

/// Makes those that are meant due now, at another upstream if one is named. What stays in the spool can only go
/// to another one.
///
/// # Errors
/// A name that is wrong; one was named that stays in the spool, and nobody said where to.
pub(super) fn hurry(desk: &Desk, filter: &Filter, to: Option<&str>) -> Result<Moved, String> {
    let Places {
        workers, stranded, ..
    } = &desk.places;
    let plan = desk.plan.load();
    if let Some(to) = to {
        is_known("upstream", to, plan.upstreams.keys())?;
    }
    let to = to.and_then(|to| plan.upstreams.get(to));
    let mut moved = Dispatch::hurry(workers, filter, to);
    if let Some(dispatch) = workers.first() {
        match stranded.send(filter, false, to, (&plan, dispatch)) {
            Ok(sent) => moved.moved += sent,
            Err(why) if moved.is_nothing() => return Err(why),
            Err(_) => {}
        }
    }
    meant(moved, &plan, filter)
}

/// Discards those that are meant; who asks where one is that stayed in the spool hears that it was discarded.
///
/// # Errors
/// A name that is wrong.
pub(super) fn discard(desk: &Desk, filter: &Filter) -> Result<Moved, String> {
    let Places {
        workers, stranded, ..
    } = &desk.places;
    let mut moved = Dispatch::discard(workers, filter);
    moved.moved += stranded.discard(filter, false, desk.memory.as_ref());
    meant(moved, &desk.plan.load(), filter)
}

/// Nothing fits, and that is a mistake where a name is none.
fn meant(moved: Moved, plan: &Plan, filter: &Filter) -> Result<Moved, String> {
    if moved.is_nothing() {
        check_names(plan, filter)?;
    }
    Ok(moved)
}
