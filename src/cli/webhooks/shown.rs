//! What a gate tells, as people read it: what is asked for goes to stdout, words about it to stderr.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::exit::Exit;

/// Why a delivery is not attempted, and the cure.
const STRANDED: &str = "its route or its upstream is not in the configuration: put it back and reload, or replay it --to another";

/// What is to be printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) exit: Exit,
}

impl Said {
    fn out(out: String) -> Self {
        Self {
            out,
            err: String::new(),
            exit: Exit::Ok,
        }
    }

    fn failure(err: String) -> Self {
        Self {
            out: String::new(),
            err,
            exit: Exit::Failure,
        }
    }
}

/// Where one webhook is.
pub(super) fn found(id: &str, told: &Value) -> Said {
    let mut out = String::new();
    let deliveries = array(&told["deliveries"]);
    for delivery in deliveries {
        let (way, at) = (way(delivery), state(delivery));
        let _ = writeln!(out, "{id}  {way}  {at}");
        tried(&mut out, delivery);
    }
    // Beside a delivery it only says how its sender was answered.
    let ended = &told["ended"];
    if ended.is_object() {
        let route = match ended["route"].as_str() {
            Some(_) => format!("  {}", text(&ended["route"])),
            None => String::new(),
        };
        let _ = writeln!(out, "{id}{route}  {}", end(ended));
    }
    for repeated in array(&told["repeated"]) {
        let id = text(&repeated["id"]);
        let Said { out: more, err, .. } = found(&id, repeated);
        let _ = write!(out, "{more}{err}");
    }
    if out.is_empty() {
        return Said::failure(format!(
            "{id} is not known here: it never came, ended too long ago or before the last start, or \
             another gate has it\n"
        ));
    }
    Said::out(out)
}

/// Dead letters.
pub(super) fn letters(told: &Value) -> Said {
    let mut out = String::new();
    for letter in array(&told["dead_letters"]) {
        let _ = writeln!(
            out,
            "{}  {}  {}  {}: {}{}",
            text(&letter["given_up_at"]),
            text(&letter["id"]),
            way(letter),
            attempts(letter),
            text(&letter["reason"]),
            match letter["stranded"] == true {
                true => format!("; {STRANDED}"),
                false => String::new(),
            },
        );
    }
    let err = remark(told, &out, "no dead letters");
    Said {
        err,
        ..Said::out(out)
    }
}

/// What is held.
pub(super) fn waiting(told: &Value) -> Said {
    let mut out = String::new();
    for delivery in array(&told["waiting"]) {
        let _ = write!(
            out,
            "{}  {}  {}  {}, {} old",
            text(&delivery["arrived_at"]),
            text(&delivery["id"]),
            way(delivery),
            state(delivery),
            time(number(&delivery["age_ms"])),
        );
        if let Some(last) = array(&delivery["tried"]).last() {
            let _ = write!(out, ": {}", text(&last["reason"]));
        }
        out.push('\n');
    }
    let err = remark(told, &out, "nothing waits");
    Said {
        err,
        ..Said::out(out)
    }
}

/// Where one webhook is, with what was received.
pub(super) fn webhook(id: &str, told: &Value) -> Said {
    let mut said = found(id, told);
    let deliveries = array(&told["deliveries"]).iter();
    let mut webhooks = deliveries.map(|delivery| &delivery["webhook"]);
    let Some(webhook) = webhooks.find(|webhook| webhook.is_object()) else {
        if !said.out.is_empty() {
            let why =
                "what was received is shown while it waits between attempts, or is a dead letter";
            (said.err, said.exit) = (format!("{why}\n"), Exit::Failure);
        }
        return said;
    };
    let out = &mut said.out;
    let (method, target) = (text(&webhook["method"]), text(&webhook["target"]));
    let _ = writeln!(out, "\n{method} {target}");
    for field in array(&webhook["fields"]) {
        let _ = writeln!(out, "{}: {}", text(&field[0]), text(&field[1]));
    }
    let _ = writeln!(out, "\n{}", text(&webhook["body"]));
    said
}

/// What became of a replay or of a discard.
pub(super) fn done(told: &Value, waiting: bool) -> Said {
    let mut said = Said::out(String::new());
    for what in ["replayed", "hurried", "discarded"] {
        match number(&told[what]) {
            0 => {}
            count => {
                let _ = writeln!(said.out, "{count} {what}");
            }
        }
    }
    let failed = |said: &mut Said, why: &str| {
        let _ = writeln!(said.err, "{why}");
        said.exit = Exit::Failure;
    };
    let (kept, in_flight) = (number(&told["kept"]), number(&told["in_flight"]));
    if kept > 0 {
        let why = array(&told["why"]).iter().map(text).collect::<Vec<_>>();
        failed(
            &mut said,
            &format!("error: {kept} stay: {}", why.join("; ")),
        );
    }
    match told["discarded"].is_number() {
        _ if in_flight == 0 => {}
        true => {
            let _ = writeln!(
                said.err,
                "{in_flight} in an attempt, which is finished; if it fails, there is no other"
            );
        }
        false => {
            let _ = writeln!(
                said.err,
                "{in_flight} in an attempt at this moment, which is finished"
            );
        }
    }
    if told["on_disk"] == false {
        let why = "error: the spool's disk does not take it now: a restart before it does brings back what was";
        failed(&mut said, why);
    }
    if said.out.is_empty() && said.err.is_empty() {
        let none = if waiting {
            "nothing that waits fits"
        } else {
            "no dead letter fits"
        };
        said.err = format!("{none}, nothing was done\n");
    }
    said
}

