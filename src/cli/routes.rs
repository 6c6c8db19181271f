//! `hookgate routes`: what a configuration takes, and which route would take a given webhook.

use http::{Method, Uri};

use super::Routes;
use super::exit::Exit;
use super::load::{self, Workshop};
use crate::config::Plan;
use crate::route::Found;

pub(super) fn routes(options: &Routes) -> Exit {
    let (_, plan) = match load::plan(&options.source, Workshop::new()) {
        Ok(made) => made,
        Err(exit) => return exit,
    };
    match options.matching.as_deref() {
        Some([method, target]) => find(&plan, method, target),
        _ => {
            list(&plan);
            Exit::Ok
        }
    }
}

fn list(plan: &Plan) {
    let header = ["ROUTE", "TAKES", "PLUGINS", "ACK", "FORWARD"].map(ToOwned::to_owned);
    let rows = plan.summary.iter().map(|route| {
        let host = route.host.as_deref().unwrap_or_default();
        let plugins = if route.plugins.is_empty() {
            "-".to_owned()
        } else {
            route.plugins.join(" ▸ ")
        };
        [
            route.name.clone(),
            format!("{} {host}{}", route.methods.join(","), route.path),
            plugins,
            route.ack.to_owned(),
            route.upstreams.join(", "),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
    let mut widths = [0; 5];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

fn find(plan: &Plan, method: &str, target: &str) -> Exit {
    let (Ok(method), Ok(uri)) = (
        method.to_uppercase().parse::<Method>(),
        target.parse::<Uri>(),
    ) else {
        eprintln!("error: write it like: hookgate routes --match POST /github");
        return Exit::Usage;
    };
    match plan.routes.table.lookup(uri.host(), &method, uri.path()) {
        Found::Route(route) => {
            println!("{}", route.name);
            Exit::Ok
        }
        Found::MethodNotAllowed(allow) => {
            let allow = allow.to_str().unwrap_or_default();
            println!(
                "no route takes {method} {}; it is there for {allow}",
                uri.path()
            );
            Exit::Failure
        }
        Found::Nothing => {
            println!("no route takes {}", uri.path());
            Exit::Failure
        }
    }
}
