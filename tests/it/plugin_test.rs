//! `hookgate plugin test` and `bench`: what authors of plugins see.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::{Said, folder, tool};

/// A call as GitHub's documentation signs it, and what should become of it.
const GITHUB: &str = r#"
[environment]
GITHUB = "It's a Secret to Everybody"

[with]
preset = "github"
keys   = [{ env = "GITHUB" }]

[webhook]
body = "Hello, World!"

[webhook.headers]
x-github-event      = "push"
x-hub-signature-256 = { hmac = "sha256", env = "GITHUB", prefix = "sha256=" }
"#;

const CARD: &str = r#"
[with]
body = { text = "{/who} pushed" }

[webhook]
body    = '{"who":"ann"}'
headers = { content-type = "application/json" }
"#;

fn fixtures(files: &[(&str, &str)]) -> std::sync::Arc<TempDir> {
    let folder = folder();
    std::fs::create_dir(folder.path().join("fixtures")).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join("fixtures").join(name), text).unwrap();
    }
    folder
}

async fn test(folder: &TempDir, arguments: &[&str]) -> Said {
    let arguments = [&["plugin", "test"], arguments].concat();
    tool(folder.path(), &arguments, &[]).await
}

/// What was printed without times and sizes, which differ from run to run.
fn steady(out: &str) -> String {
    let line = |line: &str| {
        let steady = line.split("   ").take_while(|part| {
            let unit = part.rsplit(' ').next().unwrap();
            part.trim().is_empty() || !["µs", "ms", "s", "KiB", "MiB"].contains(&unit)
        });
        steady.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    out.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_fixture_that_is_met_passes() {
    let accepted = format!("{GITHUB}[expect]\nverdict = \"accept\"\nevent = \"push\"\n");
    let folder = fixtures(&[("accepted.toml", &accepted)]);

    let said = test(&folder, &["signature"]).await;

    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        steady(&said.out),
        "signature   verify\n  ok    accepted  accept, 1 delivery\n\n1 passed, 0 failed"
    );
}

#[tokio::test]
async fn a_fixture_that_is_not_met_shows_the_difference_and_how_to_repeat_it() {
    let wrong = format!(
        "{CARD}[expect]\nverdict = \"accept\"\n[[expect.deliveries]]\n\
         json = '{{\"text\": \"bob pushed\"}}'\nheaders = {{ x-kind = \"card\" }}\n"
    );
    let right = wrong
        .replace("bob", "ann")
        .replace("x-kind", "content-type");
    let right = right.replace("\"card\"", "\"application/json\"");
    let folder = fixtures(&[("right.toml", &right), ("wrong.toml", &wrong)]);

    let said = test(&folder, &["json-template"]).await;

    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(
        steady(&said.out),
        r#"json-template   transform
  ok    right  accept, 1 delivery
  FAIL  wrong  accept, 1 delivery
        -   x-kind: "card"
        -       "text": "bob pushed"
        +       "text": "ann pushed"
        again: hookgate plugin test json-template fixtures/wrong.toml

1 passed, 1 failed"#
    );
    let again = test(&folder, &["json-template", "fixtures/wrong.toml"]).await;
    assert_eq!(again.code, 1);
    assert!(again.out.ends_with("\n0 passed, 1 failed\n"), "{again:?}");
}

#[tokio::test]
async fn what_a_fixture_does_not_mention_must_stay_as_it_was_sent() {
    let silent = format!("{CARD}[expect]\nverdict = \"accept\"\n");
    let folder = fixtures(&[("silent.toml", &silent)]);

    let said = test(&folder, &["json-template"]).await;

    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.contains("-       \"who\": \"ann\""),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("+       \"text\": \"ann pushed\""),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn a_fixture_without_expectations_prints_those_that_it_would_meet() {
    let folder = fixtures(&[("open.toml", CARD)]);

    let said = test(&folder, &["json-template"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    let suggested: Vec<&str> = said
        .out
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[expect]")
        .take_while(|line| !line.starts_with("again"))
        .collect();
    let complete = format!("{CARD}{}\n", suggested.join("\n"));
    std::fs::write(folder.path().join("fixtures/open.toml"), &complete).unwrap();

    let said = test(&folder, &["json-template"]).await;
    assert_eq!(said.code, 0, "{complete}\n{said:?}");
}

#[tokio::test]
async fn a_forged_signature_is_told_from_a_wrong_expectation() {
    let forged = GITHUB
        .replace("\"Hello, World!\"", "\"Hello, World?\"")
        .replace(
            "{ hmac = \"sha256\", env = \"GITHUB\", prefix = \"sha256=\" }",
            "\"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\"",
        );
    let expects = |what: &str| format!("{forged}[expect]\n{what}\n");
    let folder = fixtures(&[
        ("a.toml", &expects("verdict = \"reject\"\nstatus = 401")),
        ("b.toml", &expects("verdict = \"reject\"\nstatus = 403")),
        ("c.toml", &expects("verdict = \"accept\"")),
    ]);

    let said = test(&folder, &["signature"]).await;

    assert_eq!(said.code, 1, "{said:?}");
    let out = steady(&said.out);
    assert!(out.contains("  ok    a  reject 401"), "{out}");
    assert!(out.contains("- status 403\n        + status 401"), "{out}");
    assert!(out.contains("- verdict accept"), "{out}");
    assert!(out.ends_with("1 passed, 2 failed"), "{out}");
}

#[tokio::test]
async fn what_is_wrong_with_a_fixture_has_a_caret_and_a_cure() {
    let wrong = r#"
[with]
preset = "gihub"
keys   = [{ env = "NOBODY_SET_THIS" }]

[webhook]
metod   = "POST"
headers = { x-signature = { hmac = "sha256", env = "SECRET" } }

[expect]
verdict = "drop"
status  = 200
"#;
    let folder = fixtures(&[("wrong.toml", wrong)]);

    let said = test(&folder, &["signature"]).await;

    assert_eq!(said.code, 1);
    let told = format!("\n{}", said.err);
    assert_eq!(
        told,
        r#"
error: there is no preset `gihub`
 --> fixtures/wrong.toml:3:10
  |
3 | preset = "gihub"
  |          ^^^^^^^
  |
  = help: did you mean `github`?

error: environment variable `NOBODY_SET_THIS` is not set
 --> fixtures/wrong.toml:4:11
  |
4 | keys   = [{ env = "NOBODY_SET_THIS" }]
  |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: set it where Hookgate is started, or use { file = "PATH" }

error: `metod` is not a key of `webhook`
 --> fixtures/wrong.toml:7:1
  |
7 | metod   = "POST"
  | ^^^^^
  |
  = help: did you mean `method`?

error: `[environment]` has no `SECRET`
 --> fixtures/wrong.toml:8:52
  |
8 | headers = { x-signature = { hmac = "sha256", env = "SECRET" } }
  |                                                    ^^^^^^^^
  |
  = help: a fixture signs with its own keys: write the text of the key there

error: the verdict `drop` has no `status`
  --> fixtures/wrong.toml:12:1
   |
12 | status  = 200
   | ^^^^^^
   |
   = help: it has: reason

fixtures/wrong.toml: 5 errors

"#
    );
}

/// Writes to standard error by the old WASI, as a C library does, then traps.
const PANICS: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 8)
    (global $next (mut i32) (i32.const 65536))
    (data (i32.const 16) "first line\nwhy \1b[31mit ended\n")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (global.set $next (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
        (global.get $next)
        (global.set $next (i32.add (global.get $next) (local.get 3))))
    (func (export "hookgate:plugin/verify@0.1.0#verify") (result i32)
        (i32.store (i32.const 0) (i32.const 16))
        (i32.store (i32.const 4) (i32.const 29))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (unreachable)))"#;

#[tokio::test]
async fn a_plugin_that_panics_is_shown_with_its_kind_and_its_last_words() {
    let folder = fixtures(&[
        ("any.toml", "[expect]\nverdict = \"accept\"\n"),
        (
            "known.toml",
            "[expect]\nverdict = \"failure\"\nkind = \"trap\"\nsays = \"panicked\"\n",
        ),
        (
            "other.toml",
            "[expect]\nverdict = \"failure\"\nkind = \"time\"\n",
        ),
    ]);
    let core = wat::parse_str(PANICS).unwrap();
    std::fs::write(folder.path().join("core.wasm"), core).unwrap();
    std::fs::create_dir_all(folder.path().join("wit/deps")).unwrap();
    let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/wit/hookgate.wit");
    std::fs::copy(contract, folder.path().join("wit/deps/hookgate.wit")).unwrap();
    let world =
        "package local:plugin;\nworld stages { include hookgate:plugin/verify-plugin@0.1.0; }";
    std::fs::write(folder.path().join("wit/plugin.wit"), world).unwrap();
    let packed = tool(folder.path(), &["plugin", "pack", "core.wasm"], &[]).await;
    assert_eq!(packed.code, 0, "{packed:?}");

    let said = test(&folder, &[]).await;

    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(
        steady(&said.out),
        r#"plugin.wasm   verify
  FAIL  any    failure trap in verify
        - verdict accept
        - event none
        - delivery 1
        -   body of 0 bytes
        -
        + verdict failure
        + kind trap
        + says "it panicked or aborted (wasm `unreachable`); it wrote: first line\\nwhy \\u{1b}[31mit ended"
        verify failed: it panicked or aborted (wasm `unreachable`)
        its last words:
        | first line
        | why \u{1b}[31mit ended
        again: hookgate plugin test plugin.wasm fixtures/any.toml
  ok    known  failure trap in verify
  FAIL  other  failure trap in verify
        - kind time
        + kind trap
        again: hookgate plugin test plugin.wasm fixtures/other.toml

1 passed, 2 failed"#
    );
}

#[tokio::test]
async fn what_is_no_plugin_is_told_once_and_not_for_each_fixture() {
    let folder = fixtures(&[("a.toml", GITHUB), ("b.toml", GITHUB)]);
    std::fs::write(folder.path().join("plugin.wasm"), "#!/bin/sh").unwrap();

    let said = test(&folder, &[]).await;

    assert_eq!(said.code, 1);
    assert!(said.err.contains("is not WebAssembly"), "{said:?}");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
}

#[tokio::test]
async fn a_folder_without_fixtures_is_no_success() {
    let folder = folder();

    let said = test(&folder, &["signature"]).await;

    assert_eq!(said.code, 2);
    assert!(said.err.contains("there is no fixture"), "{said:?}");
}

#[tokio::test]
async fn for_machines_every_fixture_is_one_object() {
    let accepted = format!("{GITHUB}[expect]\nverdict = \"accept\"\n");
    let folder = fixtures(&[
        ("a.toml", &accepted),
        ("b.toml", GITHUB),
        ("c.toml", "x = 1"),
    ]);

    let said = test(&folder, &["signature", "--json"]).await;

    let lines: Vec<serde_json::Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let passed: Vec<_> = lines.iter().map(|line| line["passed"].clone()).collect();
    assert_eq!(passed, [true, false, false]);
    assert_eq!(lines[0]["verdict"], "accept, 1 delivery");
    assert!(lines[0]["memory_bytes"].as_u64().unwrap() >= 64 << 10);
    let problems = lines[2]["problems"].to_string();
    assert!(
        problems.contains("c.toml:1:1: `x` is not a key"),
        "{problems}"
    );
    assert_eq!(said.code, 1);
}

#[tokio::test]
async fn a_watched_fixture_is_tried_again_when_it_changes() {
    let wrong = format!("{GITHUB}[expect]\nverdict = \"drop\"\n");
    let folder = fixtures(&[("a.toml", &wrong)]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args(["plugin", "test", "signature", "--watch"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut closing = async || loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if line.ends_with(" failed") {
            return line;
        }
    };
    assert_eq!(closing().await, "0 passed, 1 failed");

    let right = wrong.replace("\"drop\"", "\"accept\"");
    std::fs::write(folder.path().join("fixtures/a.toml"), right).unwrap();

    assert_eq!(closing().await, "1 passed, 0 failed");
}

#[tokio::test]
async fn bench_measures_what_its_fixture_costs() {
    let accepted = format!("{GITHUB}[expect]\nverdict = \"accept\"\n");
    let folder = fixtures(&[("a.toml", &accepted)]);
    let fixture = ["--fixture", "fixtures/a.toml", "--webhooks", "20"];
    let json = [&["plugin", "bench", "signature", "--json"], &fixture[..]].concat();

    let said = tool(folder.path(), &json, &[]).await;
    let measured: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    for key in [
        "bytes",
        "imports",
        "compile_ms",
        "load_ms",
        "memory_bytes",
        "median_us",
        "p99_us",
    ] {
        assert!(measured[key].as_f64().unwrap() > 0.0, "{key}: {measured}");
    }
    assert_eq!(measured["webhooks"], 20);

    let text = [&["plugin", "bench", "signature"], &fixture[..]].concat();
    let said = tool(folder.path(), &text, &[]).await;
    assert!(said.out.starts_with("PLUGIN     SIZE"), "{}", said.out);

    let said = tool(folder.path(), &["plugin", "bench", "signature"], &[]).await;
    assert_eq!(said.code, 0, "the fixtures beside it are found: {said:?}");
    std::fs::remove_file(folder.path().join("fixtures/a.toml")).unwrap();
    let said = tool(folder.path(), &["plugin", "bench", "signature"], &[]).await;
    assert_eq!(said.code, 2);
    assert!(
        said.err.contains("there is no webhook to judge"),
        "{said:?}"
    );
}

#[tokio::test]
async fn every_mistake_in_a_fixture_is_told_in_one_line_with_its_place_and_cure() {
    for (text, told) in [
        (
            "[webhook]\nmethod = \"P ST\"",
            "2:10: `P ST` is not a method; most senders use \"POST\"",
        ),
        (
            "[webhook]\ntarget = \"github\"",
            "2:10: `github` is not a path with a query; write it like \"/github?x=1\"",
        ),
        (
            "[webhook]\nbody = \"\"\nbody_file = \"x\"",
            "3:13: a webhook has one body; give one of `body` and `body_file`",
        ),
        (
            "[webhook]\nbody_file = \"x\"",
            "2:13: cannot read `x`: there is no such file; paths are relative to the fixture",
        ),
        (
            "[webhook.headers]\n\"a b\" = \"1\"",
            "2:1: `a b` is not the name of a header field; names have letters, digits and `-`",
        ),
        (
            "[webhook.headers]\na = \"\\n\"",
            "2:5: this cannot be the value of a header field; values have no line ends and no control characters",
        ),
        (
            "[expect]\nstatus = 401",
            "1:1: `expect` does not say which `verdict`; add verdict = \"accept\", \"drop\", \"reject\", \"respond\" or \"failure\"",
        ),
        (
            "[expect]\nverdict = \"accept\"\ndeliveries = [{ body = \"\", json = \"{}\" }]",
            "3:15: a delivery has one body; give one of `body`, `body_file` and `json`",
        ),
        (
            "[expect]\nverdict = \"accept\"\ndeliveries = [{ json = \"{\" }]",
            "3:24: this is not JSON; the parser says: EOF while parsing an object at line 1 column 1",
        ),
    ] {
        let text = format!("{text}\n[with]\nbody = \"x\"\n");
        let folder = fixtures(&[("a.toml", &text)]);

        let said = test(&folder, &["json-template", "--json"]).await;

        let line: serde_json::Value = serde_json::from_str(said.out.trim()).unwrap();
        let told = format!("fixtures/a.toml:{told}");
        assert_eq!(line["problems"], serde_json::json!([told]), "{text}");
    }
}
