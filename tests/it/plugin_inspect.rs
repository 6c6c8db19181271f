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
        "    signing  makes MACs with keys that the route names; must be granted: grant = [\"signing\"]\n",
        "[plugins.mine]\nfile   = \"mine.wasm\"\n",
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
