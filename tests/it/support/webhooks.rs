//! `hookgate webhooks` as an operator types it, and a webhook to ask it about.

use std::process::Output;
use std::time::Duration;

use tokio::process::Command;

use super::{Call, Gate};

/// Held at once, and given up after two attempts.
pub const EARLY: &str =
    "ack = \"early\"\nlossy = true\nretry = { schedule = [\"1ms\"], attempts = 2 }\n";

/// `hookgate webhooks` with these arguments, asked of this gate: its exit code, and what it printed.
pub async fn webhooks(gate: &Gate, arguments: &[&str]) -> (Option<i32>, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .arg("webhooks")
        .args(arguments)
        .args(["--admin", &gate.admin.to_string()])
        .output()
        .await
        .unwrap();
    let printed = [stdout, stderr].concat();
    (status.code(), String::from_utf8(printed).unwrap())
}

/// Of a delivery whose first attempt has failed, with a schedule of 50 minutes and up to a tenth more.
pub const WAITING: &str = "waiting, 1 attempt, the next in 5";

/// Asks until this is printed so many times: for what happens behind the last log line about it.
pub async fn until(gate: &Gate, arguments: &[&str], text: &str, times: usize) -> String {
    let printed = async {
        loop {
            let (_, printed) = webhooks(gate, arguments).await;
            if printed.matches(text).count() == times {
                return printed;
            }
        }
    };
    let patience = Duration::from_secs(30);
    let printed = tokio::time::timeout(patience, printed).await;
    printed.unwrap_or_else(|_| panic!("never printed {times} times: {text}"))
}

/// A webhook that was acknowledged and has become a dead letter; its id.
pub async fn dead(gate: &mut Gate, body: &str) -> String {
    let answer = Call::post("/hook?x=1", body)
        .field("x-event", "push")
        .send(gate.address)
        .await;
    assert_eq!(answer.status, 202);
    let id = answer.field("hookgate-id").unwrap().to_owned();
    gate.wait_for_log(|line| line["msg"] == "delivery given up" && line["id"] == id.as_str())
        .await;
    id
}
