//! `hookgate plugin bench`: what a plugin costs, at load and for each webhook.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::words::{size, table, time};
use super::{Bench, beside, fixtures, load, subject};
use crate::cli::exit::Exit;
use crate::cli::load::Workshop;
use crate::cli::run::fail;
use crate::config::{Colour, Expected, Fixture, Subject};
use crate::plugin::Compiled;

/// A slow plugin is measured with fewer webhooks.
const TIME_MAX: Duration = Duration::from_secs(3);
/// Judged first and not counted: caches and pages get warm.
const WARM_UP: usize = 50;

/// What was measured of one plugin.
struct Measured {
    name: String,
    bytes: u64,
    ours: usize,
    wasi: usize,
    compiled: Duration,
    loaded: Duration,
    memory: usize,
    median: Duration,
    slow: Duration,
    webhooks: usize,
}

pub(super) fn bench(options: &Bench) -> Exit {
    let mut measured = Vec::new();
    for plugin in &options.plugins {
        match measure(plugin, options) {
            Ok(one) => measured.push(one),
            Err(exit) => return exit,
        }
    }
    if options.json {
        for one in &measured {
            println!(
                "{}",
                json!({
                    "plugin": one.name, "bytes": one.bytes, "imports": one.ours, "wasi_imports": one.wasi,
                    "compile_ms": one.compiled.as_secs_f64() * 1e3,
                    "load_ms": one.loaded.as_secs_f64() * 1e3,
                    "memory_bytes": one.memory, "webhooks": one.webhooks,
                    "median_us": one.median.as_secs_f64() * 1e6, "p99_us": one.slow.as_secs_f64() * 1e6,
                })
            );
        }
        return Exit::Ok;
    }
    let header = [
        "PLUGIN", "SIZE", "IMPORTS", "COMPILE", "LOAD", "MEMORY", "MEDIAN", "P99",
    ];
    let mut rows = vec![header.map(ToOwned::to_owned)];
    rows.extend(measured.iter().map(|one| {
        let imports = match one.wasi {
            0 => one.ours.to_string(),
            wasi => format!("{} + {wasi} wasi", one.ours),
        };
        [
            one.name.clone(),
            size(one.bytes),
            imports,
            time(one.compiled),
            time(one.loaded),
            size(one.memory as u64),
            time(one.median),
            time(one.slow),
        ]
    }));
    table(&rows).iter().for_each(|line| println!("{line}"));
    Exit::Ok
}

fn measure(plugin: &Path, options: &Bench) -> Result<Measured, Exit> {
    let subject = subject(plugin);
    let cache = Scratch::new().map_err(|error| fail(&error))?;
    // Once into an empty cache, and once from it, as a second start would.
    let fresh = Workshop::with_cache(&cache.0).map_err(|error| fail(&error))?;
    let compiled = load(fresh.catalog(), &subject).map_err(|error| fail(&error))?;
    drop(fresh);
    let workshop = Workshop::with_cache(&cache.0).map_err(|error| fail(&error))?;
    let loaded = load(workshop.catalog(), &subject).map_err(|error| fail(&error))?;
    let (fixture, _) = webhook(plugin, options, &workshop, &subject)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| fail(&error))?;
    let once = super::judged::judge(&runtime, &fixture, &workshop.telemetry);
    let mut times = Vec::with_capacity(options.webhooks);
    runtime.block_on(async {
        let started = Instant::now();
        for round in 0..WARM_UP + options.webhooks {
            let begun = Instant::now();
            let judging =
                fixture
                    .chain
                    .judge(&fixture.webhook, &fixture.upstreams, &workshop.telemetry);
            // Whatever it says, it took its time.
            drop(judging.await);
            if round >= WARM_UP {
                times.push(begun.elapsed());
            }
            if started.elapsed() > TIME_MAX && !times.is_empty() {
                break;
            }
        }
    });
    times.sort_unstable();
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .copied()
            .unwrap_or_default()
    };
    let imports = loaded.imports().iter();
    let (ours, wasi): (Vec<_>, Vec<_>) = imports.partition(|name| name.starts_with("hookgate:"));
    Ok(Measured {
        name: plugin.display().to_string(),
        bytes: super::bytes(&subject),
        ours: ours.len(),
        wasi: wasi.len(),
        compiled: took(compiled.compiled_in()),
        loaded: took(loaded.compiled_in()),
        memory: once.memory.unwrap_or(loaded.memory()),
        median: at(50),
        slow: at(99),
        webhooks: times.len(),
    })
}

fn took(origin: Compiled) -> Duration {
    match origin {
        Compiled::Fresh(took) | Compiled::FromCache(took) => took,
    }
}

/// The named fixture, else the first one that expects to be accepted, else the first one.
fn webhook(
    plugin: &Path,
    options: &Bench,
    workshop: &Workshop,
    subject: &Subject,
) -> Result<(Fixture, PathBuf), Exit> {
    let found = match &options.fixture {
        Some(path) => vec![path.clone()],
        None => fixtures(&[beside(plugin)]).unwrap_or_default(),
    };
    let mut first = None;
    for path in found {
        let fixture = workshop.fixture(&path, subject).map_err(|report| {
            eprintln!("{}", report.render(Colour::for_stderr()));
            Exit::Failure
        })?;
        if matches!(fixture.expected, Some(Expected::Accept { .. })) {
            return Ok((fixture, path));
        }
        first.get_or_insert((fixture, path));
    }
    first.ok_or_else(|| {
        eprintln!(
            "error: there is no webhook to judge\n\n  put a fixture into {}, or name one with --fixture FILE",
            beside(plugin).display()
        );
        Exit::Usage
    })
}

/// A folder of our own for compiled code; gone in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let name = format!("hookgate-bench-{:016x}", fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is in the system's folder for such things.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
