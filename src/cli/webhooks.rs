//! `hookgate webhooks`: where a webhook is, and what to do about dead letters; asks a running gate.

#![expect(
    clippy::indexing_slicing,
    reason = "of a JSON value, what is missing is null"
)]

use std::fmt::Write as _;

use bytes::Bytes;
use http::Request;
use serde_json::Value;

use super::exit::Exit;
use super::{Webhooks, What, Which};
use crate::delivery::{Answer, Upstream, UpstreamSettings, UpstreamUrl};
use crate::telemetry::Telemetry;

pub(super) fn webhooks(options: &Webhooks) -> Exit {
    let (method, path, query) = match &options.what {
        What::Find { id } => ("GET", "/api/webhooks", vec![("id", &**id)]),
        What::Show { id } => ("GET", "/api/dead-letters", vec![("id", &**id)]),
        What::List(which) => ("GET", "/api/dead-letters", which.query()),
        What::Replay { which, to } => {
            let mut query = which.query();
            query.extend(to.as_deref().map(|to| ("to", to)));
            ("POST", "/api/dead-letters/replay", query)
        }
        What::Discard(which) => ("POST", "/api/dead-letters/discard", which.query()),
    };
    let answer = match ask(options, method, &target(path, &query)) {
        Ok(answer) => answer,
        Err(why) => {
            eprintln!("error: {} did not answer: {why}", options.admin);
            return Exit::Failure;
        }
    };
    let text = String::from_utf8_lossy(&answer.body);
    let told = match serde_json::from_slice::<Value>(&answer.body) {
        Ok(told) if answer.status.is_success() => told,
        _ => {
            eprintln!("error: {}", text.trim_end());
            return Exit::Failure;
        }
    };
    if options.json {
        print!("{text}");
        return Exit::Ok;
    }
    match &options.what {
        What::Find { id } => found(id, &told),
        What::Show { .. } => show(&told),
        What::List(_) => list(&told),
        What::Replay { .. } => {
            println!("{} replayed", told["replayed"]);
            match told["kept"].as_u64() {
                Some(0) => Exit::Ok,
                _ => {
                    eprintln!("{} stay: the buffer has no room for them", told["kept"]);
                    Exit::Failure
                }
            }
        }
        What::Discard(_) => {
            println!("{} discarded", told["discarded"]);
            Exit::Ok
        }
    }
}

impl Which {
    fn query(&self) -> Vec<(&'static str, &str)> {
        let said = [
            ("id", &self.id),
            ("route", &self.route),
            ("upstream", &self.upstream),
            ("reason", &self.reason),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let said = said
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        said.chain(self.all.then_some(("all", "true"))).collect()
    }
}

fn found(id: &str, told: &Value) -> Exit {
    let deliveries = array(&told["deliveries"]);
    if deliveries.is_empty() {
        println!(
            "{id} is not known: it never became a delivery, or ended too long ago, or another gate has it"
        );
        return Exit::Failure;
    }
    for delivery in deliveries {
        let (upstream, route) = (text(&delivery["upstream"]), text(&delivery["route"]));
        let mut line = format!("{id}  {route} → {upstream}  {}", text(&delivery["state"]));
        if let Some(attempts) = delivery["attempts"].as_u64() {
            let _ = write!(line, ", {attempts} attempts");
        }
        if let Some(ms) = delivery["next_in_ms"].as_u64() {
            let _ = write!(line, ", the next in {:.1} s", seconds(ms));
        }
        if let Some(ms) = delivery["ended_ago_ms"].as_u64() {
            let _ = write!(line, ", {:.1} s ago", seconds(ms));
        }
        println!("{line}");
        tried(delivery);
    }
    Exit::Ok
}

fn list(told: &Value) -> Exit {
    for letter in array(&told["dead_letters"]) {
        println!(
            "{}  {}  {} → {}  {} attempts: {}",
            text(&letter["given_up_at"]),
            text(&letter["id"]),
            text(&letter["route"]),
            text(&letter["upstream"]),
            letter["attempts"],
            text(&letter["reason"]),
        );
    }
    Exit::Ok
}

fn show(told: &Value) -> Exit {
    let letters = array(&told["dead_letters"]);
    let Some(first) = letters.first() else {
        eprintln!("error: there is no such dead letter");
        return Exit::Failure;
    };
    list(told);
    letters.iter().for_each(tried);
    let webhook = &first["webhook"];
    println!(
        "\n{} {}",
        text(&webhook["method"]),
        text(&webhook["target"])
    );
    for field in array(&webhook["fields"]) {
        println!("{}: {}", text(&field[0]), text(&field[1]));
    }
    println!("\n{}", text(&webhook["body"]));
    Exit::Ok
}

fn tried(delivery: &Value) {
    for tried in array(&delivery["tried"]) {
        let after = seconds(tried["after_ms"].as_u64().unwrap_or_default());
        println!(
            "  attempt {} after {after:.1} s: {}",
            tried["attempt"],
            text(&tried["reason"])
        );
    }
}

/// For reading only.
fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// As it may be shown on a terminal: a sender's bytes do not move its cursor.
fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let shown = text.chars().map(|c| match c {
        '\n' | '\t' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    shown.collect()
}

fn target(path: &str, query: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    for (index, (name, value)) in query.iter().enumerate() {
        target.push(if index == 0 { '?' } else { '&' });
        target.push_str(name);
        target.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
                target.push(char::from(byte));
            } else {
                let _ = write!(target, "%{byte:02X}");
            }
        }
    }
    target
}

/// Asks the admin of a gate. Blocking.
fn ask(options: &Webhooks, method: &str, target: &str) -> Result<Answer, String> {
    let url = UpstreamUrl::parse(&format!("http://{}", options.admin))?;
    let settings = UpstreamSettings::new("the admin".into(), url);
    let meters = Telemetry::new().upstream("the admin");
    let upstream = Upstream::new(settings, 1, meters).map_err(|error| error.to_string())?;
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", &*options.admin)
        .header("content-length", 0);
    if let Some(name) = &options.token_env {
        let token =
            std::env::var(name).map_err(|_| format!("environment variable `{name}` is not set"))?;
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request
        .body(Bytes::new())
        .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| error.to_string())?
        .block_on(upstream.ask(&request))
}
