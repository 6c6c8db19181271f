//! The rules of the house that no compiler knows: who may import whom, how files open, how long they
//! are, and which words do not occur.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::string_slice, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// A room, and the rooms it may import (the order of the flow, see `src/lib.rs`).
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("message", &[]),
    ("http1", &["message"]),
    ("webhook", &["message"]),
    ("secret", &[]),
    ("preset", &["secret"]),
    ("drain", &[]),
    ("route", &[]),
    ("telemetry", &["webhook"]),
    (
        "listener",
        &["drain", "http1", "message", "secret", "telemetry"],
    ),
    ("plugin", &["message", "secret", "telemetry", "webhook"]),
    ("spool", &["secret", "telemetry"]),
    (
        "delivery",
        &[
            "drain",
            "http1",
            "message",
            "plugin",
            "spool",
            "telemetry",
            "webhook",
        ],
    ),
    ("fetch", &["delivery", "plugin", "telemetry", "webhook"]),
    (
        "gate",
        &[
            "delivery",
            "drain",
            "fetch",
            "message",
            "plugin",
            "route",
            "telemetry",
            "webhook",
        ],
    ),
    (
        "admin",
        &[
            "delivery",
            "drain",
            "gate",
            "plugin",
            "secret",
            "telemetry",
            "webhook",
        ],
    ),
    (
        "config",
        &[
            "admin",
            "delivery",
            "fetch",
            "gate",
            "listener",
            "message",
            "plugin",
            "preset",
            "route",
            "secret",
            "spool",
            "telemetry",
            "webhook",
        ],
    ),
    (
        "server",
        &[
            "admin",
            "config",
            "delivery",
            "drain",
            "fetch",
            "gate",
            "listener",
            "message",
            "plugin",
            "route",
            "secret",
            "spool",
            "telemetry",
            "webhook",
        ],
    ),
    (
        "cli",
        &[
            "admin",
            "config",
            "delivery",
            "drain",
            "gate",
            "listener",
            "message",
            "plugin",
            "preset",
            "route",
            "secret",
            "server",
            "telemetry",
            "webhook",
        ],
    ),
];

/// A file that holds more than this holds two nouns.
const LINES_MAX: usize = 500;

/// Crates that only one room may name, as their paths are written.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("wasmtime", &["src/plugin/"]),
    ("redb", &["src/spool/"]),
    (
        "hyper::",
        &[
            "src/listener/h2.rs",
            "src/delivery/pool.rs",
            "src/delivery/two.rs",
        ],
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Every source file with its name from the root and its text.
fn sources() -> Vec<(String, String)> {
    rust_files(&root().join("src"))
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(root())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn room(file: &str) -> &str {
    let rest = file.strip_prefix("src/").unwrap();
    rest.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Tests of a room in files of their own may use what the rooms around it offer.
fn is_of_tests(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("tests.rs")
}

fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn rooms_import_only_what_is_below_them() {
    let mut offences = Vec::new();
    for (file, text) in sources() {
        let room = room(&file);
        if room == "main" || room == "lib" || is_of_tests(&file) {
            continue;
        }
        let (_, allowed) = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("{file}: a room that tests/house.rs does not know"));
        for (number, line) in code_lines(&text) {
            for part in line.split("crate::").skip(1) {
                let imported: String = part
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                let is_room = MAY_IMPORT.iter().any(|(name, _)| *name == imported);
                if is_room && imported != room && !allowed.contains(&imported.as_str()) {
                    offences.push(format!("{file}:{}: {room} imports {imported}", number + 1));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn only_one_room_names_wasmtime_and_two_name_hyper() {
    let mut offences = Vec::new();
    for (file, text) in sources() {
        for (number, line) in code_lines(&text) {
            if is_of_tests(&file) {
                break;
            }
            for (name, places) in ONLY_IN {
                // `hyper_util` and a word that merely ends like the crate are not the crate.
                let named = line.match_indices(name).any(|(at, _)| {
                    !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                        && !line[at + name.len()..].starts_with('_')
                });
                if named && !line.contains('"') && !places.iter().any(|p| file.starts_with(p)) {
                    offences.push(format!("{file}:{}: names {name}", number + 1));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_file_opens_with_what_lives_there() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(f, _)| f)
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn no_file_holds_two_nouns() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > LINES_MAX)
        .map(|(file, text)| format!("{file}: {} lines", text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn unsafe_is_in_the_plugin_room_only_and_each_has_its_proof() {
    let mut offences = Vec::new();
    for (file, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in code_lines(&text) {
            if !line.contains("unsafe {")
                && !line.contains("unsafe fn")
                && !line.contains("unsafe impl")
            {
                continue;
            }
            let before = &lines[number.saturating_sub(8)..number];
            let proven = before.iter().any(|line| line.contains("SAFETY:"));
            if !file.starts_with("src/plugin/") || !proven {
                offences.push(format!("{file}:{}", number + 1));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}
