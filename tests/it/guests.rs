//! Plugins that misbehave: the sender is told to try again, the operator why, and the next webhook is
//! served as if nothing had been.

use std::sync::Arc;

use crate::support::{Call, Gate, Upstream, check, folder, guest, hook, tool};

/// Two routes with one upstream: `/hook` runs the guest, `/good` the bundled template.
fn routes(upstream: &Upstream, more: &str) -> String {
    format!(
        "{}[[routes.hook.plugins]]\nuse = \"mine\"\n\
         [routes.good]\npath = \"/good\"\npublic = true\nforward = \"app\"\n\
         [[routes.good.plugins]]\nuse = \"json-template\"\nwith = {{ body = \"{{/a}}\" }}\n\
         [plugins.mine]\nfile = \"mine.wasm\"\n{more}",
        hook(upstream)
    )
}

/// A verify stage with this body.
fn verify(body: &str) -> Vec<u8> {
    let module = format!(
        "(module (memory (export \"memory\") 1)
            (func $down (param i32) (result i32)
                (i32.add (i32.const 1) (call $down (i32.add (local.get 0) (i32.const 1)))))
            (func (export \"hookgate:plugin/verify@0.1.0#verify\") (result i32) {body}))"
    );
    guest("hookgate:plugin/verify-plugin", &module)
}

/// The guest fails again and again, another plugin works in between, and both sides are told.
async fn fails(body: &str, kind: &str, detail: &str) {
    let mut upstream = Upstream::ok().await;
    let folder = folder();
    std::fs::write(folder.path().join("mine.wasm"), verify(body)).unwrap();
    // The route says that anybody may call; whoever fails to verify is refused all the same.
    let mut gate = Gate::start_in(folder, &routes(&upstream, ""), &[]).await;

    for _ in 0..3 {
        let answer = Call::post("/hook", "x").send(gate.address).await;
        let good = Call::post("/good", "{\"a\":1}").send(gate.address).await;

        assert_eq!((answer.status, good.status), (500, 200));
        assert_eq!(upstream.next().await.text(), "1");
        let id = answer.field("hookgate-id").unwrap().to_owned();
        let problem =
            serde_json::json!({ "title": "Internal Server Error", "status": 500, "id": id });
        assert_eq!(answer.json(), problem);
        let line = gate
            .wait_for_log(|line| line["msg"] == "plugin failed" && line["id"] == id.as_str())
            .await;
        assert_eq!(
            (&line["kind"], &line["detail"]),
            (&kind.into(), &detail.into())
        );
        assert_eq!(
            (&line["stage"], &line["policy"]),
            (&"verify".into(), &"refuse".into())
        );
    }
    assert!(upstream.is_quiet());
    let series =
        format!("hookgate_plugin_failures_total{{plugin=\"mine\",route=\"hook\",kind=\"{kind}\"}}");
    assert_eq!(gate.metric(&series).await, 3.0);
}

#[tokio::test]
async fn a_plugin_that_never_ends_is_ended() {
    let detail = "it used up its 10 ms of computing time; raise `limits.time` if it needs more";
    fails("(loop (br 0)) (unreachable)", "time", detail).await;
}

#[tokio::test]
async fn a_plugin_that_takes_all_memory_gets_no_more_than_its_own() {
    let grow =
        "(loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)";
    let detail =
        "it asked for more than its 16 MiB of memory; raise `limits.memory` if it needs more";
    fails(grow, "memory", detail).await;
}

#[tokio::test]
async fn a_plugin_that_panics_takes_nobody_with_it() {
    fails(
        "(unreachable)",
        "trap",
        "it panicked or aborted (wasm `unreachable`)",
    )
    .await;
}

#[tokio::test]
async fn a_plugin_that_calls_itself_for_ever_has_a_stack_of_its_own() {
    let detail = "it overflowed its stack of 256 KiB: a recursion without an end?, in `down`";
    fails("(call $down (i32.const 0))", "trap", detail).await;
}

#[tokio::test]
async fn a_plugin_that_answers_nonsense_accepts_nothing() {
    // A result at the end of the memory, with a discriminant that no result has.
    let nonsense = "(i32.store8 (i32.const 0) (i32.const 7)) (i32.const 0)";
    let mut upstream = Upstream::ok().await;
    let folder = folder();
    std::fs::write(folder.path().join("mine.wasm"), verify(nonsense)).unwrap();
    let gate = Gate::start_in(folder, &routes(&upstream, ""), &[]).await;

    assert_eq!(
        Call::post("/hook", "x").send(gate.address).await.status,
        500
    );
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn the_last_words_of_a_plugin_are_told_however_long_they_are() {
    let says = r#"(module
        (import "hookgate:plugin/log@0.1.0" "write" (func $write (param i32 i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 16) "out of \1b[31mcheese")
        (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
            (memory.fill (i32.const 34) (i32.const 120) (i32.const 40000))
            (call $write (i32.const 4) (i32.const 16) (i32.const 40018) (i32.const 0) (i32.const 0))
            (unreachable)))"#;
    let upstream = Upstream::ok().await;
    let folder = folder();
    let component = guest("hookgate:plugin/verify-plugin", says);
    std::fs::write(folder.path().join("mine.wasm"), &component).unwrap();
    let mut gate = Gate::start_in(Arc::clone(&folder), &routes(&upstream, ""), &[]).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;
    assert_eq!(answer.status, 500);
    let cut = format!("out of \u{1b}[31mcheese{}…", "x".repeat(4_096 - 18));
    let line = gate
        .wait_for_log(|line| line.to_string().contains("cheese"))
        .await;
    assert_eq!(line["said"], cut.as_str(), "{line}");

    let fixture = folder.path().join("any.toml");
    std::fs::write(&fixture, "[expect]\nverdict = \"accept\"\n").unwrap();
    let said = tool(
        folder.path(),
        &["plugin", "test", "mine.wasm", "any.toml"],
        &[],
    )
    .await;
    let told = format!(
        "        | ERROR out of \\u{{1b}}[31mcheese{}…\n",
        "x".repeat(4_096 - 18)
    );
    assert!(said.out.contains(&told), "{said:?}");
    assert!(
        said.out
            .contains("again: hookgate plugin test mine.wasm any.toml"),
        "{said:?}"
    );
}

#[tokio::test]
async fn a_webhook_cannot_see_what_the_one_before_left_in_memory() {
    let mut upstream = Upstream::ok().await;
    let folder = folder();
    // Traps unless the word is zero, then leaves something there.
    let marks = "(if (i32.load (i32.const 4096)) (then (unreachable)))
        (i32.store (i32.const 4096) (i32.const 1)) (i32.const 0)";
    std::fs::write(folder.path().join("mine.wasm"), verify(marks)).unwrap();
    let gate = Gate::start_in(folder, &routes(&upstream, ""), &[]).await;

    for _ in 0..20 {
        assert_eq!(
            Call::post("/hook", "x").send(gate.address).await.status,
            200
        );
        upstream.next().await;
    }
}

/// What `hookgate check` says of this file.
async fn refusal(component: &[u8], more: &str) -> String {
    let upstream = Upstream::ok().await;
    let folder = folder();
    std::fs::write(folder.path().join("mine.wasm"), component).unwrap();
    let (code, said) = check(&folder, &routes(&upstream, more)).await;
    assert_eq!(code, 78, "{said}");
    said
}

fn importing(world: &str, import: &str) -> Vec<u8> {
    let module = format!(
        "(module (import {import}) (memory (export \"memory\") 1)
            (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
            (func (export \"hookgate:plugin/verify@0.1.0#verify\") (result i32) (i32.const 0)))"
    );
    guest(world, &module)
}

#[tokio::test]
async fn a_file_that_is_no_plugin_is_refused_by_check() {
    let whole = verify("(i32.const 0)");
    let module = wat::parse_str("(module)").unwrap();

    for (component, sentence) in [
        (&b"#!/bin/sh"[..], "`mine.wasm` is not WebAssembly"),
        (&module, "is a core module and not a component"),
        (&whole[..whole.len() / 2], "does not compile: "),
    ] {
        let said = refusal(component, "").await;
        assert!(said.contains(sentence), "{said}");
        assert!(said.contains("config.toml:"), "{said}");
    }
}

#[tokio::test]
async fn an_import_that_is_not_granted_is_refused_by_check_with_the_key_that_grants_it() {
    let sign = "\"hookgate:plugin/signing@0.1.0\" \"sign\"
        (func (param i32 i32 i32 i32 i32 i32 i32 i32))";
    let signing = importing("test:guests/verify-and-signing", sign);
    let ask = "\"test:guests/telepathy\" \"ask\" (func)";
    let telepathy = importing("test:guests/verify-and-telepathy", ask);

    let ungranted = refusal(&signing, "").await;
    let unknown = refusal(&telepathy, "").await;

    let sentence = "imports `hookgate:plugin/signing@0.1.0`, which it is not granted";
    assert!(
        ungranted.contains(sentence) && ungranted.contains("`plugins.mine.grant`"),
        "{ungranted}"
    );
    let sentence = "imports `test:guests/telepathy`, which no plugin can have";
    assert!(unknown.contains(sentence), "{unknown}");
}

#[tokio::test]
async fn a_plugin_that_is_not_the_pinned_one_is_refused_by_check() {
    let component = verify("(i32.const 0)");
    let pin = |digest: &str| format!("sha256 = \"{digest}\"\n");
    let digest = crate::support::hex(
        aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &component).as_ref(),
    );

    let said = refusal(&component, &pin(&"ab".repeat(32))).await;
    let folder = folder();
    std::fs::write(folder.path().join("mine.wasm"), &component).unwrap();
    let (code, good) = check(&folder, &routes(&Upstream::ok().await, &pin(&digest))).await;

    assert!(said.contains(&digest) && said.contains("pins"), "{said}");
    assert_eq!(code, 0, "{good}");
}
