//! The real binary with a configuration of the test's own, and its log.

use std::cell::Cell;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::{Answer, Call, PATIENCE};

/// A running `hookgate run`; killed when dropped.
pub struct Gate {
    child: Child,
    folder: Arc<TempDir>,
    log: Arc<Mutex<Vec<String>>>,
    grown: watch::Receiver<usize>,
    pub address: SocketAddr,
    pub admin: SocketAddr,
}

impl Gate {
    /// Starts a gate with these routes and upstreams; `[server]` and `[admin]` with free ports are
    /// put in front unless the text has them.
    pub async fn start(toml: &str) -> Self {
        Self::start_in(folder(), toml, &[]).await
    }

    /// The same in a folder that the test has put files into, with environment variables.
    pub async fn start_in(folder: Arc<TempDir>, toml: &str, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookgate"));
        command.stdin(Stdio::null());
        Self::start_by(command, folder, toml, env).await
    }

    /// Another process of the same folder and configuration, which is to replace this one.
    pub async fn beside(&self) -> Self {
        let toml = std::fs::read_to_string(self.folder().join("config.toml")).unwrap();
        let mut command = Command::new("sh");
        let script = "exec \"$0\" \"$@\" --replace";
        command.args(["-c", script, env!("CARGO_BIN_EXE_hookgate")]);
        Self::start_by(command, Arc::clone(&self.folder), &toml, &[]).await
    }

    /// The same by a command that becomes the gate.
    pub async fn start_by(
        mut command: Command,
        folder: Arc<TempDir>,
        toml: &str,
        env: &[(&str, &str)],
    ) -> Self {
        std::fs::write(folder.path().join("config.toml"), complete(toml)).unwrap();
        let mut child = command
            .args(["run", "--config"])
            .arg(folder.path().join("config.toml"))
            .args(["--log-format", "json"])
            .env("HOOKGATE_LOG", "debug")
            .env("HOOKGATE_CACHE", cache())
            .envs(env.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (grow, grown) = watch::channel(0);
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let sink = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                sink.lock().unwrap().push(line);
                grow.send_modify(|count| *count += 1);
            }
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut gate = Self {
            child,
            folder,
            log,
            grown,
            address: nowhere,
            admin: nowhere,
        };
        gate.wait_for_log(|line| line["msg"] == "ready").await;
        gate.address = gate.listening("webhooks").await;
        gate.admin = gate.listening("admin").await;
        gate
    }

