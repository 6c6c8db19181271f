//! `hookgate explain`: what a captured webhook's fate was, and why.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::support::{Said, folder, hex, mac, tool};

const SECRET: (&str, &str) = ("GITHUB_SECRET", "It's a Secret to Everybody");
const OLD: (&str, &str) = ("OLD_SECRET", "a secret of last year");
/// GitHub's documentation signs this body with [`SECRET`].
const BODY: &str = "Hello, World!";
const MAC: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

const CONFIG: &str = r#"
[upstreams.ci]
url = "http://127.0.0.1:9"

[routes.github]
path    = "/github"
forward = "ci"
[[routes.github.plugins]]
use  = "signature"
with = { preset = "github", keys = [{ env = "GITHUB_SECRET" }, { env = "OLD_SECRET" }] }
[[routes.github.plugins]]
use  = "json-filter"
on_failure = "skip"
with = { event = ["push"] }

[routes.slack]
path    = "/slack"
forward = "ci"
[[routes.slack.plugins]]
use  = "signature"
with = { preset = "slack", keys = [{ env = "OLD_SECRET" }] }

[routes.pages]
path    = "/pages"
forward = "ci"
[[routes.pages.plugins]]
use  = "signature"
with = { preset = "pagerduty", keys = [{ env = "OLD_SECRET" }] }
"#;

fn captured(name: &str, bytes: &[u8]) -> Arc<TempDir> {
    let folder = folder();
    std::fs::write(folder.path().join("config.toml"), CONFIG).unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    folder
}

fn request(signature: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /github HTTP/1.1\r\nHost: hooks.example.com\r\nX-GitHub-Event: push\r\n\
         X-Hub-Signature-256: sha256={signature}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Explains it, and makes sure that nothing secret is told on the way.
async fn explain(folder: &Path, arguments: &[&str]) -> Said {
    let arguments = [&["explain"], arguments].concat();
    let said = tool(folder, &arguments, &[SECRET, OLD]).await;
    for secret in [SECRET.1, OLD.1, MAC] {
        let whole = format!("{}{}", said.out, said.err);
        assert!(!whole.contains(secret), "told {secret}: {whole}");
    }
    said
}

#[tokio::test]
async fn a_genuine_webhook_is_told_with_what_was_signed_and_the_key_that_matched() {
    let folder = captured("push.http", &request(MAC, BODY));

    let said = explain(folder.path(), &["push.http"]).await;

    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        said.out,
        "POST /github   route github   13 bytes of body   received now\n\
         \x20 signature checks a signature\n\
         \x20   key        `keys`\n\
         \x20   algorithm  hmac-sha256, hex\n\
         \x20   signed     \"Hello, World!\" (the body, 13 bytes)\n\
         \x20   signature  757107ea0eb2… (64 characters)\n\
         \x20   so it was  made by `env:GITHUB_SECRET`\n\
         \x20 signature verify: accept\n\
         \x20 json-filter filter: forward\n\
         accepted: 1 delivery to make\n"
    );
}

