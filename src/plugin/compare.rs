//! What two versions of a plugin said about the same webhook, side by side.

use super::Stage;
use super::answer::Answer;
use super::failure::Fault;
use crate::webhook::{Overlay, Webhook};

/// How the two differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Same,
    Different {
        /// `verdict`, `bytes` or `failed`.
        outcome: &'static str,
        current: String,
        candidate: String,
    },
}

/// Compares what is decided and what is sent; the words of a reason are for people and may change.
pub(super) fn compare(
    webhook: &Webhook,
    stage: Stage,
    current: &Result<Answer, Fault>,
    candidate: &Result<Answer, Fault>,
) -> Comparison {
    let different = |outcome, of_current: String, of_candidate: String| Comparison::Different {
        outcome,
        current: of_current,
        candidate: of_candidate,
    };
    let (is, would) = (said(stage, current), said(stage, candidate));
    match (current, candidate) {
        (Err(current), Err(candidate)) if current.kind == candidate.kind => Comparison::Same,
        (_, Err(_)) => different("failed", is, would),
        _ if is != would => different("verdict", is, would),
        (Ok(Answer::Respond(current)), Ok(Answer::Respond(candidate))) if current != candidate => {
            let part = match current.body == candidate.body {
                true => "its header fields".into(),
                false => bytes("its body", &current.body, &candidate.body),
            };
            different("bytes", is, format!("{would}, {part} differ"))
        }
        (Ok(Answer::Deliver(current)), Ok(Answer::Deliver(candidate))) => {
            let mut pairs = (1..).zip(current.iter().zip(candidate));
            let part = pairs.find_map(|(number, (current, candidate))| {
                let part = part(webhook, current, candidate)?;
                Some(format!("{would}, of number {number} {part} differ"))
            });
            part.map_or(Comparison::Same, |part| different("bytes", is, part))
        }
        _ => Comparison::Same,
    }
}

/// The verdict in a few words, without anything that came from the webhook.
fn said(stage: Stage, answer: &Result<Answer, Fault>) -> String {
    match answer {
        Ok(Answer::Onward) if stage == Stage::Verify => "accept".into(),
        Ok(Answer::Onward) => "forward".into(),
        Ok(Answer::Drop(_)) => "drop".into(),
        Ok(Answer::Reject { status, .. }) => format!("reject {status}"),
        Ok(Answer::Respond(response)) => format!("respond {}", response.status.as_u16()),
        Ok(Answer::Deliver(made)) => format!("{} deliveries", made.len()),
        Err(fault) => format!("{}: {}", fault.kind.as_str(), fault.detail),
    }
}

/// The first part in which two deliveries differ, as an upstream would see them.
fn part(webhook: &Webhook, current: &Overlay, candidate: &Overlay) -> Option<String> {
    let body = |overlay: &Overlay| overlay.body.clone().unwrap_or_else(|| webhook.body.clone());
    let (is, would) = (body(current), body(candidate));
    if is != would {
        return Some(bytes("its body", &is, &would));
    }
    let parts = [
        (current.changes == candidate.changes, "its header fields"),
        (current.target == candidate.target, "its path"),
        (current.upstream == candidate.upstream, "its upstream"),
        (
            current.ordering_key == candidate.ordering_key,
            "its ordering key",
        ),
        (current.dedupe == candidate.dedupe, "its dedupe key"),
    ];
    let mut parts = parts.into_iter();
    parts.find(|(same, _)| !same).map(|(_, part)| part.into())
}

