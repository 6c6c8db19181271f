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
        printed.starts_with("error: no preset is named `gihub`\n\n  there are: adyen, "),
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
