//! What a plugin says about itself, as far as the host acts on it: the metrics that it keeps.

use serde::Deserialize;

use crate::telemetry::Described;

/// Metrics of one plugin.
const METRICS_MAX: usize = 32;
/// Labels of one metric: their combinations are what costs.
const LABELS_MAX: usize = 4;
/// Buckets of one metric.
const BUCKETS_MAX: usize = 32;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 64;
/// Labels that say whose metric it is, or that Prometheus keeps for itself.
const OURS: [&str; 4] = ["plugin", "route", "metric", "le"];
/// Where a description has none: nine decades, so that whatever is observed has a place.
const BUCKETS: [f64; 10] = [0.001, 0.01, 0.1, 1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

#[derive(Deserialize)]
struct Description {
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    name: String,
    kind: Kind,
    #[serde(default)]
    labels: Vec<String>,
    buckets: Option<Vec<f64>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Counter,
    Histogram,
}

/// The metrics of a description.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence about the plugin.
pub(super) fn metrics(description: &str) -> Result<Vec<Described>, String> {
    let description: Description = serde_json::from_str(description)
        .map_err(|error| format!("its description is none: {error}"))?;
    let metrics = description.metrics;
    if metrics.len() > METRICS_MAX {
        return Err(format!(
            "it describes {} metrics; {METRICS_MAX} are the most",
            metrics.len()
        ));
    }
    let mut described: Vec<Described> = Vec::new();
    for metric in metrics {
        let name = metric.name.escape_debug().to_string();
        let wrong = |what: String| format!("it describes the metric `{name}`, {what}");
        if described.iter().any(|other| *other.name == metric.name) {
            return Err(wrong("and has done so before".into()));
        }
        described.push(metric.described().map_err(wrong)?);
    }
    Ok(described)
}

impl Metric {
    fn described(self) -> Result<Described, String> {
        const NAME: &str = "a name has a to z, 0 to 9 and `_`, and begins with a letter";
        if !is_name(&self.name) {
            return Err(format!("which is no name: {NAME}"));
        }
        for label in &self.labels {
            let label = label.as_str();
            if !is_name(label) {
                let label = label.escape_debug();
                return Err(format!("whose label `{label}` is no name: {NAME}"));
            }
            if OURS.contains(&label) {
                return Err(format!("whose label `{label}` is the host's own"));
            }
            if self.labels.iter().filter(|other| *other == label).count() > 1 {
                return Err(format!("which has the label `{label}` twice"));
            }
        }
        if self.labels.len() > LABELS_MAX {
            let labels = self.labels.len();
            return Err(format!(
                "which has {labels} labels; {LABELS_MAX} are the most"
            ));
        }
        let buckets = match (self.kind, self.buckets) {
            (Kind::Counter, None) => None,
            (Kind::Counter, Some(_)) => {
                return Err("which has buckets, and is a counter".into());
            }
            (Kind::Histogram, None) => Some(BUCKETS.to_vec()),
            (Kind::Histogram, Some(buckets)) => Some(buckets),
        };
        let bounds = buckets.as_deref().unwrap_or_default();
        if bounds.len() > BUCKETS_MAX || !bounds.is_sorted_by(|a, b| a < b) {
            return Err(format!(
                "whose buckets are not up to {BUCKETS_MAX} ascending numbers"
            ));
        }
        Ok(Described {
            name: self.name.into(),
            buckets,
            labels: self.labels.into_iter().map(Into::into).collect(),
        })
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_and_what_else_is_said_is_not() {
        let metrics = metrics(
            r#"{"name": "card", "more": 1, "metrics": [
                {"name": "cards", "kind": "counter", "help": "Cards made.", "labels": ["kind"]},
                {"name": "bytes", "kind": "histogram", "buckets": [1, 2.5]},
                {"name": "seconds", "kind": "histogram"}]}"#,
        )
        .unwrap();

        let labels = vec!["kind".into()];
        let described = |name: &str, buckets, labels| Described {
            name: name.into(),
            buckets,
            labels,
        };
        assert_eq!(
            metrics,
            [
                described("cards", None, labels),
                described("bytes", Some(vec![1.0, 2.5]), vec![]),
                described("seconds", Some(BUCKETS.to_vec()), vec![]),
            ]
        );
        assert_eq!(super::metrics("{}").unwrap(), []);
    }

    #[test]
    fn a_metric_that_cannot_be_kept_is_named() {
        for (metric, why) in [
            (r#""Cards", "kind": "counter""#, "Cards`, which is no name"),
            (r#""9", "kind": "counter""#, "9`, which is no name"),
            (r#""a\n", "kind": "counter""#, r"a\n`, which is no name"),
            (
                r#""a", "kind": "counter", "labels": ["a-b"]"#,
                "a`, whose label `a-b` is no name",
            ),
            (
                r#""a", "kind": "counter", "labels": ["route"]"#,
                "a`, whose label `route` is the host's own",
            ),
            (
                r#""a", "kind": "counter", "labels": ["b", "b"]"#,
                "a`, which has the label `b` twice",
            ),
            (
                r#""a", "kind": "counter", "labels": ["b", "c", "d", "e", "f"]"#,
                "a`, which has 5 labels; 4 are the most",
            ),
            (
                r#""a", "kind": "counter", "buckets": [1]"#,
                "a`, which has buckets, and is a counter",
            ),
            (
                r#""a", "kind": "histogram", "buckets": [1, 1]"#,
                "a`, whose buckets are not up to 32 ascending numbers",
            ),
        ] {
            let text = format!(r#"{{"metrics": [{{"name": {metric}}}]}}"#);
            let error = metrics(&text).unwrap_err();
            let expected = format!("it describes the metric `{why}");
            assert!(error.starts_with(&expected), "{error}");
        }
        let twice = r#"{"name": "a", "kind": "counter"}"#;
        assert_eq!(
            metrics(&format!(r#"{{"metrics": [{twice}, {twice}]}}"#)).unwrap_err(),
            "it describes the metric `a`, and has done so before"
        );
        assert!(
            metrics("")
                .unwrap_err()
                .starts_with("its description is none: ")
        );
    }
}