#[tokio::test]
async fn a_forged_one_is_told_with_the_step_that_refused_it() {
    let folder = captured("push.http", &request(&"ab".repeat(32), BODY));

    let said = explain(folder.path(), &["push.http"]).await;

    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.contains("so it was  made by none of the 2 keys"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("  signature verify: reject\n"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .ends_with("rejected with 401 by signature: the signature does not match\n"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn an_editor_that_changed_the_body_is_found_out() {
    for (file, words) in [
        (
            format!("{BODY}\n"),
            "but: without the newline at its end, it would be accepted",
        ),
        (
            format!("\u{feff}{BODY}"),
            "but: without the byte order mark, it would be accepted",
        ),
    ] {
        let folder = captured("push.http", &request(MAC, &file));

        let said = explain(folder.path(), &["push.http"]).await;

        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.out.contains(words), "{}", said.out);
    }
}

#[tokio::test]
async fn a_content_length_says_where_the_body_ends() {
    let request = String::from_utf8(request(MAC, &format!("{BODY}\n"))).unwrap();
    let request = request.replace("\r\n\r\n", "\r\nContent-Length: 13\r\n\r\n");
    let folder = captured("push.http", request.as_bytes());

    let said = explain(folder.path(), &["push.http"]).await;

    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("note: the file has 14 bytes of body"),
        "{}",
        said.out
    );
}

#[tokio::test]
async fn a_stale_timestamp_is_judged_as_of_the_time_that_is_given() {
    let message = "v0:1700000000:a=b";
    let json = serde_json::json!({
        "target": "/slack",
        "headers": {
            "x-slack-request-timestamp": "1700000000",
            "x-slack-signature": format!("v0={}", hex(&mac(OLD.1.as_bytes(), message.as_bytes()))),
        },
        "body": "a=b",
    });
    let folder = captured("call.json", json.to_string().as_bytes());

    let now = explain(folder.path(), &["call.json"]).await;
    let then = explain(
        folder.path(),
        &["call.json", "--at", "2023-11-14T22:13:25Z"],
    )
    .await;

    assert_eq!(now.code, 1, "{now:?}");
    assert!(
        now.out.contains("rejected with 401 by signature: "),
        "{}",
        now.out
    );
    assert!(!now.out.contains("but:"), "no body helps: {}", now.out);
    assert_eq!(then.code, 0, "{then:?}");
    assert!(
        then.out
            .contains("\"v0:\" + \"1700000000\" + \":\" + \"a=b\""),
        "{}",
        then.out
    );
}

#[tokio::test]
async fn the_route_is_found_as_the_gate_finds_it_or_named() {
    let other = String::from_utf8(request(MAC, BODY)).unwrap();
    let other = other.replace("POST /github", "POST /elsewhere");
    let folder = captured("push.http", other.as_bytes());

    let nowhere = explain(folder.path(), &["push.http"]).await;
    let named = explain(folder.path(), &["push.http", "--route", "github"]).await;
    let misnamed = explain(folder.path(), &["push.http", "--route", "gihub"]).await;

    assert_eq!(
        (nowhere.code, nowhere.err.as_str()),
        (
            2,
            "error: no route takes POST /elsewhere; name one with --route\n"
        )
    );
    assert_eq!(named.code, 0, "{named:?}");
    assert_eq!(
        (misnamed.code, misnamed.err.as_str()),
        (
            2,
            "error: there is no route `gihub`; there are: github, pages, slack\n"
        )
    );
}

#[tokio::test]
async fn a_file_that_holds_no_webhook_is_told_what_one_looks_like() {
    for (file, why) in [
        ("", "the file is empty"),
        (
            "hello\n",
            "a request begins with a line like `POST /github HTTP/1.1`",
        ),
        ("POST / HTTP/1.1\nHost: a", "the head does not end"),
        (
            "POST / HTTP/1.1\nno field\n\n",
            "`no field` is not a header field",
        ),
        ("{\"taget\": \"/\"}", "unknown field `taget`"),
        (
            "{\"target\": \"/\", \"headers\": 1}",
            "`headers` is a table, or a list of pairs",
        ),
    ] {
        let folder = captured("x", file.as_bytes());

        let said = explain(folder.path(), &["x"]).await;

        assert_eq!(said.code, 2, "{said:?}");
        assert!(
            said.err.starts_with("error: `x` is no captured webhook: "),
            "{said:?}"
        );
        assert!(said.err.contains(why), "{said:?}");
    }
}

#[tokio::test]
async fn an_answer_after_which_the_provider_gives_up_is_pointed_out() {
    let head = "POST /pages HTTP/1.1\r\nHost: hooks.example.com\r\nX-PagerDuty-Signature: v1=00";
    let folder = captured("push.http", format!("{head}\r\n\r\n{{}}").as_bytes());

    let said = explain(folder.path(), &["push.http"]).await;

    assert_eq!(said.code, 1, "{said:?}");
    let note = "\nnote: after 4xx PagerDuty gives the webhook or the subscription up: see \
        https://developer.pagerduty.com/";
    assert!(said.out.contains(note), "{said:?}");

    // GitHub gives nothing up, whatever it is told.
    std::fs::write(folder.path().join("push.http"), request("00", BODY)).unwrap();
    let said = explain(folder.path(), &["push.http"]).await;
    assert!(said.out.contains("rejected with 401"), "{said:?}");
    assert!(!said.out.contains("note:"), "{said:?}");
}
