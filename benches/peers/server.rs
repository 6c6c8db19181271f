//! A server under test: its process tree, on a core of its own, and what that has used.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::Failure;

/// Ticks of the clock that `/proc` counts CPU time in: `USER_HZ`, 100 on every Linux there is.
const TICK: Duration = Duration::from_millis(10);

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// Program and arguments; runs in the foreground.
    pub command: Vec<PathBuf>,
    /// Added to our own environment.
    pub environment: Vec<(&'static str, PathBuf)>,
    /// Where its output goes.
    pub log: PathBuf,
    /// The core it may use.
    pub core: usize,
}

/// A running server. Ends when dropped, and with this process, however that one ends.
pub(crate) struct Server {
    child: Child,
    pid: u32,
    core: usize,
    log: PathBuf,
}

impl Server {
    /// Starts it. It may not be ready yet.
    ///
    /// # Errors
    /// When there is no such program.
    pub(crate) fn start(launch: &Launch) -> Result<Self, Failure> {
        let log = File::create(&launch.log)?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "taskset", "--cpu-list"])
            .arg(launch.core.to_string())
            .args(&launch.command)
            .envs(launch.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A ctrl-c is for us; what it means for the servers we decide.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("`setpriv` (util-linux): {error}"))?;
        let pid = child.id().ok_or("it ended at once")?;
        Ok(Self {
            child,
            pid,
            core: launch.core,
            log: launch.log.clone(),
        })
    }

    /// Ends it and waits until it is gone.
    pub(crate) async fn stop(mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().await;
    }

    /// Why it is not running, if it is not: the last thing it said.
    pub(crate) fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        Some(format!(
            "{status}: {}",
            last.unwrap_or("it said nothing").trim()
        ))
    }

    /// CPU time of its process tree so far.
    #[must_use]
    pub(crate) fn cpu(&self) -> Duration {
        tree(self.pid).into_iter().map(cpu).sum()
    }

    /// Memory of its process tree, shared pages in proportion (Pss), in bytes.
    #[must_use]
    pub(crate) fn memory(&self) -> u64 {
        tree(self.pid).into_iter().filter_map(pss).sum()
    }

    /// How long its core has been busy, whoever used it.
    #[must_use]
    pub(crate) fn core_busy(&self) -> Duration {
        core_busy(self.core).unwrap_or_default()
    }
}

/// CPU time of one process: run time of its threads in nanoseconds where the kernel counts it, else,
/// or when threads have ended, what the process as a whole was billed.
#[must_use]
pub(crate) fn cpu(pid: u32) -> Duration {
    let of_thread = |task: fs::DirEntry| {
        let line = fs::read_to_string(task.path().join("schedstat")).ok()?;
        line.split_whitespace()
            .next()?
            .parse()
            .ok()
            .map(Duration::from_nanos)
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let fine: Duration = tasks.filter_map(of_thread).sum();
    let billed = stat(pid).map_or(Duration::ZERO, |stat| stat.billed);
    fine.max(billed)
}

/// A process and all it started.
fn tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
            && let Some(stat) = stat(pid)
        {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        found.push(pid);
        next.extend(children.remove(&pid).unwrap_or_default());
    }
    found
}

struct Stat {
    parent: u32,
    billed: Duration,
}

/// Fields 4, 14 and 15 of `/proc/PID/stat` (proc_pid_stat(5)); the name before them may hold anything.
fn stat(pid: u32) -> Option<Stat> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = line.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u32>().ok();
    Some(Stat {
        parent: number(1)?,
        billed: TICK * (number(11)? + number(12)?),
    })
}

fn pss(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// All of a core's line in `/proc/stat` but idle and waiting for disks.
fn core_busy(core: usize) -> Option<Duration> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cpu{core} ")))?;
    let ticks = line
        .split_whitespace()
        .enumerate()
        .filter(|(at, _)| !matches!(at, 3 | 4 | 8..));
    let busy: u32 = ticks
        .filter_map(|(_, ticks)| ticks.parse::<u32>().ok())
        .sum();
    Some(TICK * busy)
}

/// Keeps this process, and with it load and upstream, on one core.
///
/// # Errors
/// When there is no `taskset` or no such core.
pub(crate) fn stay_on(core: usize) -> Result<(), Failure> {
    let done = std::process::Command::new("taskset")
        .args([
            "--cpu-list",
            "--pid",
            &core.to_string(),
            &std::process::id().to_string(),
        ])
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("`taskset` (util-linux): {error}"))?;
    done.success()
        .then_some(())
        .ok_or_else(|| format!("there is no core {core} to measure from").into())
}

/// Where a program is; `/usr/sbin` is searched too, which a user's `PATH` may not name.
#[must_use]
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([Path::new("/usr/sbin").to_path_buf()])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
