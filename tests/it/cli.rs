//! The commands beside `run`, against a gate that runs.

use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::support::{Call, Gate, Upstream, folder, free_port};

const SECRET: (&str, &str) = ("GITHUB_WEBHOOK_SECRET", "a-long-random-text");

async fn hookgate(gate: &Gate, arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args(arguments)
        .current_dir(gate.folder())
        .envs([SECRET])
        .output()
        .await
        .unwrap();
    let printed = [stdout, stderr].concat();
    (status.code(), String::from_utf8(printed).unwrap())
}

#[tokio::test]
async fn send_is_signed_as_its_provider_signs_and_tampering_shows() {
    let mut upstream = Upstream::ok().await;
    let toml = format!(
        "[server]\nlisten = [\"127.0.0.1:{}\"]\n\
         [upstreams.ci]\nurl = \"{}/ci\"\n\
         [routes.github]\npath = \"/github\"\nforward = \"ci\"\n\
         [[routes.github.plugins]]\nuse = \"signature\"\n\
         with = {{ preset = \"github\", keys = [{{ env = \"GITHUB_WEBHOOK_SECRET\" }}] }}\n",
        free_port(),
        upstream.url(),
    );
    let gate = Gate::start_in(folder(), &toml, &[SECRET]).await;

    let (code, printed) = hookgate(&gate, &["send", "github", "push"]).await;
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("← 200 OK"), "{printed}");
    assert_eq!(upstream.next().await.field("x-github-event"), Some("push"));

    let (code, printed) = hookgate(&gate, &["send", "github", "push", "--tamper"]).await;
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("← 401 Unauthorized"), "{printed}");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn send_names_the_presets_and_the_events_that_there_are() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&crate::support::hook(&upstream)).await;

    let (code, printed) = hookgate(&gate, &["send", "gihub", "push"]).await;
    assert_eq!(code, Some(2));
    assert!(
        printed.starts_with(
            "error: no preset is named `gihub`; did you mean `github`?\n\n  there are: adyen, "
        ),
        "{printed}"
    );

    let (code, printed) = hookgate(&gate, &["send", "github", "puhs"]).await;
    assert_eq!(code, Some(2));
    assert!(
        printed.starts_with(
            "error: `github` has no event `puhs`; did you mean `push`?\n\n  there are:\n    push\n"
        ),
        "{printed}"
    );

    let (code, printed) = hookgate(&gate, &["send", "stripe"]).await;
    assert_eq!(code, Some(2));
    assert_eq!(
        printed,
        "error: name an event of `stripe`\n\n  there are:\n    \
         invoice.paid\n    payment_intent.succeeded\n"
    );
}

#[tokio::test]
async fn run_to_forwards_everything_without_a_file() {
    let mut upstream = Upstream::ok().await;
    let (port, folder) = (free_port(), folder());
    let mut child = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args(["run", "--to", &upstream.url()])
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--admin", "off"])
        .current_dir(folder.path())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut warned = false;
    loop {
        let line = log.next_line().await.unwrap().unwrap();
        warned |= line.contains("`--to` verifies nothing");
        if line.contains("ready") {
            break;
        }
    }
    assert!(warned);
    let address = ([127, 0, 0, 1], port).into();

    for target in ["/", "/any/path?x=1"] {
        assert_eq!(Call::post(target, "{}").send(address).await.status, 200);
        assert_eq!(upstream.next().await.target, target);
    }
}

#[test]
fn a_reader_who_has_enough_ends_a_command_quietly() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .arg("schema")
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();

    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(141));
}

/// In an empty folder, without a gate.
fn alone(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = std::process::Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args(arguments)
        .current_dir(folder().path())
        .envs([SECRET])
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn what_is_wrong_with_an_option_is_said_of_the_option() {
    for (arguments, said) in [
        (
            &["run", "--to", "localhost:3000"][..],
            "error: --to: `localhost:3000` has no scheme: write `http://localhost:3000`\n",
        ),
        (
            &["run", "--to", "http://localhost:3000", "--admin", "9119"],
            "error: --admin: `9119` is no address; write it like `127.0.0.1:9119`, or `off`\n",
        ),
        (
            &[
                "run",
                "--to",
                "http://localhost:3000",
                "--admin",
                "0.0.0.0:9119",
            ],
            "error: --admin: `0.0.0.0:9119` can be reached by others, and a token needs a configuration file; \
             name an address of the loopback, like `127.0.0.1:9119`\n",
        ),
        (
            &["send", "github", "push", "--to", "http://localhost:3000"],
            "error: there is no key to sign with\n\n  name the environment variable that holds it with \
             --secret-env NAME,\n  or a configuration that has a route for github with --config FILE\n",
        ),
        (
            &[
                "send",
                "github",
                "push",
                "--secret-env",
                "GITHUB_WEBHOOK_SECRET",
            ],
            "error: it is not said where to send it\n\n  name a URL with --to URL,\n  or a configuration that \
             has a route for github with --config FILE\n",
        ),
        (
            &[
                "send",
                "github",
                "push",
                "--to",
                "https://localhost:1",
                "--secret-env",
                "GITHUB_WEBHOOK_SECRET",
                "--ca",
                "gone.pem",
            ],
            "error: --ca: there is no file `gone.pem`\n",
        ),
        (
            &["explain", "gone.json"],
            "error: there is no file `gone.json`\n",
        ),
    ] {
        assert_eq!(alone(arguments), (Some(2), said.to_owned()));
    }
}

#[test]
fn a_missing_file_is_told_once() {
    let (code, said) = alone(&["plugin", "inspect", "gone.wasm"]);

    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("error: there is no file `")
            && said.ends_with("gone.wasm`; build the component, or name another one\n"),
        "{said}"
    );
}

#[tokio::test]
async fn the_demo_tells_since_when_its_configuration_is_in_force() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .arg("demo")
        .env("HOOKGATE_CACHE", crate::support::cache())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let admin = loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(admin) = line.trim_start().strip_prefix("admin     http://") {
            break admin.split(' ').next().unwrap().parse().unwrap();
        }
    };

    let page = Call::get("/metrics")
        .field("host", "127.0.0.1")
        .send(admin)
        .await
        .text();

    let name = "\nhookgate_config_last_reload_success_timestamp_seconds ";
    let (_, rest) = page.split_once(name).unwrap();
    let since: u64 = rest.lines().next().unwrap().parse().unwrap();
    // The first second of 2026.
    assert!(since > 1_767_225_600, "{since}");
}
