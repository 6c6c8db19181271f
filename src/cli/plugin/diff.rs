//! What a fixture expects beside what came: both told in lines, then compared.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::words::clean;
use crate::config::{Expected, ExpectedBody, ExpectedDelivery};
use crate::plugin::{Accepted, Failure, Response, Verdict};
use crate::webhook::{Change, Overlay, Webhook};

/// Beyond this, lines are not matched one by one: a body of a megabyte is told as a whole.
const LINES_MAX: usize = 2_000;

/// One line of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Expected, and not there.
    Missing(String),
    /// There, and not expected.
    Surplus(String),
}

/// How what came differs from what was expected; empty when it does not.
pub(super) fn differences(
    expected: &Expected,
    said: &Result<Verdict, Failure>,
    webhook: &Webhook,
) -> Vec<Line> {
    compare(&wanted(expected, said, webhook), &came(said, webhook))
}

/// What came, in lines.
fn came(said: &Result<Verdict, Failure>, webhook: &Webhook) -> Vec<String> {
    match said {
        Ok(Verdict::Accepted(accepted)) => {
            let mut lines = vec!["verdict accept".to_owned()];
            lines.push(event(accepted.event().map(|event| &**event)));
            for (index, overlay) in accepted.overlays().iter().enumerate() {
                let (fields, body) = made(overlay, webhook);
                lines.push(format!("delivery {}", index + 1));
                lines.extend(turns(overlay));
                lines.extend(told(&fields));
                lines.extend(text(&body));
            }
            lines
        }
        Ok(Verdict::Dropped { reason, .. }) => {
            vec!["verdict drop".to_owned(), format!("reason {reason:?}")]
        }
        Ok(Verdict::Rejected { status, reason, .. }) => vec![
            "verdict reject".to_owned(),
            format!("status {status}"),
            format!("reason {reason:?}"),
        ],
        Ok(Verdict::Responded { response, .. }) => {
            let mut lines = vec![
                "verdict respond".to_owned(),
                format!("status {}", response.status.as_u16()),
            ];
            lines.extend(told(&answered(response)));
            lines.extend(text(&response.body));
            lines
        }
        Err(failure) => vec![
            "verdict failure".to_owned(),
            format!("kind {}", failure.kind.as_str()),
            format!("says {:?}", failure.detail),
        ],
    }
}

/// What was expected, in lines; where the fixture does not care, what came is right.
fn wanted(expected: &Expected, said: &Result<Verdict, Failure>, webhook: &Webhook) -> Vec<String> {
    let or = |cares: Option<String>, prefix: &str| {
        let line = cares.map(|value| format!("{prefix} {value}"));
        line.or_else(|| {
            let mut came = came(said, webhook).into_iter();
            came.find(|line| line.starts_with(prefix))
        })
    };
    let quote = |text: &Option<String>| text.as_ref().map(|text| format!("{text:?}"));
    let mut lines = Vec::new();
    match expected {
        Expected::Accept {
            event: expected,
            deliveries,
        } => {
            let accepted = match said {
                Ok(Verdict::Accepted(accepted)) => Some(accepted),
                _ => None,
            };
            lines.push("verdict accept".to_owned());
            let came = accepted.and_then(Accepted::event).map(|event| &**event);
            lines.push(event(expected.as_deref().or(came)));
            for (index, delivery) in deliveries.iter().enumerate() {
                lines.push(format!("delivery {}", index + 1));
                let overlay = accepted.and_then(|accepted| accepted.overlays().get(index));
                lines.extend(wanted_delivery(delivery, overlay, webhook));
            }
        }
        Expected::Drop { reason } => {
            lines.push("verdict drop".to_owned());
            lines.extend(or(quote(reason), "reason"));
        }
        Expected::Reject { status, reason } => {
            lines.push("verdict reject".to_owned());
            lines.extend(or(status.map(|status| status.to_string()), "status"));
            lines.extend(or(quote(reason), "reason"));
        }
        Expected::Respond {
            status,
            fields,
            body,
        } => {
            lines.push("verdict respond".to_owned());
            lines.extend(or(status.map(|status| status.to_string()), "status"));
            let response = match said {
                Ok(Verdict::Responded { response, .. }) => Some(response),
                _ => None,
            };
            let mut all = response.map_or_else(BTreeMap::new, answered);
            for (name, value) in fields {
                all.insert(name.to_string(), vec![format!("{value:?}")]);
            }
            lines.extend(told(&all));
            let came = response.map(|response| response.body.clone());
            let body = body.clone().map(Bytes::from).or(came);
            lines.extend(text(&body.unwrap_or_default()));
        }
        Expected::Failure { kind, says } => {
            lines.push("verdict failure".to_owned());
            lines.extend(or(kind.map(|kind| kind.as_str().to_owned()), "kind"));
            let detail = said.as_ref().err().map(|failure| &failure.detail);
            let says = match (says, detail) {
                (Some(part), Some(detail)) if detail.contains(part) => Some(detail),
                (Some(part), _) => Some(part),
                (None, detail) => detail,
            };
            lines.extend(says.map(|says| format!("says {says:?}")));
        }
    }
    lines
}

