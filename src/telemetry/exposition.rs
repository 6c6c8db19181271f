//! The metrics page. Names, help texts and labels of all series stand here.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::guest::{Metric, Series};
use super::meters::{PluginMeters, UpstreamMeters};
use super::metrics::{Meters, Telemetry};
use super::page::{Page, plain};
use super::process;

/// The two texts that scrapers read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text format 0.0.4, for everything else.
    Plain,
}

impl Exposition {
    /// The best one that an `Accept` field allows; without a wish, the plain one.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let quality = |kind: &str| {
            let ranges = accept.split(',').map(str::trim);
            ranges
                .filter(|range| {
                    let name = range.split(';').next().unwrap_or_default().trim();
                    name.eq_ignore_ascii_case(kind)
                })
                .filter_map(|range| {
                    let q = range.split(';').find_map(|p| p.trim().strip_prefix("q="));
                    q.map_or(Some(1.0), |q| q.trim().parse::<f32>().ok())
                })
                .fold(0.0, f32::max)
        };
        let open = quality("application/openmetrics-text");
        if open > 0.0 && open >= quality("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Plain
        }
    }

    /// For the answer's `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

impl Telemetry {
    /// The metrics page as scraped.
    #[must_use]
    pub fn exposition(&self, exposition: Exposition) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Arc::clone(&self.meters)));
        let mut page = String::new();
        // Writing into a String cannot fail, and a half page is better than none.
        let _ = text::encode(&mut page, &registry);
        match exposition {
            Exposition::OpenMetrics => page,
            Exposition::Plain => plain(&page),
        }
    }
}

impl Collector for Meters {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::new(encoder);
        page.gauges(
            "hookgate_build_info",
            "Version of Hookgate.",
            [([("version", env!("CARGO_PKG_VERSION"))], 1_u64)],
        )?;
        self.write_routes(&mut page)?;
        self.write_plugins(&mut page)?;
        self.write_guests(&mut page)?;
        self.write_shadows(&mut page)?;
        self.write_deliveries(&mut page)?;
        self.spool.write(&mut page)?;
        self.write_connections(&mut page)?;
        self.write_configuration(&mut page)?;
        write_process(&mut page)
    }
}

impl Meters {
    fn write_routes(&self, page: &mut Page<'_>) -> fmt::Result {
        let routes = self.routes();
        page.counters(
            "hookgate_webhooks",
            "Webhooks answered, by what became of them.",
            routes.iter().flat_map(|route| {
                route.outcomes().map(|(outcome, class, n)| {
                    (
                        [
                            ("route", &*route.name),
                            ("outcome", outcome),
                            ("class", class),
                        ],
                        n,
                    )
                })
            }),
        )?;
        page.histograms(
            "hookgate_webhook_duration_seconds",
            "From the head of a webhook to its answer.",
            routes
                .iter()
                .map(|route| ([("route", &*route.name)], route.took.reading())),
        )?;
        page.counters(
            "hookgate_deliveries_given_up",
            "Deliveries that became dead letters.",
            routes
                .iter()
                .map(|route| ([("route", &*route.name)], route.given_up())),
        )
    }

    fn write_plugins(&self, page: &mut Page<'_>) -> fmt::Result {
        let plugins = self.plugins();
        page.counters(
            "hookgate_plugin_verdicts",
            "What plugins decided, by stage.",
            plugins.iter().flat_map(|p| {
                p.stages().flat_map(|stage| {
                    stage.verdicts.rows().map(|(verdict, n)| {
                        let labels = [
                            ("plugin", &*p.name),
                            ("route", &*p.route),
                            ("stage", stage.stage),
                            ("verdict", verdict),
                        ];
                        (labels, n)
                    })
                })
            }),
        )?;
        page.histograms(
            "hookgate_plugin_duration_seconds",
            "Time that a stage took to give its verdict.",
            plugins.iter().flat_map(|p| {
                p.stages().map(|stage| {
                    let labels = [
                        ("plugin", &*p.name),
                        ("route", &*p.route),
                        ("stage", stage.stage),
                    ];
                    (labels, stage.took.reading())
                })
            }),
        )?;
        page.counters(
            "hookgate_plugin_failures",
            "Plugins that could not do their work.",
            plugins.iter().flat_map(|p| {
                p.failures.rows().map(|(kind, n)| {
                    (
                        [("plugin", &*p.name), ("route", &*p.route), ("kind", kind)],
                        n,
                    )
                })
            }),
        )?;
        page.counters(
            "hookgate_keys_matched",
            "Signatures that a key matched: a key that stays at rest can be removed.",
            plugins.iter().flat_map(|p| {
                p.keys.rows().map(|(key, label, n)| {
                    let labels = [
                        ("plugin", &*p.name),
                        ("route", &*p.route),
                        ("key", key),
                        ("label", label),
                    ];
                    (labels, n)
                })
            }),
        )
    }

