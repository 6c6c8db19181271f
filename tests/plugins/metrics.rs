//! What a plugin counts is on the metrics page.

use hookgate::plugin::{Chain, Grants};
use hookgate::telemetry::{Exposition, Telemetry};

use super::world::{LIMITS, World, step, webhook};

#[tokio::test]
async fn what_a_plugin_describes_and_counts_is_on_the_page_and_the_rest_is_counted_as_ignored() {
    let world = World::new();
    let telemetry = Telemetry::new();
    let mut step = step(&world.guest("counting"));
    step.meters = telemetry.plugin("counting", "github");
    let chain = Chain::new(vec![step]);

    for _ in 0..2 {
        chain.judge(&webhook(), &[], &telemetry).await.unwrap();
    }

    let page = telemetry.exposition(Exposition::Plain);
    let lines: Vec<&str> = page.lines().filter(|l| l.contains("_guest_")).collect();
    let of = r#"plugin="counting",route="github""#;
    for line in [
        format!(r#"hookgate_guest_counts_total{{{of},metric="cards",kind="push"}} 2"#),
        format!(r#"hookgate_guest_values_sum{{{of},metric="size"}} 5.0"#),
        format!(r#"hookgate_guest_values_bucket{{le="1.0",{of},metric="size"}} 0"#),
        format!(r#"hookgate_guest_values_bucket{{le="2.5",{of},metric="size"}} 2"#),
        format!("hookgate_guest_metrics_ignored_total{{{of}}} 2"),
    ] {
        assert!(lines.contains(&&*line), "no {line} in {lines:#?}");
    }
}

#[test]
fn a_metric_with_a_name_that_is_none_is_refused_at_load() {
    let world = World::new();

    let error = world
        .load("counting-badly", LIMITS, &Grants::default())
        .unwrap_err();

    assert_eq!(
        world.error(&error),
        "`counting-badly.wasm` failed in lifecycle: it describes the metric `cards made`, which is no name: a name has a to z, 0 to 9 and `_`, and begins with a letter"
    );
}
