//! What a gate tells, as people read it: what is asked for goes to stdout, words about it to stderr.

use std::fmt::Write as _;

use serde_json::Value;

use crate::cli::exit::Exit;

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
        let (route, upstream) = (text(&delivery["route"]), text(&delivery["upstream"]));
        let at = state(delivery);
        let _ = writeln!(out, "{id}  {route} → {upstream}  {at}");
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
            "{}  {}  {} → {}  {}: {}",
            text(&letter["given_up_at"]),
            text(&letter["id"]),
            text(&letter["route"]),
            text(&letter["upstream"]),
            attempts(letter),
            text(&letter["reason"]),
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
            "{}  {}  {} → {}  {}, {} old",
            text(&delivery["arrived_at"]),
            text(&delivery["id"]),
            text(&delivery["route"]),
            text(&delivery["upstream"]),
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

/// One dead letter, with what was received.
pub(super) fn letter(told: &Value) -> Said {
    let all = array(&told["dead_letters"]);
    let Some(first) = all.first() else {
        return Said::failure("error: there is no such dead letter\n".to_owned());
    };
    let Said { mut out, .. } = letters(told);
    all.iter().for_each(|letter| tried(&mut out, letter));
    let webhook = &first["webhook"];
    let _ = writeln!(
        out,
        "\n{} {}",
        text(&webhook["method"]),
        text(&webhook["target"])
    );
    for field in array(&webhook["fields"]) {
        let _ = writeln!(out, "{}: {}", text(&field[0]), text(&field[1]));
    }
    let _ = writeln!(out, "\n{}", text(&webhook["body"]));
    Said::out(out)
}

/// What became of a replay.
pub(super) fn replayed(told: &Value) -> Said {
    let (replayed, kept) = (number(&told["replayed"]), number(&told["kept"]));
    if (replayed, kept) == (0, 0) {
        return nothing();
    }
    let out = format!("{replayed} replayed\n");
    match kept {
        0 => Said::out(out),
        _ => Said {
            out,
            err: format!("error: {kept} stay: the buffer has no room for them\n"),
            exit: Exit::Failure,
        },
    }
}

/// What became of a discard.
pub(super) fn discarded(told: &Value) -> Said {
    match number(&told["discarded"]) {
        0 => nothing(),
        discarded => Said::out(format!("{discarded} discarded\n")),
    }
}

fn nothing() -> Said {
    Said {
        err: "no dead letter fits, nothing was done\n".to_owned(),
        ..Said::out(String::new())
    }
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

/// Where a delivery is, and what it waits for.
fn state(delivery: &Value) -> String {
    let made = attempts(delivery);
    let next = delivery["next_in_ms"].as_u64().map(|ms| {
        let at = text(&delivery["next_at"]);
        format!("the next in {} (at {at})", time(ms))
    });
    let ago = delivery["ended_ago_ms"]
        .as_u64()
        .map(|ms| format!("{} ago", time(ms)));
    let ago = ago.unwrap_or_default();
    match (delivery["state"].as_str().unwrap_or_default(), next) {
        ("waiting", Some(next)) => format!("waiting, {made}, {next}"),
        ("waiting", None) => format!("waiting for its upstream or its turn, {made}"),
        ("in-flight", _) => {
            let under_way = number(&delivery["attempts"]) + 1;
            format!("in flight, attempt {under_way}")
        }
        ("sender-waits", Some(next)) => format!("its sender waits, {made}, {next}"),
        ("sender-waits", None) => match number(&delivery["attempts"]) {
            0 => "its sender waits".to_owned(),
            _ => format!("its sender waits, {made}"),
        },
        ("stranded", _) => format!(
            "stays in the spool, {made}: its route or its upstream is not in the configuration; put it back and \
             reload"
        ),
        ("dead", _) => {
            let reason = text(&delivery["reason"]);
            format!("dead letter, {made}, {ago}: {reason}")
        }
        ("refused", _) => format!("refused by the upstream, {made}, {ago}"),
        ("withdrawn", _) => format!("withdrawn, for its sender has it still, {made}, {ago}"),
        ("duplicate", _) => format!("a duplicate of one that was taken before, {ago}"),
        (state, _) => format!("{state}, {made}, {ago}"),
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
        "discarded" => "a dead letter that was discarded".to_owned(),
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