/// Where two texts part, and never what they say.
fn bytes(name: &str, current: &[u8], candidate: &[u8]) -> String {
    let same = current.iter().zip(candidate).take_while(|(a, b)| a == b);
    format!(
        "{name} ({} bytes to {}) from byte {} on",
        current.len(),
        candidate.len(),
        same.count()
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderName, HeaderValue, StatusCode};

    use super::super::host::Case;
    use super::super::{FailureKind, Response};
    use super::*;
    use crate::webhook::Change;

    fn respond(status: StatusCode, body: &'static str) -> Result<Answer, Fault> {
        Ok(Answer::Respond(Response {
            status,
            fields: Vec::new(),
            body: body.into(),
        }))
    }

    fn reject(status: u16, reason: &str) -> Result<Answer, Fault> {
        Ok(Answer::Reject {
            status,
            reason: reason.into(),
        })
    }

    fn deliver(overlays: &[Overlay]) -> Result<Answer, Fault> {
        Ok(Answer::Deliver(overlays.to_vec()))
    }

    fn body(body: &'static [u8]) -> Overlay {
        Overlay {
            body: Some(Bytes::from_static(body)),
            ..Overlay::default()
        }
    }

    fn failed(kind: FailureKind) -> Result<Answer, Fault> {
        Err(Fault::new(kind, "why"))
    }

    /// What is different, or nothing.
    fn compared(
        current: &Result<Answer, Fault>,
        candidate: &Result<Answer, Fault>,
    ) -> Option<(&'static str, String)> {
        let webhook = &Case::of_nothing().webhook;
        match compare(webhook, Stage::Filter, current, candidate) {
            Comparison::Same => None,
            Comparison::Different {
                outcome, candidate, ..
            } => Some((outcome, candidate)),
        }
    }

    #[test]
    fn what_is_decided_is_compared_and_the_words_are_not() {
        let forward = Ok(Answer::Onward);

        assert_eq!(compared(&reject(401, "a"), &reject(401, "b")), None);
        assert_eq!(compared(&forward, &Ok(Answer::Onward)), None);
        for (current, candidate, said) in [
            (&reject(401, ""), &reject(403, ""), "reject 403"),
            (&forward, &Ok(Answer::Drop("x".into())), "drop"),
            (&forward, &reject(403, ""), "reject 403"),
            (&failed(FailureKind::Trap), &forward, "forward"),
            (
                &respond(StatusCode::OK, ""),
                &respond(StatusCode::CREATED, ""),
                "respond 201",
            ),
            (&deliver(&[body(b"")]), &deliver(&[]), "0 deliveries"),
        ] {
            assert_eq!(compared(current, candidate), Some(("verdict", said.into())));
        }
    }

    #[test]
    fn a_candidate_that_fails_otherwise_has_failed() {
        let trap = failed(FailureKind::Trap);

        assert_eq!(compared(&trap, &failed(FailureKind::Trap)), None);
        let failed = Some(("failed", "time: why".into()));
        assert_eq!(compared(&trap, &self::failed(FailureKind::Time)), failed);
        assert_eq!(
            compared(&Ok(Answer::Onward), &self::failed(FailureKind::Time)),
            failed
        );
    }

    #[test]
    fn what_is_sent_is_compared_byte_by_byte() {
        let field = |value| Overlay {
            changes: vec![Change::Set(
                HeaderName::from_static("x-a"),
                HeaderValue::from_static(value),
            )],
            ..Overlay::default()
        };
        // Nothing and an empty body are the same towards an upstream when the webhook has none.
        assert_eq!(
            compared(&deliver(&[body(b"")]), &deliver(&[Overlay::default()])),
            None
        );
        for (current, candidate, part) in [
            (
                deliver(&[body(b"same"), body(b"abc")]),
                deliver(&[body(b"same"), body(b"abdef")]),
                "2 deliveries, of number 2 its body (3 bytes to 5) from byte 2 on differ",
            ),
            (
                deliver(&[field("1")]),
                deliver(&[field("2")]),
                "1 deliveries, of number 1 its header fields differ",
            ),
            (
                respond(StatusCode::OK, "a"),
                respond(StatusCode::OK, "b"),
                "respond 200, its body (1 bytes to 1) from byte 0 on differ",
            ),
        ] {
            assert_eq!(compared(&current, &candidate), Some(("bytes", part.into())));
        }
    }
}
