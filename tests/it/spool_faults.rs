//! The spool where it cannot be used, or not any more: each with a clear word, and nothing lost.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::support::webhooks::webhooks;
use crate::support::{
    Absent, Call, Connection, Disk, Gate, Said, Upstream, folder, hook, hook_to, tool,
};

pub const SPOOL: &str = "[buffer]\nspool = \"spool\"\n";
const SERVER: &str = "[server]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n";
pub const EARLY: &str = "ack = \"early\"\n";
/// A start that is not refused would go on for ever.
const PATIENCE: Duration = Duration::from_secs(30);
pub const KEY: &str = "a key of thirty-two bytes or more";

/// A folder with a spool that holds one delivery.
pub async fn with_one(buffer: &str, env: &[(&str, &str)], body: &str) -> Arc<TempDir> {
    let (folder, absent) = (folder(), Absent::new());
    let toml = buffer.to_owned() + &hook_to(&absent.url()) + EARLY;
    let gate = Gate::start_in(Arc::clone(&folder), &toml, env).await;
    let answer = Call::post("/hook", body).send(gate.address).await;
    assert_eq!(answer.status, 202);
    gate.signal("KILL");
    gate.ended().await;
    folder
}

/// A start that fails, and what is said; the folder's own path is left out.
pub async fn refused(folder: &Path, buffer: &str, env: &[(&str, &str)]) -> Said {
    let toml = SERVER.to_owned() + buffer + &hook_to("http://127.0.0.1:1") + EARLY;
    std::fs::write(folder.join("config.toml"), toml).unwrap();
    let arguments = ["run", "--config", "config.toml", "--log", "error"];
    let said = tokio::time::timeout(PATIENCE, tool(folder, &arguments, env)).await;
    said.expect("it does not start")
}

pub fn file(folder: &Path) -> PathBuf {
    folder.join("spool/hookgate.spool")
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_refused_and_the_first_goes_on() {
    let (folder, mut upstream) = (folder(), Upstream::ok().await);
    let gate = Gate::start_in(
        Arc::clone(&folder),
        &(SPOOL.to_owned() + &hook(&upstream) + EARLY),
        &[],
    )
    .await;

    let said = refused(folder.path(), SPOOL, &[]).await;

    assert_eq!(
        (said.code, said.err.as_str()),
        (
            1,
            "error: the spool `spool` is in use by another process; end that one first, or give each its own\n"
        )
    );
    let answer = Call::post("/hook", "x").send(gate.address).await;
    assert_eq!(answer.status, 202);
    upstream.next().await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_or_written_is_refused_at_the_start() {
    let folder = folder();
    // A file system in which nobody may make anything.
    let said = refused(folder.path(), "[buffer]\nspool = \"/proc/spool\"\n", &[]).await;
    assert_eq!(said.code, 1);
    let words = "error: cannot use the spool `/proc/spool`; it is a directory of its own that Hookgate's user may write: ";
    assert!(said.err.starts_with(words), "{}", said.err);

    // A disk that is mounted read-only.
    std::fs::create_dir(folder.path().join("spool")).unwrap();
    let toml = SERVER.to_owned() + SPOOL + &hook_to("http://127.0.0.1:1") + EARLY;
    std::fs::write(folder.path().join("config.toml"), toml).unwrap();
    let output = on_a_read_only_disk(folder.path())
        .args(["run", "--config", "config.toml"])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot use the spool `spool`"), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
}

/// The binary with a disk of its own at `spool` that nobody may write: a name space of mounts that dies with
/// it.
fn on_a_read_only_disk(folder: &Path) -> Command {
    let mount = "mount -t tmpfs -o ro none spool && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--map-root-user", "--mount", "sh", "-c", mount])
        .arg(env!("CARGO_BIN_EXE_hookgate"))
        .current_dir(folder)
        .env("HOOKGATE_CACHE", crate::support::cache());
    command
}

