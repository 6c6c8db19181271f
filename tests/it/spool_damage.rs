//! A spool whose files are not as they were left: refused by name, with the cure, and never begun anew.

use std::sync::Arc;

use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};

use crate::spool_faults::{EARLY, KEY, SPOOL, file, refused, with_one};
use crate::support::{Absent, Call, Gate, Upstream, folder, hook, hook_to, tool};

#[tokio::test]
async fn a_spool_of_another_format_is_not_touched() {
    // One of before anything was counted is told by its version, too.
    for (version, is_counted) in [(2_u64, true), (0, false)] {
        of_another_format(version, is_counted).await;
    }
}

async fn of_another_format(version: u64, is_counted: bool) {
    let folder = with_one(SPOOL, &[], "x").await;
    {
        let engine = Database::open(file(folder.path())).unwrap();
        let about: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
        let transaction = engine.begin_write().unwrap();
        let mut table = transaction.open_table(about).unwrap();
        table
            .insert("format", version.to_le_bytes().as_slice())
            .unwrap();
        if !is_counted {
            table.remove("commits").unwrap();
        }
        drop(table);
        transaction.commit().unwrap();
    }
    let said = refused(folder.path(), SPOOL, &[]).await;

    let told = format!(
        "error: the spool `spool` is in version {version} of its format, and this build reads version 1; start the \
         build that wrote it, and let it deliver what it holds\n"
    );
    assert_eq!((said.code, said.err), (78, told));
    let engine = Database::open(file(folder.path())).unwrap();
    let rows: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rows");
    let rows = engine.begin_read().unwrap().open_table(rows).unwrap();
    assert_eq!(rows.len().unwrap(), 1);
}

#[tokio::test]
async fn a_damaged_file_is_refused_wherever_the_damage_is() {
    const BODY: &str = "a body that is easily found in a file";
    let folder = with_one(SPOOL, &[], BODY).await;
    let file = file(folder.path());
    let whole = std::fs::read(&file).unwrap();
    let at = whole
        .windows(BODY.len())
        .position(|window| window == BODY.as_bytes());
    let count = folder.path().join("spool/commits");
    let counted = std::fs::read(&count).unwrap();
    let mut changed = whole.clone();
    changed[at.unwrap()] ^= 1;
    let cut = |length: usize| whole[..length].to_vec();
    let (zeroes, length) = (vec![0; whole.len()], whole.len());
    let damages = [
        ("a body", changed, counted.clone()),
        ("half of a file", cut(length / 2), counted.clone()),
        ("a page is missing", cut(length - 4096), counted.clone()),
        ("two pages", cut(8192), counted.clone()),
        ("part of a head", cut(100), counted.clone()),
        ("nothing", Vec::new(), counted.clone()),
        ("nothing anywhere", Vec::new(), Vec::new()),
        ("zeroes", zeroes.clone(), counted.clone()),
        ("zeroes everywhere", zeroes, vec![0; counted.len()]),
        (
            "something else",
            b"#!/bin/sh\n".repeat(1000),
            counted.clone(),
        ),
    ];
    for (what, bytes, count_bytes) in damages {
        std::fs::write(&file, &bytes).unwrap();
        std::fs::write(&count, &count_bytes).unwrap();

        let said = refused(folder.path(), SPOOL, &[]).await;

        assert_eq!(said.code, 78, "{what}: {}", said.err);
        let (words, cure) = (
            "error: the spool `spool` is damaged: ",
            "; put the directory back from a copy, or move it away to start without what it holds\n",
        );
        assert!(
            said.err.starts_with(words) && said.err.ends_with(cure),
            "{what}: {}",
            said.err
        );
    }
    std::fs::write(&count, &counted).unwrap();

    // The cure works.
    std::fs::write(&file, &whole).unwrap();
    let mut upstream = Upstream::ok().await;
    let toml = SPOOL.to_owned() + &hook(&upstream) + EARLY;
    let _gate = Gate::start_in(Arc::clone(&folder), &toml, &[]).await;
    assert_eq!(upstream.next().await.text(), BODY);
}

#[tokio::test]
async fn a_file_that_is_gone_is_missed_and_not_made_anew() {
    let folder = with_one(SPOOL, &[], "x").await;
    std::fs::remove_file(file(folder.path())).unwrap();
    let told = "error: the spool `spool` is damaged: its file is gone; put the directory back from a copy, or move it \
         away to start without what it holds\n";

    let said = refused(folder.path(), SPOOL, &[]).await;

    assert_eq!((said.code, said.err.as_str()), (78, told));
    assert!(!file(folder.path()).exists());
    let said = tool(folder.path(), &["check", "--config", "config.toml"], &[]).await;
    assert_eq!(said.code, 78, "{}", said.err);
    assert!(said.err.ends_with(told), "{}", said.err);
}