    fn write_guests(&self, page: &mut Page<'_>) -> fmt::Result {
        let plugins = self.plugins();
        let guests: Vec<_> = plugins.iter().map(|p| (p, p.guest.alive())).collect();
        let (counted, observed): (Vec<_>, Vec<_>) = guests
            .iter()
            .flat_map(|(plugin, metrics)| metrics.iter().map(move |metric| (plugin, metric)))
            .flat_map(|(plugin, metric)| metric.all().map(move |series| (plugin, metric, series)))
            .partition(|(_, metric, _)| metric.described.buckets.is_none());
        page.counters(
            "hookgate_guest_counts",
            "What plugins count themselves.",
            counted
                .iter()
                .map(|(p, metric, series)| (labels(p, metric, series), series.count())),
        )?;
        page.histograms(
            "hookgate_guest_values",
            "What plugins observe themselves.",
            observed
                .iter()
                .map(|(p, metric, series)| (labels(p, metric, series), series.reading())),
        )?;
        page.counters(
            "hookgate_guest_metrics_ignored",
            "Calls of plugins about metrics that they do not describe.",
            guests
                .iter()
                .filter(|(p, metrics)| !metrics.is_empty() || p.guest.ignored() > 0)
                .map(|(p, _)| {
                    let labels = [("plugin", &*p.name), ("route", &*p.route)];
                    (labels, p.guest.ignored())
                }),
        )
    }

    fn write_shadows(&self, page: &mut Page<'_>) -> fmt::Result {
        let shadows = self.shadows();
        page.counters(
            "hookgate_shadow",
            "What candidates would have said, beside the plugin in force.",
            shadows.iter().flat_map(|shadow| {
                shadow.outcomes().map(|(outcome, n)| {
                    let labels = [
                        ("plugin", &*shadow.plugin),
                        ("route", &*shadow.route),
                        ("candidate", &*shadow.candidate),
                        ("outcome", outcome),
                    ];
                    (labels, n)
                })
            }),
        )
    }

    fn write_deliveries(&self, page: &mut Page<'_>) -> fmt::Result {
        let upstreams = self.upstreams();
        page.counters(
            "hookgate_delivery_attempts",
            "Attempts at deliveries.",
            upstreams.iter().flat_map(|upstream| {
                upstream
                    .attempts
                    .rows()
                    .map(|(outcome, n)| ([("upstream", &*upstream.name), ("outcome", outcome)], n))
            }),
        )?;
        page.histograms(
            "hookgate_attempt_duration_seconds",
            "Time that an attempt took, whatever its outcome.",
            upstreams
                .iter()
                .map(|upstream| ([("upstream", &*upstream.name)], upstream.took.reading())),
        )?;
        let by_upstream = |count: fn(&UpstreamMeters) -> u64| {
            let all = upstreams.iter();
            all.map(move |upstream| ([("upstream", &*upstream.name)], count(upstream)))
        };
        page.gauges(
            "hookgate_attempts_in_flight",
            "Attempts under way, to be compared with the upstream's concurrency.",
            by_upstream(UpstreamMeters::in_flight),
        )?;
        page.gauges(
            "hookgate_breaker_open",
            "1 while deliveries wait because their upstream failed again and again.",
            by_upstream(UpstreamMeters::breaker_open),
        )?;
        page.counters(
            "hookgate_breaker_openings",
            "How often an upstream failed so often that it was left alone.",
            by_upstream(UpstreamMeters::breaker_openings),
        )?;
        page.gauge(
            "hookgate_deliveries_waiting",
            "Accepted deliveries in the buffer.",
            &self.deliveries_waiting.load(Relaxed),
        )?;
        page.gauge(
            "hookgate_deliveries_stranded",
            "Those of them that are not attempted: a reload has removed their route or their upstream.",
            &self.deliveries_stranded.load(Relaxed),
        )?;
        page.gauge(
            "hookgate_buffer_bytes",
            "Bytes that the buffer holds.",
            &self.buffer_bytes.load(Relaxed),
        )?;
        page.gauge(
            "hookgate_dead_letters",
            "Dead letters that are kept for a look.",
            &self.dead_letters.load(Relaxed),
        )?;
        page.counter(
            "hookgate_deliveries_lost",
            "Acknowledged deliveries that were lost: must stay 0.",
            &self.lost.load(Relaxed),
        )
    }

