//! `hookgate plugin test`: every fixture is judged by the host that production uses, and what came is
//! compared with what it expects.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::runtime::Runtime;

use super::diff::{Line, differences};
use super::judged::{Judged, judge, words};
use super::words::{quoted, size, time};
use super::{Test, beside, fixtures, load, subject};
use crate::cli::exit::Exit;
use crate::cli::load::Workshop;
use crate::cli::run::fail;
use crate::config::{Colour, Expected, Fixture, Subject};
use crate::plugin::{Failure, Source, Verdict};
use crate::webhook::Change;

/// How soon a change is seen: a build takes longer, and looking at a few files costs nothing.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) fn test(options: &Test) -> Exit {
    let workshop = match Workshop::small() {
        Ok(workshop) => workshop,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let bench = Bench {
        subject: subject(&options.plugin),
        options,
        workshop,
        runtime,
    };
    if !options.watch {
        return bench.run();
    }
    loop {
        let before = bench.stamp();
        bench.run();
        bench.workshop.tidy();
        println!("watching; Ctrl-C ends it");
        while bench.stamp() == before {
            let pause = async { tokio::time::sleep(LOOK_EVERY).await };
            bench.runtime.block_on(pause);
        }
        println!();
    }
}

struct Bench<'a> {
    options: &'a Test,
    subject: Subject,
    workshop: Workshop,
    runtime: Runtime,
}

impl Bench<'_> {
    /// Every fixture once.
    fn run(&self) -> Exit {
        // Once without any configuration: what is wrong with the component is not each fixture's fault.
        let plugin = match load(self.workshop.catalog(), &self.subject) {
            Ok(plugin) => plugin,
            Err(error) => return fail(&error),
        };
        let found = match fixtures(&self.named()) {
            Ok(found) => found,
            Err(error) => return fail(&error),
        };
        if found.is_empty() {
            let folder = beside(&self.options.plugin);
            eprintln!(
                "error: there is no fixture\n\n  looked for {}/*.toml; name another place: hookgate plugin test {} FIXTURE",
                folder.display(),
                self.options.plugin.display()
            );
            return Exit::Usage;
        }
        if !self.options.json {
            let stages: Vec<&str> = plugin.stages().iter().map(|stage| stage.as_str()).collect();
            let bytes = super::bytes(&self.subject);
            let name = self.options.plugin.display();
            println!("{name}   {}   {}", stages.join(" ▸ "), size(bytes));
        }
        let width = found.iter().map(|path| name(path).chars().count()).max();
        let width = width.unwrap_or_default();
        let failed = found
            .iter()
            .filter(|path| !self.try_one(path, width))
            .count();
        if !self.options.json {
            // The plain closing line of test runners: machines read it.
            println!("\n{} passed, {failed} failed", found.len() - failed);
        }
        match failed {
            0 => Exit::Ok,
            _ => Exit::Failure,
        }
    }

    /// One fixture; whether it passed.
    fn try_one(&self, path: &Path, width: usize) -> bool {
        let name = name(path);
        let fixture = match self.workshop.fixture(path, &self.subject) {
            Ok(fixture) => fixture,
            Err(report) => {
                if self.options.json {
                    println!(
                        "{}",
                        json!({ "fixture": path, "passed": false, "problems": report.lines() })
                    );
                } else {
                    println!("  FAIL  {name:width$}  it cannot be used");
                    eprintln!("{}", report.render(Colour::for_stderr()));
                }
                return false;
            }
        };
        let judged = judge(&self.runtime, &fixture, &self.workshop.telemetry);
        let lines = match &fixture.expected {
            Some(expected) => differences(expected, &judged.said, &fixture.webhook),
            None => Vec::new(),
        };
        let passed = fixture.expected.is_some() && lines.is_empty();
        if self.options.json {
            println!("{}", machine(path, passed, &judged, &lines));
            return passed;
        }
        let memory = judged.memory.map(|bytes| size(bytes as u64));
        let mark = if passed { "ok  " } else { "FAIL" };
        println!(
            "  {mark}  {name:width$}  {}   {}   {}",
            words(&judged.said),
            time(judged.took),
            memory.unwrap_or_default(),
        );
        if !passed {
            print!("{}", self.explain(path, &fixture, &judged, &lines));
        }
        passed
    }

    /// Everything that helps to find out why.
    fn explain(&self, path: &Path, fixture: &Fixture, judged: &Judged, lines: &[Line]) -> String {
        let mut text = String::new();
        let mut say = |line: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "        {line}");
        };
        for line in lines {
            match line {
                Line::Missing(line) => say(&format!("- {line}")),
                Line::Surplus(line) => say(&format!("+ {line}")),
            }
        }
        if fixture.expected.is_none() {
            say("it does not say what it expects; this is what came:");
            suggestion(&judged.said).iter().for_each(|line| say(line));
        }
        let expects_failure = matches!(fixture.expected, Some(Expected::Failure { .. }));
        if let (Err(failure), false) = (&judged.said, expects_failure) {
            let detail = failure.detail.split("; it wrote: ").next();
            say(&format!(
                "{} failed: {}",
                failure.stage.as_str(),
                detail.unwrap_or_default()
            ));
            if !failure.words.trim().is_empty() {
                say("its last words:");
                quoted(&failure.words).for_each(|line| say(&format!("| {line}")));
            }
        }
        if !judged.logged.is_empty() {
            say("it logged:");
            let lines = judged.logged.iter().flat_map(|line| quoted(line));
            lines.for_each(|line| say(&format!("| {line}")));
        }
        let plugin = self.options.plugin.display();
        say(&format!(
            "again: hookgate plugin test {plugin} {}",
            path.display()
        ));
        text
    }

    fn named(&self) -> Vec<PathBuf> {
        match self.options.fixtures.as_slice() {
            [] => Some(beside(&self.options.plugin))
                .filter(|folder| folder.exists())
                .into_iter()
                .collect(),
            named => named.to_vec(),
        }
    }

    /// When the component and the fixtures were last written.
    fn stamp(&self) -> Vec<(PathBuf, Option<SystemTime>)> {
        let mut files = fixtures(&self.named()).unwrap_or_default();
        if let Source::File { path, .. } = &self.subject.source {
            files.push(path.clone());
        }
        let stamp = |path: PathBuf| {
            let written = path.metadata().and_then(|file| file.modified());
            (path, written.ok())
        };
        files.into_iter().map(stamp).collect()
    }
}