    async fn listening(&mut self, listener: &str) -> SocketAddr {
        let line = self
            .wait_for_log(|line| line["msg"] == "listening" && line["listener"] == listener)
            .await;
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// The folder of the configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everything logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The first log line, past or to come, for which `fits` holds.
    pub async fn wait_for_log(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        let found = async {
            let mut seen = 0;
            loop {
                let lines = self.log();
                for line in &lines[seen..] {
                    if let Ok(value) = serde_json::from_str::<Value>(line)
                        && fits(&value)
                    {
                        return value;
                    }
                }
                seen = lines.len();
                if self.grown.wait_for(|count| *count > seen).await.is_err() {
                    panic!("the gate ended; its log:\n{}", lines.join("\n"));
                }
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(value) => value,
            Err(_) => panic!("no such line in the log:\n{}", self.log().join("\n")),
        }
    }

    /// Asks the admin, by its address: it answers to no other name.
    pub async fn ask(&self, call: &Call) -> Answer {
        call.clone()
            .field("host", "127.0.0.1")
            .send(self.admin)
            .await
    }

    /// The metrics page.
    pub async fn metrics(&self) -> String {
        self.ask(&Call::get("/metrics")).await.text()
    }

    /// The value of one series, written as on the page, without its value.
    pub async fn metric(&self, series: &str) -> f64 {
        let page = self.metrics().await;
        let line = page.lines().find(|line| {
            line.strip_prefix(series)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        let line = line.unwrap_or_else(|| panic!("no `{series}` in:\n{page}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Asks until a series has this value: for what happens behind the last log line about it.
    pub async fn wait_for_metric(&self, series: &str, value: f64) {
        let reached = async { while self.metric(series).await != value {} };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!(
                "`{series}` is not {value} but {}",
                self.metric(series).await
            );
        }
    }

    /// Writes another configuration over the first one.
    pub fn write(&self, toml: &str) {
        std::fs::write(self.folder().join("config.toml"), complete(toml)).unwrap();
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Writes another configuration over the first one and has it put in force.
    pub async fn apply(&mut self, toml: &str) {
        const RELOADED: &str = "configuration reloaded";
        let is_reloaded = |line: &String| line.contains(RELOADED);
        let left = Cell::new(self.log().iter().filter(|line| is_reloaded(line)).count());
        self.write(toml);
        self.signal("HUP");
        // One more than there were.
        self.wait_for_log(|line| {
            line["msg"] == RELOADED && left.replace(left.get().saturating_sub(1)) == 0
        })
        .await;
    }

    /// Writes a configuration that is refused; what the operator reads.
    pub async fn refuse(&mut self, toml: &str) -> String {
        self.write(toml);
        self.signal("HUP");
        let refused = "reload refused, the configuration in force stays";
        let line = self.wait_for_log(|line| line["msg"] == refused).await;
        line["report"].as_str().unwrap().to_owned()
    }

    /// Bytes of memory that it has now.
    pub fn memory(&self) -> usize {
        let statm = format!("/proc/{}/statm", self.child.id().unwrap());
        let pages = std::fs::read_to_string(statm).unwrap();
        let resident = pages.split(' ').nth(1).unwrap();
        resident.parse::<usize>().unwrap() * 4096
    }

    /// How it ended, with its whole log.
    pub async fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let Ok(status) = tokio::time::timeout(PATIENCE, self.child.wait()).await else {
            panic!("the gate does not end; its log:\n{}", self.log().join("\n"));
        };
        let status = status.unwrap();
        // The pipe is read to its end before the log is looked at.
        while self.grown.changed().await.is_ok() {}
        (status, self.log())
    }
}

/// The binary with a socket in the place and with the words of `sd_listen_fds(3)`; started by another
/// command where there is one, whose words come first.
pub fn passing(runner: &[String], socket: &TcpListener) -> Command {
    let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 </dev/null";
    let mut command = Command::new("env");
    command
        .args(runner)
        .args(["sh", "-c", script, env!("CARGO_BIN_EXE_hookgate")])
        .stdin(OwnedFd::from(socket.try_clone().unwrap()));
    command
}

/// `hookgate check` on a configuration in this folder: its exit code and what it says.
pub async fn check(folder: &TempDir, toml: &str) -> (i32, String) {
    std::fs::write(folder.path().join("config.toml"), complete(toml)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hookgate"))
        .args(["check", "--config", "config.toml"])
        .current_dir(folder.path())
        .env("HOOKGATE_CACHE", cache())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), said)
}

/// A port that nobody has and nobody is given: `send` reads it from the configuration. It is below those
/// that the system hands out by itself, so that no other test's socket comes to be there meanwhile.
pub fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Two processes of tests begin far from each other.
    let begin = std::process::id().wrapping_mul(7_919);
    let mut ports = std::iter::repeat_with(|| {
        let next = begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        u16::try_from(FIRST + next % COUNT).unwrap()
    });
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).unwrap()
}

/// A folder for a configuration and its files.
pub fn folder() -> Arc<TempDir> {
    Arc::new(TempDir::new().unwrap())
}

/// One cache of compiled plugins for all tests of a run.
pub fn cache() -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache")
}

fn complete(toml: &str) -> String {
    let server = if toml.contains("[server]") {
        ""
    } else {
        "[server]\nlisten = [\"127.0.0.1:0\"]\n"
    };
    let admin = if toml.contains("[admin]") {
        ""
    } else {
        "[admin]\nlisten = \"127.0.0.1:0\"\n"
    };
    format!("{server}{admin}{toml}")
}