    fn write_connections(&self, page: &mut Page<'_>) -> fmt::Result {
        page.gauge(
            "hookgate_connections",
            "Open connections, of senders and of operators.",
            &self.connections.load(Relaxed),
        )?;
        page.counter(
            "hookgate_handshakes_failed",
            "TLS handshakes that failed or took too long.",
            &self.handshakes_failed.load(Relaxed),
        )?;
        page.counter(
            "hookgate_accepts_failed",
            "Connections that could not be accepted.",
            &self.accepts_failed.load(Relaxed),
        )?;
        page.counters(
            "hookgate_unrouted",
            "Calls that never became a webhook of a route, by the status they were told.",
            self.unrouted
                .rows()
                .map(|(status, n)| ([("status", status)], n)),
        )?;
        page.counters(
            "hookgate_log_lines_suppressed",
            "Log lines that were not written because there were too many of their kind.",
            self.floods.rows().map(|(kind, n)| ([("kind", kind)], n)),
        )
    }

    fn write_configuration(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counters(
            "hookgate_key_fetches",
            "Fetches of keys from where their owners publish them; after a failed one the old keys stay.",
            self.key_fetches
                .rows()
                .map(|(result, n)| ([("result", result)], n)),
        )?;
        page.counters(
            "hookgate_reloads",
            "Reloads of the configuration.",
            self.reloads
                .rows()
                .map(|(result, n)| ([("result", result)], n)),
        )?;
        page.gauge(
            "hookgate_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was loaded.",
            &self.reloaded_at.load(Relaxed),
        )
    }
}

/// Ours, then the plugin's own.
fn labels<'l>(
    plugin: &'l PluginMeters,
    metric: &'l Metric,
    series: &'l Series,
) -> Vec<(&'l str, &'l str)> {
    let ours = [
        ("plugin", &*plugin.name),
        ("route", &*plugin.route),
        ("metric", &*metric.described.name),
    ];
    let names = metric.described.labels.iter().map(|name| &**name);
    let own = names.zip(series.values.iter().map(|value| &**value));
    ours.into_iter().chain(own).collect()
}

fn write_process(page: &mut Page<'_>) -> fmt::Result {
    let Some(usage) = process::usage() else {
        return Ok(());
    };
    page.counter(
        "process_cpu_seconds",
        "Processor time used.",
        &usage.cpu_seconds,
    )?;
    page.gauge(
        "process_resident_memory_bytes",
        "Resident memory.",
        &usage.resident_bytes,
    )?;
    page.gauge(
        "process_open_fds",
        "Open file descriptors.",
        &usage.open_fds,
    )?;
    page.gauge(
        "process_start_time_seconds",
        "When the process began.",
        &usage.start_time_seconds,
    )
}

#[cfg(test)]
mod tests {
    use super::Exposition::{self, OpenMetrics, Plain};

    #[test]
    fn a_scraper_gets_what_it_prefers() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          text/plain;version=0.0.4;q=0.4,*/*;q=0.1";
        let cases = [
            (prometheus, OpenMetrics),
            ("application/openmetrics-text", OpenMetrics),
            ("", Plain),
            ("*/*", Plain),
            ("application/openmetrics-text;q=0", Plain),
            ("application/openmetrics-text;q=0.2, text/plain", Plain),
        ];

        for (accept, expected) in cases {
            assert_eq!(Exposition::accepted(accept), expected, "{accept}");
        }
    }
}