#[tokio::test]
async fn a_spool_that_an_older_engine_wrote_is_told_by_its_version() {
    /// Where the engine's two commit slots say in which version they are.
    const VERSIONS: [usize; 2] = [64, 192];
    let folder = with_one(SPOOL, &[], "x").await;
    let file = file(folder.path());
    let mut bytes = std::fs::read(&file).unwrap();
    VERSIONS.iter().for_each(|at| bytes[*at] = 1);
    std::fs::write(&file, &bytes).unwrap();

    let said = refused(folder.path(), SPOOL, &[]).await;

    let told = "error: the spool `spool` is in version 1 of its engine's format, which this build does not read; \
         start the build that wrote it, and let it deliver what it holds\n";
    assert_eq!((said.code, said.err.as_str()), (78, told));
}

#[tokio::test]
async fn a_spool_that_is_removed_under_a_process_is_noticed_and_nothing_is_acknowledged_any_more() {
    for is_moved in [false, true] {
        let (folder, absent) = (folder(), Absent::new());
        let server = "[server]\nlisten = [\"127.0.0.1:0\"]\ndrain = \"1s\"\n";
        let toml = server.to_owned() + SPOOL + &hook_to(&absent.url()) + EARLY;
        let mut gate = Gate::start_in(Arc::clone(&folder), &toml, &[]).await;
        let before = Call::post("/hook", "before").send(gate.address).await;
        assert_eq!(before.status, 202);

        let spool = folder.path().join("spool");
        match is_moved {
            true => std::fs::rename(&spool, folder.path().join("elsewhere")).unwrap(),
            false => std::fs::remove_dir_all(&spool).unwrap(),
        }
        let after = Call::post("/hook", "after").send(gate.address).await;

        assert_eq!(
            (after.status, after.field("retry-after")),
            (503, Some("30"))
        );
        let line = gate
            .wait_for_log(|line| {
                line["msg"] == "spool cannot be written, senders are asked to come back"
            })
            .await;
        let reason = line["reason"].as_str().unwrap();
        assert!(
            reason.contains("is not in its directory any more"),
            "{line}"
        );
        assert_eq!(gate.ask(&Call::get("/ready")).await.status, 503);
        gate.signal("TERM");
        // It is in memory alone, and the end names it.
        let (status, log) = gate.ended().await;
        let id = before.field("hookgate-id").unwrap();
        let is_named =
            |line: &String| line.contains(id) && line.contains("acknowledged delivery lost");
        assert_eq!(status.code(), Some(75), "{log:?}");
        assert!(log.iter().any(is_named), "{log:?}");
    }
}

#[tokio::test]
async fn check_refuses_the_spool_that_run_refuses_and_no_other() {
    let sealed = format!("{SPOOL}key = {{ env = \"KEY\" }}\n");
    let folder = with_one(&sealed, &[("KEY", KEY)], "x").await;
    let toml = sealed.clone() + &hook_to("http://127.0.0.1:1") + EARLY;
    std::fs::write(folder.path().join("config.toml"), toml).unwrap();
    let check = async |key: &str| {
        let arguments = ["check", "--config", "config.toml"];
        tool(folder.path(), &arguments, &[("KEY", key)]).await
    };

    let said = check("another key of thirty-two bytes...").await;

    let told = "error: the spool `spool` was sealed with another `key`; give it that one until what it holds is delivered\n";
    assert_eq!(said.code, 78, "{}", said.err);
    assert!(said.err.ends_with(told), "{}", said.err);
    assert_eq!(check(KEY).await.code, 0);
    // Whoever looked has changed nothing: it is still the spool of a process that was killed.
    let toml = sealed + &hook_to("http://127.0.0.1:1") + EARLY;
    let mut gate = Gate::start_in(Arc::clone(&folder), &toml, &[("KEY", KEY)]).await;
    gate.wait_for_log(|line| {
        line["msg"]
            .as_str()
            .is_some_and(|words| words.contains("did not end in order"))
    })
    .await;
    // One that is in use was fit to be used.
    assert_eq!(check(KEY).await.code, 0);
}
