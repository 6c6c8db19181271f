//! Where deliveries may go by the plan in force, and those that it has no place for: they are attempted no
//! more, and held until a plan has one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Upstream;
use super::background::Left;
use crate::telemetry::{Event, Telemetry};

/// Where deliveries may go by a plan.
#[derive(Clone, Debug)]
pub struct Ways {
    routes: BTreeSet<String>,
    upstreams: BTreeMap<Arc<str>, Arc<Upstream>>,
}

impl Ways {
    /// By these routes to these upstreams, whichever of them a route forwards to: who sends a delivery
    /// elsewhere is obeyed.
    #[must_use]
    pub fn new(
        routes: impl IntoIterator<Item = String>,
        upstreams: BTreeMap<Arc<str>, Arc<Upstream>>,
    ) -> Self {
        Self {
            routes: routes.into_iter().collect(),
            upstreams,
        }
    }

    /// The upstream of this name as it is now; none where it is gone, or the route is.
    pub(super) fn upstream(&self, route: Option<&str>, name: &str) -> Option<&Arc<Upstream>> {
        let upstream = self.upstreams.get(name);
        upstream.filter(|_| route.is_none_or(|route| self.routes.contains(route)))
    }
}

/// Marks a delivery that the plan has no place for. It is counted while it is marked.
#[derive(Debug)]
pub(super) struct Unplaced(Telemetry);

impl Unplaced {
    pub(super) fn mark(name: &Left, telemetry: &Telemetry) -> Self {
        telemetry.emit(&Event::Stranded {
            id: name.id,
            route: &name.route,
            upstream: &name.upstream,
        });
        Self(telemetry.clone())
    }
}

impl Drop for Unplaced {
    fn drop(&mut self) {
        self.0.emit(&Event::Unstranded);
    }
}