fn wanted_delivery(
    expected: &ExpectedDelivery,
    came: Option<&Overlay>,
    webhook: &Webhook,
) -> Vec<String> {
    let turns = [
        ("target", &expected.target),
        ("upstream", &expected.upstream),
        ("ordering key", &expected.ordering_key),
        ("dedupe key", &expected.dedupe_key),
    ];
    let turns = turns
        .into_iter()
        .filter_map(|(name, value)| turn(name, value.as_deref()));
    let mut lines: Vec<String> = turns.collect();
    let mut fields = collect(webhook.fields.iter());
    for (name, values) in &expected.fields {
        match values.is_empty() {
            true => fields.remove(name.as_str()),
            false => fields.insert(name.to_string(), {
                let values = values.iter().map(|value| quoted(value.as_bytes()));
                values.collect()
            }),
        };
    }
    lines.extend(told(&fields));
    let body = match &expected.body {
        ExpectedBody::Unchanged => webhook.body.clone(),
        ExpectedBody::Bytes(bytes) => bytes.clone(),
        ExpectedBody::Json(json) => {
            let came = came.and_then(|overlay| overlay.body.clone());
            let came = came.unwrap_or_else(|| webhook.body.clone());
            match serde_json::from_slice::<serde_json::Value>(&came) {
                Ok(same) if same == *json => came,
                _ => json.to_string().into(),
            }
        }
    };
    lines.extend(text(&body));
    lines
}

/// Fields and body of a delivery as an upstream gets them, without what the proxy adds.
fn made(overlay: &Overlay, webhook: &Webhook) -> (BTreeMap<String, Vec<String>>, Bytes) {
    let mut fields = collect(webhook.fields.iter());
    for change in &overlay.changes {
        match change {
            Change::Set(name, value) => {
                fields.insert(name.to_string(), vec![quoted(value.as_bytes())]);
            }
            Change::Add(name, value) => {
                fields
                    .entry(name.to_string())
                    .or_default()
                    .push(quoted(value.as_bytes()));
            }
            Change::Remove(name) => {
                fields.remove(name.as_str());
            }
        }
    }
    let body = overlay.body.clone();
    (fields, body.unwrap_or_else(|| webhook.body.clone()))
}

fn turns(overlay: &Overlay) -> Vec<String> {
    let dedupe = overlay.dedupe.as_ref().map(|dedupe| &*dedupe.key);
    [
        turn("target", overlay.target.as_ref().map(|t| t.as_str())),
        turn("upstream", overlay.upstream.as_deref()),
        turn("ordering key", overlay.ordering_key.as_deref()),
        turn("dedupe key", dedupe),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn turn(name: &str, value: Option<&str>) -> Option<String> {
    value.map(|value| format!("  {name} {value:?}"))
}

fn event(name: Option<&str>) -> String {
    match name {
        Some(name) => format!("event {name:?}"),
        None => "event none".to_owned(),
    }
}

fn collect<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in fields {
        all.entry(name.to_owned()).or_default().push(quoted(value));
    }
    all
}

fn quoted(value: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(value))
}

/// The fields of a direct answer.
fn answered(response: &Response) -> BTreeMap<String, Vec<String>> {
    let fields = response.fields.iter();
    collect(fields.map(|(name, value)| (name.as_str(), value.as_bytes())))
}

fn told(fields: &BTreeMap<String, Vec<String>>) -> impl Iterator<Item = String> {
    fields
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| format!("  {name}: {value}")))
}

/// A body in lines: JSON is spread out, so that a difference is a line.
fn text(body: &[u8]) -> Vec<String> {
    let spread = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .filter(|_| body.len() <= 64 << 10)
        .and_then(|json| serde_json::to_string_pretty(&json).ok());
    // What was written stays visible where it is more than blanks and order.
    let exact = format!("  body of {} bytes", body.len());
    let text = spread.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let lines = text.split('\n').map(|line| format!("    {}", clean(line)));
    std::iter::once(exact).chain(lines).collect()
}

/// The lines of either side that the other does not have, in order: the longest common sequence stays
/// out.
fn compare(expected: &[String], came: &[String]) -> Vec<Line> {
    let missing = |line: &String| Line::Missing(line.clone());
    let surplus = |line: &String| Line::Surplus(line.clone());
    if expected == came {
        return Vec::new();
    }
    if expected.len().max(came.len()) > LINES_MAX {
        let surplus = came.iter().map(surplus);
        return expected.iter().map(missing).chain(surplus).collect();
    }
    // `common[i][j]`: the length of the longest sequence that both have from line i and j on.
    let width = came.len() + 1;
    let mut common = vec![0_u32; (expected.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, left) in expected.iter().enumerate().rev() {
        for (j, right) in came.iter().enumerate().rev() {
            let longest = match left == right {
                true => at(&common, i + 1, j + 1) + 1,
                false => at(&common, i + 1, j).max(at(&common, i, j + 1)),
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = longest;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (expected.get(i), came.get(j)) {
            (Some(left), Some(right)) if left == right => (i, j) = (i + 1, j + 1),
            (Some(left), right)
                if right.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) =>
            {
                lines.push(missing(left));
                i += 1;
            }
            (_, Some(right)) => {
                lines.push(surplus(right));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, compare};

    #[test]
    fn what_both_have_is_left_out() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let missing = |line: &str| Line::Missing(line.into());
        let surplus = |line: &str| Line::Surplus(line.into());

        assert_eq!(compare(&lines("a b c"), &lines("a b c")), []);
        assert_eq!(
            compare(&lines("a b c d"), &lines("a x c e")),
            [missing("b"), surplus("x"), missing("d"), surplus("e")]
        );
        assert_eq!(compare(&lines("a b"), &lines("b")), [missing("a")]);
        assert_eq!(compare(&lines("a"), &lines("a b")), [surplus("b")]);
    }
}
