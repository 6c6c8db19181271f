//! The scenes of the demo: each sends a webhook, shows what the sender and the upstream saw, and knows
//! what it promised.

use std::time::Duration;

use http::StatusCode;

use super::upstream::{Received, Upstream};
use super::{Stage, secret};
use crate::cli::send::call;
use crate::delivery::Answer;
use crate::preset::{self, Call, Order, sign};
use crate::webhook::Arrival;

/// How often the upstream fails before it is back.
const FAILURES: usize = 3;

/// One webhook, and what must come of it.
#[derive(Clone, Copy)]
struct Scene {
    title: &'static str,
    webhook: Webhook,
    /// Deliveries that the upstream refuses first.
    failures: usize,
    status: StatusCode,
    /// Deliveries that it takes.
    delivered: usize,
    tell: Tell,
}

/// What is worth showing of a scene beside the sender's status.
#[derive(Clone, Copy)]
enum Tell {
    /// The delivery's head.
    Delivery,
    /// The delivery's body.
    Body,
    /// The sender's answer.
    Answer,
    /// That nothing arrived, in these words.
    Nothing(&'static str),
}

/// A webhook as its provider sends it.
#[derive(Clone, Copy)]
struct Webhook {
    preset: &'static str,
    event: &'static str,
    route: &'static str,
    secret: &'static str,
    tampered: bool,
}

fn scenes() -> [Scene; 6] {
    let push = Webhook {
        preset: "github",
        event: "push",
        route: "/github",
        secret: secret("GITHUB_WEBHOOK_SECRET"),
        tampered: false,
    };
    let challenge = Webhook {
        preset: "slack",
        event: "url_verification",
        route: "/slack",
        secret: secret("SLACK_SIGNING_SECRET"),
        tampered: false,
    };
    let paid = Webhook {
        preset: "stripe",
        event: "invoice.paid",
        route: "/stripe",
        secret: secret("STRIPE_WEBHOOK_SECRET"),
        tampered: false,
    };
    let accepted = Scene {
        title: "1  accepted",
        webhook: push,
        failures: 0,
        status: StatusCode::OK,
        delivered: 1,
        tell: Tell::Delivery,
    };
    [
        accepted,
        Scene {
            title: "2  tampered (one letter of the body changed)",
            webhook: Webhook {
                tampered: true,
                ..push
            },
            status: StatusCode::UNAUTHORIZED,
            delivered: 0,
            tell: Tell::Nothing("saw nothing"),
            ..accepted
        },
        Scene {
            title: "3  filtered (the route wants pushes and pull requests)",
            webhook: Webhook {
                event: "star",
                ..push
            },
            delivered: 0,
            tell: Tell::Nothing("saw nothing, and the sender will not try again"),
            ..accepted
        },
        Scene {
            title: "4  transformed (a push becomes a chat message)",
            webhook: Webhook {
                route: "/chat",
                ..push
            },
            tell: Tell::Body,
            ..accepted
        },
        Scene {
            title: "5  handshake (Slack asks who we are)",
            webhook: challenge,
            delivered: 0,
            tell: Tell::Answer,
            ..accepted
        },
        Scene {
            title: "6  retried (the upstream fails three times, the sender waits)",
            webhook: paid,
            failures: FAILURES,
            ..accepted
        },
    ]
}

/// Plays all scenes; false when one of them did not end as it should.
pub(super) async fn play(stage: &Stage, upstream: &Upstream) -> bool {
    let mut good = true;
    for scene in scenes() {
        upstream.fail(scene.failures);
        let (answer, seen) = run(scene.title, scene.webhook, stage, upstream).await;
        good &= expect(answer.as_ref(), scene.status, &seen, scene.delivered);
        say(&match scene.tell {
            Tell::Delivery => format!("upstream: {}", brief(&seen)),
            Tell::Body => format!("upstream: {}", body(&seen)),
            Tell::Answer => format!("answer:   {}", text(answer.as_ref())),
            Tell::Nothing(words) => format!("upstream: {words}"),
        });
    }
    println!();
    good
}

/// Sends one webhook and tells what came back.
async fn run(
    title: &str,
    webhook: Webhook,
    stage: &Stage,
    upstream: &Upstream,
) -> (Option<Answer>, Vec<Received>) {
    println!("{title}");
    let _before = upstream.take();
    let started = tokio::time::Instant::now();
    let answer = match send(&webhook, stage).await {
        Ok(answer) => answer,
        Err(why) => {
            say(&format!("error:    {why}"));
            return (None, Vec::new());
        }
    };
    let Webhook {
        preset,
        event,
        route,
        ..
    } = webhook;
    let took = millis(started.elapsed());
    say(&format!(
        "sender:   {preset} {event} → {route}   {} in {took}",
        answer.status
    ));
    (Some(answer), upstream.take())
}

async fn send(webhook: &Webhook, stage: &Stage) -> Result<Answer, String> {
    let preset = preset::find(webhook.preset).ok_or("no such preset")?;
    let sample = Call::sample(preset, webhook.event).ok_or("no such sample")?;
    let url = format!("http://{}{}", stage.gate, webhook.route);
    let order = Order {
        call: &sample,
        scheme: &preset.scheme,
        url: &url,
        secret: webhook.secret.as_bytes(),
        tamper: webhook.tampered,
    };
    let signed = sign(&order, Arrival::now().unix_ms()).map_err(|error| error.to_string())?;
    call(&url, signed, None).await
}

fn expect(answer: Option<&Answer>, status: StatusCode, seen: &[Received], count: usize) -> bool {
    let kept = answer
        .as_ref()
        .is_some_and(|answer| answer.status == status)
        && seen.len() == count;
    if !kept {
        say(&format!(
            "this is not as it should be: {status} and {count} delivered were expected"
        ));
    }
    kept
}

fn say(line: &str) {
    println!("   {line}");
}

fn brief(seen: &[Received]) -> String {
    let Some(received) = seen.first() else {
        return "saw nothing".to_owned();
    };
    let field = |name: &str| {
        received
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("?")
            .to_owned()
    };
    format!(
        "POST {}   {} bytes   hookgate-id: {}   hookgate-attempt: {}",
        received.path,
        received.body.len(),
        field("hookgate-id"),
        field("hookgate-attempt"),
    )
}

fn body(seen: &[Received]) -> String {
    seen.first().map_or_else(
        || "saw nothing".to_owned(),
        |received| String::from_utf8_lossy(&received.body).into_owned(),
    )
}

fn text(answer: Option<&Answer>) -> String {
    answer.map_or_else(String::new, |answer| {
        String::from_utf8_lossy(&answer.body).into_owned()
    })
}

fn millis(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1_000.0)
}
