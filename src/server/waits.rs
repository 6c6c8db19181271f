//! What operators may do to what waits: hurry it, send it elsewhere, discard it.

use arc_swap::ArcSwap;

use super::letters::{check_names, is_known};
use crate::config::Plan;
use crate::delivery::{Dispatch, Filter, Moved};

/// Makes those that are meant due now, at another upstream if one is named.
///
/// # Errors
/// A name that is wrong.
pub(super) fn hurry(
    workers: &[Dispatch],
    plan: &ArcSwap<Plan>,
    filter: &Filter,
    to: Option<&str>,
) -> Result<Moved, String> {
    let plan = plan.load();
    if let Some(to) = to {
        is_known("upstream", to, plan.upstreams.keys())?;
    }
    let to = to.and_then(|to| plan.upstreams.get(to));
    meant(Dispatch::hurry(workers, filter, to), &plan, filter)
}

/// Discards those that are meant.
///
/// # Errors
/// A name that is wrong.
pub(super) fn discard(
    workers: &[Dispatch],
    plan: &ArcSwap<Plan>,
    filter: &Filter,
) -> Result<Moved, String> {
    meant(Dispatch::discard(workers, filter), &plan.load(), filter)
}

/// Nothing fits, and that is a mistake where a name is none.
fn meant(moved: Moved, plan: &Plan, filter: &Filter) -> Result<Moved, String> {
    if moved.is_nothing() {
        check_names(plan, filter)?;
    }
    Ok(moved)
}
