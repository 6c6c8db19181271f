//! The README does not lie: its configurations are accepted, its commands print what it says, and its
//! plugin is the one that is built.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::{self, JoinHandle};

use hookgate::preset::{self, PresetAck};
use tempfile::TempDir;

const README: &str = include_str!("../README.md");

/// What the README's configurations take from the environment.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("GITHUB_WEBHOOK_SECRET", "a-long-random-text"),
    ("SHOP_KEY", "another-random-text"),
    ("SHOP_KEY_OLD", "an-older-random-text"),
    ("CHAT_URL", "http://localhost:3000/chat"),
];

/// The fenced blocks of one language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README
        .split(fence.as_str())
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap())
        .collect()
}

fn hookgate() -> Command {
    let mut command = Command::new("sh");
    let folder = Path::new(env!("CARGO_BIN_EXE_hookgate")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path);
    command.env(
        "HOOKGATE_CACHE",
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache"),
    );
    command
}

#[test]
fn the_two_commands_come_first() {
    assert_eq!(blocks("sh")[0], "cargo run --release -- demo\ncargo test");
}

#[test]
fn every_console_session_prints_what_it_says() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("config.toml"), blocks("toml")[0]).unwrap();
    for session in blocks("console") {
        let mut exports = String::new();
        for step in session.split("$ ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap_or((step, ""));
            if command.starts_with("export ") {
                exports += &format!("{command}; ");
                continue;
            }
            let output = hookgate()
                .args(["-c", &format!("{exports}{command} 2>&1")])
                .current_dir(folder.path())
                .env_remove("GITHUB_WEBHOOK_SECRET")
                .output()
                .unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            assert_eq!(printed.trim_end(), expected.trim_end(), "{command}");
        }
    }
}

#[test]
fn every_configuration_is_accepted() {
    for toml in blocks("toml") {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("config.toml"), toml).unwrap();
        // The README's own plugin; any filter does for its place in the file.
        let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dist/json-filter.wasm");
        fs::copy(component, folder.path().join("only_main.wasm")).unwrap();
        let toml = toml.replace(
            "use = \"only-main\"",
            "use = \"only-main\"\nwith = { event = [\"push\"] }",
        );
        fs::write(folder.path().join("config.toml"), toml).unwrap();

        let output = hookgate()
            .args(["-c", "hookgate check 2>&1"])
            .current_dir(folder.path())
            .envs(ENVIRONMENT.iter().copied())
            .output()
            .unwrap();

        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Starts a command of the README that serves, and reads from its log where it listens.
fn serving(command: &str, folder: &Path) -> (Running, String) {
    let mut child = hookgate()
        .args(["-c", &format!("exec {command} --log-format json 2>&1")])
        .current_dir(folder)
        .envs(ENVIRONMENT.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(child.stdout.take().unwrap());
    let running = Running(child);
    let address = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap())
        .find(|line| line["msg"] == "listening" && line["listener"] == "webhooks")
        .map(|line| line["address"].as_str().unwrap().to_owned())
        .unwrap();
    (running, address)
}

/// An upstream that takes one delivery, and the head that it got.
fn upstream() -> (u16, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head: String = BufReader::new(stream.try_clone().unwrap())
            .lines()
            .map(|line| line.unwrap() + "\n")
            .take_while(|line| line != "\n")
            .collect();
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        head
    });
    (port, taken)
}

#[test]
fn the_command_without_a_file_forwards_everything() {
    let (port, taken) = upstream();
    // As written, but for the ports: others may use them on this machine.
    let command = blocks("sh")[1].replace("localhost:3000", &format!("127.0.0.1:{port}"));
    assert!(command.starts_with("hookgate run --to http://127.0.0.1:"));
    let folder = TempDir::new().unwrap();
    let (_running, address) = serving(
        &format!("{command} --listen 127.0.0.1:0 --admin off"),
        folder.path(),
    );

    let mut sender = TcpStream::connect(&address).unwrap();
    sender
        .write_all(b"GET /any/path HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    sender.read_to_string(&mut answer).unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(taken.join().unwrap().starts_with("GET /any/path "));
}

#[test]
fn the_commands_that_send_send_what_the_text_says() {
    let (port, taken) = upstream();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("config.toml");
    let toml = blocks("toml")[0].replace("localhost:3000", &format!("127.0.0.1:{port}"));
    let server = |listen: &str| {
        format!("server.listen = [\"{listen}\"]\nadmin.listen = \"127.0.0.1:0\"\n{toml}")
    };
    fs::write(&file, server("127.0.0.1:0")).unwrap();
    let (_running, address) = serving("hookgate run", folder.path());
    // The sender reads in the same file where to send to.
    fs::write(&file, server(&address)).unwrap();

    let sent: Vec<_> = blocks("sh")[2]
        .lines()
        .map(|command| {
            hookgate()
                .args(["-c", command])
                .current_dir(folder.path())
                .envs(ENVIRONMENT.iter().copied())
                .output()
                .unwrap()
        })
        .collect();

    let [genuine, tampered] = sent.as_slice() else {
        panic!("the README sends twice");
    };
    let printed = |output: &Output| String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(genuine.status.code(), Some(0), "{}", printed(genuine));
    assert!(printed(genuine).contains("200 OK"), "{}", printed(genuine));
    assert_eq!(tampered.status.code(), Some(1), "{}", printed(tampered));
    assert!(printed(tampered).contains("401 Unauthorized"));
    assert!(taken.join().unwrap().starts_with("POST /hooks/github "));
}

#[test]
fn the_demo_shows_what_it_promises() {
    let output = hookgate()
        .args(["-c", "hookgate demo --once"])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();

    assert!(output.status.success(), "{printed}");
    for scene in [
        "1  accepted",
        "2  tampered",
        "3  filtered",
        "4  transformed",
        "5  handshake",
        "6  retried",
    ] {
        assert!(printed.contains(scene), "{scene} is missing in\n{printed}");
    }
    assert!(printed.contains("401 Unauthorized"), "{printed}");
    assert!(printed.contains("hookgate-attempt: 4"), "{printed}");
}

#[test]
fn the_plugin_is_the_one_that_is_built() {
    let source = include_str!("../plugins/only-main/src/lib.rs");
    assert_eq!(blocks("rust")[0], source.trim_end());
}

#[test]
fn the_presets_whose_senders_call_again_for_a_day_are_those_that_it_lists() {
    let row = README
        .lines()
        .find(|line| line.starts_with("| calls again for a day or more"))
        .unwrap();
    let mut listed: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
    listed.retain(|word| !["ack", "upstream", "buffered"].contains(word));
    listed.sort_unstable();
    let patient = preset::all()
        .iter()
        .filter(|preset| preset.ack() == PresetAck::Upstream);
    let mut patient: Vec<&str> = patient.map(|preset| preset.name).collect();
    patient.sort_unstable();
    assert_eq!(listed, patient);
}