/// Where the list goes on, or that there is none.
fn remark(told: &Value, out: &str, none: &str) -> String {
    match told["next"].as_str() {
        Some(_) => format!(
            "{} in all; go on with --after {}\n",
            number(&told["total"]),
            text(&told["next"])
        ),
        None if out.is_empty() => format!("{none}\n"),
        None => String::new(),
    }
}

/// From where to where a delivery goes, and which one of several it is.
fn way(delivery: &Value) -> String {
    let (route, upstream) = (text(&delivery["route"]), text(&delivery["upstream"]));
    match delivery["part"].as_u64() {
        Some(part) => format!("{route} → {upstream}, part {part}"),
        None => format!("{route} → {upstream}"),
    }
}

/// Where a delivery is, and what it waits for.
fn state(delivery: &Value) -> String {
    let made = attempts(delivery);
    let next = delivery["next_in_ms"].as_u64().map(|ms| {
        let at = text(&delivery["next_at"]);
        format!(", the next in {} (at {at})", time(ms))
    });
    let next = next.unwrap_or_default();
    let what_for = waits_for(delivery);
    let ago = delivery["ended_ago_ms"]
        .as_u64()
        .map(|ms| format!("{} ago", time(ms)));
    let ago = ago.unwrap_or_default();
    match delivery["state"].as_str().unwrap_or_default() {
        "waiting" => format!("waiting, {made}{next}{what_for}"),
        "in-flight" => {
            let under_way = number(&delivery["attempts"]) + 1;
            format!("in flight, attempt {under_way}")
        }
        "sender-waits" => match number(&delivery["attempts"]) {
            0 => "its sender waits".to_owned(),
            _ => format!("its sender waits, {made}{next}{what_for}"),
        },
        "stranded" => {
            let reason = text(&delivery["reason"]);
            let dead = match reason.is_empty() {
                true => String::new(),
                false => format!(" as a dead letter: {reason}"),
            };
            format!("is kept and not attempted, {made}{dead}; {STRANDED}")
        }
        "dead" => {
            let reason = text(&delivery["reason"]);
            format!("dead letter, {made}, {ago}: {reason}")
        }
        "refused" => format!("refused by the upstream, {made}, {ago}"),
        "withdrawn" => format!("withdrawn, for its sender has it still, {made}, {ago}"),
        "duplicate" => {
            let of = match delivery["repeats"].is_string() {
                true => text(&delivery["repeats"]),
                false => "one that was taken before".to_owned(),
            };
            format!("a duplicate of {of}, {ago}")
        }
        state => format!("{state}, {made}, {ago}"),
    }
}

/// What it waits for.
fn waits_for(delivery: &Value) -> &'static str {
    match delivery["waits_for"].as_str().unwrap_or_default() {
        "schedule" => " by its schedule",
        "retry-after" => " as its upstream asked",
        "breaker" => ": the breaker of its upstream is open",
        "probe" => ": the breaker of its upstream is half-open, and a probe is on its way",
        "rate" => " by the rate of its upstream",
        "places" => ": all places of its upstream are taken",
        "order" => ": one with the same ordering key is before it",
        "turn" => ": its turn comes",
        _ => "",
    }
}

/// How a call ended that came to no delivery.
fn end(ended: &Value) -> String {
    let plugin = text(&ended["plugin"]);
    let ago = time(number(&ended["ago_ms"]));
    let answered = match ended["status"].as_u64() {
        Some(status) => format!(", answered {status}"),
        None => String::new(),
    };
    let what = match ended["outcome"].as_str().unwrap_or_default() {
        "rejected" => format!("refused by `{plugin}`"),
        "dropped" => format!("dropped by `{plugin}`"),
        "responded" => format!("answered by `{plugin}`"),
        "failed" => format!("`{plugin}` failed"),
        "full" => "refused, for the buffer was full".to_owned(),
        "unkept" => "refused, for the spool could not be written".to_owned(),
        "draining" => "refused, for the process was ending".to_owned(),
        "discarded" => "discarded by an operator".to_owned(),
        "unavailable" => "its sender was told to come back".to_owned(),
        other => other.to_owned(),
    };
    let why = match ended["reason"].as_str() {
        Some(_) => format!(": {}", text(&ended["reason"])),
        None => String::new(),
    };
    format!("{what}{answered}, {ago} ago{why}")
}

fn tried(out: &mut String, delivery: &Value) {
    for tried in array(&delivery["tried"]) {
        let after = time(number(&tried["after_ms"]));
        let (attempt, reason) = (number(&tried["attempt"]), text(&tried["reason"]));
        let _ = writeln!(out, "  attempt {attempt} after {after}: {reason}");
    }
}

fn attempts(delivery: &Value) -> String {
    match number(&delivery["attempts"]) {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    }
}

/// As exact as a person needs it.
fn time(ms: u64) -> String {
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    match (hours, minutes) {
        (0, 0) => format!(
            "{:.1} s",
            std::time::Duration::from_millis(ms).as_secs_f64()
        ),
        (0, _) => format!("{minutes} min {} s", ms / 1_000 % 60),
        _ => format!("{hours} h {minutes} min"),
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_exact_as_a_person_needs_it() {
        for (ms, shown) in [
            (0, "0.0 s"),
            (1_234, "1.2 s"),
            (61_900, "1 min 1 s"),
            (3_599_000, "59 min 59 s"),
            (90_061_000, "25 h 1 min"),
        ] {
            assert_eq!(time(ms), shown);
        }
    }
}