#[tokio::test]
async fn a_full_disk_refuses_with_503_and_takes_webhooks_again_when_it_has_room() {
    let (folder, absent) = (folder(), Absent::new());
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let toml = SPOOL.to_owned() + &hook_to(&absent.url()) + EARLY;
    let disk = Disk::mount(&spool, "16m").await;
    let mut gate = Gate::start_by(disk.gate(), Arc::clone(&folder), &toml, &[]).await;
    let before = Call::post("/hook", "before").send(gate.address).await;
    assert_eq!(before.status, 202);

    disk.fill();
    let large = Call::post("/hook", vec![b'x'; 500_000]);
    let refused = large.send(gate.address).await;

    assert_eq!(
        (refused.status, refused.field("retry-after")),
        (503, Some("30"))
    );
    let ready = gate.ask(&Call::get("/ready")).await;
    assert_eq!(
        (ready.status, ready.json()["reasons"][0].as_str()),
        (503, Some("spool"))
    );
    assert_eq!(gate.metric("hookgate_spool_writable").await, 0.0);
    let series = "hookgate_webhooks_total{route=\"hook\",outcome=\"unkept\",class=\"5xx\"}";
    assert_eq!(gate.metric(series).await, 1.0);
    gate.wait_for_log(|line| {
        line["msg"] == "spool cannot be written, senders are asked to come back"
    })
    .await;

    disk.free();
    gate.wait_for_log(|line| line["msg"] == "spool can be written again")
        .await;

    assert_eq!(gate.ask(&Call::get("/ready")).await.status, 200);
    let after = Call::post("/hook", "after").send(gate.address).await;
    assert_eq!(after.status, 202);
    let mut upstream = absent.comes_back();
    let mut received = [upstream.next().await.text(), upstream.next().await.text()];
    received.sort();
    assert_eq!(received, ["after", "before"]);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    gate.signal("TERM");
    assert_eq!(gate.ended().await.0.code(), Some(0));
}

/// Sends until a webhook is refused, with the next one refused as well; then kills the process and starts
/// another one without its trouble: what was acknowledged is there.
async fn refused_from_some_moment_on(
    trouble: Command,
    body_bytes: usize,
    reason: &str,
    until: &str,
) {
    let (folder, absent) = (folder(), Absent::new());
    let toml = SPOOL.to_owned() + &hook_to(&absent.url()) + EARLY;
    let mut gate = Gate::start_by(trouble, Arc::clone(&folder), &toml, &[]).await;
    let mut sender = Connection::open(gate.address).await;
    let call = Call::post("/hook", vec![b'x'; body_bytes]);
    let mut acknowledged = Vec::new();
    let refused = loop {
        let answer = sender.call(&call).await;
        if answer.status != 202 {
            break answer;
        }
        acknowledged.push(answer.field("hookgate-id").unwrap().to_owned());
    };
    assert!(!acknowledged.is_empty());
    assert_eq!(
        (refused.status, refused.field("retry-after")),
        (503, Some("30"))
    );
    let line = gate
        .wait_for_log(|line| {
            line["msg"] == "spool cannot be written, senders are asked to come back"
        })
        .await;
    assert!(line["reason"].as_str().unwrap().contains(reason), "{line}");
    assert_eq!(line["until"], until);
    assert_eq!(sender.call(&call).await.status, 503);
    gate.signal("KILL");
    gate.ended().await;

    let mut upstream = absent.comes_back();
    let _gate = Gate::start_in(folder, &toml, &[]).await;

    // Of one that was refused nobody can know whether it is there.
    let mut missing: BTreeSet<String> = acknowledged.into_iter().collect();
    while !missing.is_empty() {
        let received = upstream.next().await;
        missing.remove(received.field("hookgate-id").unwrap());
    }
}

#[tokio::test]
async fn a_file_that_may_not_grow_refuses_with_503_and_what_was_acknowledged_before_is_there() {
    // In blocks of 512 bytes: the limit that a service manager or a login may have set.
    let script = "ulimit -f 16384; exec \"$0\" \"$@\"";
    let mut limited = Command::new("sh");
    limited.args(["-c", script, env!("CARGO_BIN_EXE_hookgate")]);

    refused_from_some_moment_on(limited, 200_000, "File too large", "it has room").await;
}

#[tokio::test]
async fn a_disk_that_fails_to_flush_is_asked_no_more_and_what_was_acknowledged_before_is_there() {
    let Some(broken) = unflushing().await else {
        return skip("there is no strace to make a flush fail");
    };

    refused_from_some_moment_on(broken, 100, "Input/output error", "restart").await;
}

#[tokio::test]
async fn what_an_operator_does_that_is_not_on_disk_is_told_as_such_and_undone_by_a_restart() {
    let Some(broken) = unflushing().await else {
        return skip("there is no strace to make a flush fail");
    };
    let (folder, absent) = (folder(), Absent::new());
    let toml = SPOOL.to_owned() + &hook_to(&absent.url()) + EARLY;
    let gate = Gate::start_by(broken, Arc::clone(&folder), &toml, &[]).await;
    let call = Call::post("/hook", "x");
    while call.send(gate.address).await.status == 202 {}
    let held = "hookgate_deliveries_waiting";
    let waiting = gate.metric(held).await;
    assert!(waiting > 0.0);

    let (code, printed) = webhooks(&gate, &["discard", "--waiting", "--all"]).await;

    assert_eq!(code, Some(1));
    let why = "error: the spool's disk does not take it now: a restart before it does brings back what was\n";
    assert!(
        printed.starts_with(|first: char| first.is_ascii_digit()) && printed.ends_with(why),
        "{printed}"
    );
    gate.signal("KILL");
    gate.ended().await;
    let gate = Gate::start_in(folder, &toml, &[]).await;
    assert!(gate.metric(held).await >= waiting);
}

