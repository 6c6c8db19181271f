//! `hookgate plugin inspect`: what a component can do, and what it would need.

use crate::support::{folder, guest, tool};

#[tokio::test]
async fn inspect_tells_what_a_plugin_can_do_and_what_must_be_granted() {
    let folder = folder();
    let module = r#"(module
        (import "hookgate:plugin/signing@0.1.0" "sign"
            (func (param i32 i32 i32 i32 i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
        (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32) (i32.const 0)))"#;
    let component = guest("test:guests/verify-and-signing", module);
    std::fs::write(folder.path().join("mine.wasm"), &component).unwrap();

    let said = tool(folder.path(), &["plugin", "inspect", "mine.wasm"], &[]).await;
    assert_eq!(said.code, 0, "{said:?}");
    for line in [
        "  asked to  verify\n",
        "  memory    64.0 KiB when an instance begins\n",
        "    signing  makes MACs with keys that the route names; must be granted: grant = [\"signing\"], and signing = [\"KEY\"] at each step\n",
        "[plugins.mine]\nfile   = \"mine.wasm\"\n",
        "limits = { time = \"10ms\", memory = \"16 MiB\" }",
        "grant  = [\"signing\"]\n",
    ] {
        assert!(said.out.contains(line), "{line}\n{}", said.out);
    }

    let arguments = ["plugin", "inspect", "mine.wasm", "--json"];
    let said = tool(folder.path(), &arguments, &[]).await;
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["stages"], serde_json::json!(["verify"]));
    assert_eq!(json["grants"], serde_json::json!(["signing"]));
    assert_eq!(json["bytes"], component.len());
}

#[tokio::test]
async fn inspect_lets_a_plugin_introduce_itself() {
    let said = tool(folder().path(), &["plugin", "inspect", "signature"], &[]).await;

    assert!(said.out.contains("  is        signature "), "{}", said.out);
    assert!(said.out.contains("  fails     closed"), "{}", said.out);
    assert!(
        !said.out.contains("[plugins."),
        "a bundled one has no entry: {}",
        said.out
    );
}

#[tokio::test]
async fn inspect_tells_what_a_routes_with_may_say() {
    let said = tool(folder().path(), &["plugin", "inspect", "order"], &[]).await;

    let with = "  with\n    header   a header whose value says what the webhook is about\n    \
        missing  a webhook that does not say; delivered, it stands in no line; \"refuse\" or \"deliver\"; default \"refuse\"\n    \
        pointer  a JSON pointer to what the webhook is about\n";
    assert!(said.out.contains(with), "{}", said.out);
}

/// Describes itself under a name of its own, and begins with 12.5 MiB.
const BIG: &str = r#"(module
    (memory (export "memory") 200)
    (data (i32.const 32) "\40\00\00\00\25\00\00\00")
    (data (i32.const 64) "{\"name\":\"slack-card\",\"version\":\"1.0\"}")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32) (i32.const 0))
    (func (export "hookgate:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const 32))
    (func (export "hookgate:plugin/lifecycle@0.1.0#check") (param i32 i32) (result i32) (i32.const 0)))"#;

#[tokio::test]
async fn what_inspect_prints_for_the_configuration_is_one() {
    let folder = folder();
    let component = guest("test:guests/filter-and-lifecycle", BIG);
    std::fs::write(folder.path().join("plugin.wasm"), component).unwrap();

    let said = tool(folder.path(), &["plugin", "inspect"], &[]).await;
    let (_, entry) = said.out.split_once("\n\n").unwrap();
    assert!(entry.starts_with("[plugins.slack-card]\n"), "{entry}");
    assert!(entry.contains(r#"memory = "32 MiB""#), "{entry}");

    let route = "\n[upstreams.app]\nurl = \"http://localhost:3000\"\n\
        [routes.app]\npath = \"/\"\nforward = \"app\"\npublic = true\n\
        [[routes.app.plugins]]\nuse = \"slack-card\"\n";
    std::fs::write(folder.path().join("config.toml"), entry.to_owned() + route).unwrap();
    let checked = tool(folder.path(), &["check"], &[]).await;
    assert_eq!((checked.code, &*checked.err), (0, ""), "{checked:?}");
    assert!(checked.out.contains("ok: 1 route, 1 plugin"), "{checked:?}");
}

#[tokio::test]
async fn a_bundled_plugin_has_its_grants() {
    let folder = folder();
    let said = tool(folder.path(), &["plugin", "inspect", "signature"], &[]).await;
    assert!(said.out.contains("    signing  makes MACs"), "{}", said.out);
    assert!(!said.out.contains("grant"), "{}", said.out);

    let arguments = ["plugin", "inspect", "signature", "--json"];
    let said = tool(folder.path(), &arguments, &[]).await;
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["grants"], serde_json::json!([]));
}
