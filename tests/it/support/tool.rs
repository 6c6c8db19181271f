//! The binary as a tool: one command in a folder, to its end.

use std::path::Path;

use tokio::process::Command;

/// How a command ended and what it printed.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `hookgate` with these arguments in a folder, with nothing in the environment but `env`.
pub async fn tool(folder: &Path, arguments: &[&str], env: &[(&str, &str)]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args(arguments)
        .current_dir(folder)
        .env("HOOKGATE_CACHE", super::gate::cache())
        .envs(env.iter().copied())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