fn name(path: &Path) -> Cow<'_, str> {
    path.file_stem().unwrap_or_default().to_string_lossy()
}

fn machine(path: &Path, passed: bool, judged: &Judged, lines: &[Line]) -> serde_json::Value {
    let lines: Vec<String> = lines
        .iter()
        .map(|line| match line {
            Line::Missing(line) => format!("- {line}"),
            Line::Surplus(line) => format!("+ {line}"),
        })
        .collect();
    let failure = judged.said.as_ref().err().map(|failure| {
        json!({
            "stage": failure.stage.as_str(), "kind": failure.kind.as_str(),
            "detail": failure.detail, "words": failure.words,
        })
    });
    json!({
        "fixture": path, "passed": passed, "verdict": words(&judged.said),
        "time_us": judged.took.as_secs_f64() * 1e6, "memory_bytes": judged.memory,
        "differences": lines, "failure": failure, "logged": judged.logged,
    })
}

/// The `[expect]` that this verdict would satisfy.
fn suggestion(said: &Result<Verdict, Failure>) -> Vec<String> {
    // A JSON string is a TOML string.
    let text = |text: &str| json!(text).to_string();
    let mut lines = vec!["[expect]".to_owned()];
    match said {
        Ok(Verdict::Accepted(accepted)) => {
            lines.push("verdict = \"accept\"".to_owned());
            for overlay in accepted.overlays() {
                lines.push("[[expect.deliveries]]".to_owned());
                for change in &overlay.changes {
                    lines.push(match change {
                        Change::Set(name, value) | Change::Add(name, value) => {
                            let value = String::from_utf8_lossy(value.as_bytes());
                            format!("headers.{name} = {}", text(&value))
                        }
                        Change::Remove(name) => format!("headers.{name} = false"),
                    });
                }
                if let Some(body) = &overlay.body {
                    lines.push(format!("body = {}", text(&String::from_utf8_lossy(body))));
                }
                let key = |name: &str, value: Option<&str>| {
                    value.map(|value| format!("{name} = {}", text(value)))
                };
                let dedupe = overlay.dedupe.as_ref().map(|dedupe| &*dedupe.key);
                lines.extend(key("target", overlay.target.as_ref().map(|t| t.as_str())));
                lines.extend(key("upstream", overlay.upstream.as_deref()));
                lines.extend(key("ordering_key", overlay.ordering_key.as_deref()));
                lines.extend(key("dedupe_key", dedupe));
            }
        }
        Ok(Verdict::Dropped { reason, .. }) => {
            lines.push("verdict = \"drop\"".to_owned());
            lines.push(format!("reason = {}", text(reason)));
        }
        Ok(Verdict::Rejected { status, reason, .. }) => {
            lines.push("verdict = \"reject\"".to_owned());
            lines.push(format!("status = {status}"));
            lines.push(format!("reason = {}", text(reason)));
        }
        Ok(Verdict::Responded { response, .. }) => {
            lines.push("verdict = \"respond\"".to_owned());
            lines.push(format!("status = {}", response.status.as_u16()));
            let body = String::from_utf8_lossy(&response.body);
            lines.push(format!("body = {}", text(&body)));
        }
        Err(failure) => {
            lines.push("verdict = \"failure\"".to_owned());
            lines.push(format!("kind = \"{}\"", failure.kind.as_str()));
        }
    }
    lines
}
