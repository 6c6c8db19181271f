//! `hookgate check`: certificates opened, plugins compiled and asked, secrets resolved, nothing bound.

use super::Check;
use super::exit::Exit;
use super::load::{NO_FILE, Workshop, Written};
use super::run::fail;
use crate::config::Colour;

pub(super) fn check(options: &Check) -> Exit {
    let Some(path) = options.source.find() else {
        eprintln!("{NO_FILE}");
        return Exit::Usage;
    };
    let workshop = match Workshop::new() {
        Ok(workshop) => workshop,
        Err(error) => return fail(&error),
    };
    let (report, plan) = match workshop.load(&Written::File(path.clone()), None) {
        Ok(mut plan) => (std::mem::take(&mut plan.warnings), Some(plan)),
        Err(report) => (report, None),
    };
    if options.json {
        println!("{}", report.to_json());
    } else if !report.problems().is_empty() {
        eprintln!("{}", report.render(Colour::for_stderr()));
    }
    let Some(plan) = plan else {
        return Exit::Config;
    };
    if let Err(error) = plan.storage.check() {
        fail(&error);
        return Exit::Config;
    }
    if !options.json {
        let count = |count: usize, noun: &str| match count {
            1 => format!("1 {noun}"),
            count => format!("{count} {noun}s"),
        };
        println!(
            "{}: ok: {}, {}, {}",
            path.display(),
            count(plan.summary.len(), "route"),
            count(plan.plugins(), "plugin"),
            count(plan.upstreams.len(), "upstream"),
        );
    }
    Exit::Ok
}