/// The binary on a disk whose flushes fail after those of the start: who makes the system's answer an error,
/// if there is somebody.
async fn unflushing() -> Option<Command> {
    Command::new("strace").arg("-V").output().await.ok()?;
    let mut broken = Command::new("strace");
    let words = [
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
    ];
    broken.args(words);
    broken.args(["-e", "inject=fdatasync:error=EIO:when=20+"]);
    broken.arg(env!("CARGO_BIN_EXE_hookgate"));
    Some(broken)
}

#[expect(clippy::print_stdout, reason = "who runs it is told")]
fn skip(why: &str) {
    println!("skipped: {why}");
}

#[tokio::test]
async fn with_a_key_no_file_holds_a_word_of_a_webhook_and_without_it_none_is_read() {
    const BODY: &str = "a body that is easily found in a file";
    let sealed = format!("{SPOOL}key = {{ env = \"KEY\" }}\n");
    let key = [("KEY", KEY)];
    let folder = with_one(&sealed, &key, BODY).await;
    for entry in std::fs::read_dir(folder.path().join("spool")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for word in [BODY, "/hook", "content-length"] {
            let found = bytes
                .windows(word.len())
                .any(|window| window == word.as_bytes());
            assert!(!found, "{word}");
        }
    }

    let other = [("KEY", "another key of thirty-two bytes...")];
    let said = refused(folder.path(), &sealed, &other).await;
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            78,
            "error: the spool `spool` was sealed with another `key`; give it that one until what it holds is delivered\n"
        )
    );
    let said = refused(folder.path(), SPOOL, &[]).await;
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            78,
            "error: the spool `spool` is sealed; add the `key` that it was sealed with\n"
        )
    );

    let mut upstream = Upstream::ok().await;
    let toml = sealed.clone() + &hook(&upstream) + EARLY;
    let gate = Gate::start_in(Arc::clone(&folder), &toml, &key).await;
    assert_eq!(upstream.next().await.text(), BODY);
    gate.wait_for_metric("hookgate_deliveries_waiting", 0.0)
        .await;
    gate.signal("TERM");
    gate.ended().await;
    // Nothing is held, so any key will do from now on.
    let toml = sealed + &hook(&upstream) + EARLY;
    let gate = Gate::start_in(Arc::clone(&folder), &toml, &other).await;
    let answer = Call::post("/hook", "x").send(gate.address).await;
    assert_eq!(answer.status, 202);
}

#[tokio::test]
async fn a_spool_in_the_clear_is_not_taken_for_a_sealed_one() {
    let folder = with_one(SPOOL, &[], "x").await;
    let sealed = format!("{SPOOL}key = {{ env = \"KEY\" }}\n");

    let said = refused(folder.path(), &sealed, &[("KEY", KEY)]).await;

    assert_eq!(
        (said.code, said.err.as_str()),
        (
            78,
            "error: the spool `spool` holds deliveries in the clear, and there is a `key`; start without the key until they are delivered\n"
        )
    );
}

#[tokio::test]
async fn the_directory_and_its_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = with_one("[buffer]\nspool = \"state/spool\"\n", &[], "x").await;
    let mode = |path: &str| {
        let metadata = std::fs::metadata(folder.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };

    assert_eq!(mode("state/spool"), 0o700);
    assert_eq!(mode("state/spool/hookgate.spool"), 0o600);
}

#[tokio::test]
async fn a_reload_that_moves_the_spool_is_refused() {
    let (folder, mut upstream) = (folder(), Upstream::ok().await);
    let toml = SPOOL.to_owned() + &hook(&upstream) + EARLY;
    let mut gate = Gate::start_in(folder, &toml, &[]).await;

    let report = gate
        .refuse(&toml.replace("\"spool\"", "\"elsewhere\""))
        .await;

    assert_eq!(
        report,
        "`spool`, `spill` or `key` of `[buffer]` takes effect at a start only: restart, or take the change back"
    );
    let answer = Call::post("/hook", "x").send(gate.address).await;
    assert_eq!(answer.status, 202);
    upstream.next().await;
}
