//! A candidate beside the plugin in force: the sender hears the latter, the operator about both.

use crate::support::{Call, Gate, Upstream, folder, guest, hook};

/// A filter that forwards, or drops everything.
fn filter(drops: bool) -> Vec<u8> {
    let verdict = i32::from(drops);
    let module = format!(
        "(module (memory (export \"memory\") 1)
            (func (export \"hookgate:plugin/filter@0.1.0#filter\") (result i32)
                (i32.store (i32.const 4) (i32.const {verdict})) (i32.const 0)))"
    );
    guest("hookgate:plugin/filter-plugin", &module)
}

#[tokio::test]
async fn a_candidate_is_counted_and_listed_and_nothing_else() {
    let mut upstream = Upstream::ok().await;
    let folder = folder();
    for (name, drops) in [("now", false), ("next", true)] {
        std::fs::write(folder.path().join(format!("{name}.wasm")), filter(drops)).unwrap();
    }
    let toml = format!(
        "{}[[routes.hook.plugins]]\nuse = \"now\"\nshadow = \"next\"\n\
         [plugins.now]\nfile = \"now.wasm\"\n[plugins.next]\nfile = \"next.wasm\"\n",
        hook(&upstream)
    );
    let gate = Gate::start_in(folder, &toml, &[]).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(answer.status, 200);
    assert_eq!(upstream.next().await.text(), "x");
    let of = "plugin=\"now\",route=\"hook\",candidate=\"next\"";
    let series = |outcome: &str| format!("hookgate_shadow_total{{{of},outcome=\"{outcome}\"}}");
    gate.wait_for_metric(&series("verdict"), 1.0).await;
    assert_eq!(gate.metric(&series("same")).await, 0.0);
    let listed = gate.ask(&Call::get("/api/shadows")).await.json();
    let expected = serde_json::json!({ "shadows": [{
        "route": "hook", "plugin": "now", "candidate": "next",
        "outcomes": { "same": 0, "verdict": 1, "bytes": 0, "failed": 0, "skipped": 0 },
        "differences": [{
            "id": answer.field("hookgate-id").unwrap_or_default(),
            "stage": "filter", "outcome": "verdict", "current": "forward", "candidate": "drop",
        }],
    }] });
    let mut found = listed.clone();
    if answer.field("hookgate-id").is_none() {
        found["shadows"][0]["differences"][0]["id"] = "".into();
    }
    assert_eq!(found, expected);
    // A candidate is no plugin of the route: it has no verdicts of its own.
    assert!(!gate.metrics().await.contains("plugin=\"next\""));
}
