//! The README does not lie: its configurations are accepted, its commands print what it says, and its
//! plugin is the one that is built.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

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
