//! The scenes of the demo: each sends a webhook, shows what the sender and the upstream saw, and knows
//! what it promised.

use std::time::Duration;

use http::StatusCode;

use super::upstream::{Received, Upstream};
use super::{Stage, secret};
use crate::cli::samples;
use crate::cli::send::{call, tamper};
use crate::cli::sign::sign;
use crate::delivery::Answer;
use crate::preset;
use crate::webhook::Arrival;

/// How often the upstream fails before it is back.
const FAILURES: usize = 3;

/// One webhook of a scene.
struct Webhook {
    preset: &'static str,
    event: &'static str,
    route: &'static str,
    secret: &'static str,
    tampered: bool,
}

/// Plays all scenes; false when one of them did not end as it should.
pub(super) async fn play(stage: &Stage, upstream: &Upstream) -> bool {
    let push = || Webhook {
        preset: "github",
        event: "push",
        route: "/github",
        secret: secret("GITHUB_WEBHOOK_SECRET"),
        tampered: false,
    };
    let mut good = true;

    let (answer, seen) = run("1  accepted", push(), stage, upstream).await;
    good &= expect(&answer, StatusCode::OK, &seen, 1);
    say(&format!("upstream: {}", brief(&seen)));

    let forged = Webhook { tampered: true, ..push() };
    let (answer, seen) = run("2  tampered (one letter of the body changed)", forged, stage, upstream).await;
    good &= expect(&answer, StatusCode::UNAUTHORIZED, &seen, 0);
    say("upstream: saw nothing");

    let star = Webhook { event: "star", ..push() };
    let (answer, seen) = run("3  filtered (the route wants pushes and pull requests)", star, stage, upstream).await;
    good &= expect(&answer, StatusCode::OK, &seen, 0);
    say("upstream: saw nothing, and the sender will not try again");

    let chat = Webhook { route: "/chat", ..push() };
    let (answer, seen) = run("4  transformed (a push becomes a chat message)", chat, stage, upstream).await;
    good &= expect(&answer, StatusCode::OK, &seen, 1);
    say(&format!("upstream: {}", body(&seen)));

    let challenge = Webhook {
        preset: "slack",
        event: "url_verification",
        route: "/slack",
        secret: secret("SLACK_SIGNING_SECRET"),
        tampered: false,
    };
    let (answer, seen) = run("5  handshake (Slack asks who we are)", challenge, stage, upstream).await;
    good &= expect(&answer, StatusCode::OK, &seen, 0);
    say(&format!("answer:   {}", text(&answer)));

    upstream.fail(FAILURES);
    let paid = Webhook {
        preset: "stripe",
        event: "invoice.paid",
        route: "/stripe",
        secret: secret("STRIPE_WEBHOOK_SECRET"),
        tampered: false,
    };
    let title = "6  retried (the upstream fails three times, the sender waits)";
    let (answer, seen) = run(title, paid, stage, upstream).await;
    good &= expect(&answer, StatusCode::OK, &seen, 1);
    say(&format!("upstream: {}", brief(&seen)));
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
    let Webhook { preset, event, route, .. } = webhook;
    let took = millis(started.elapsed());
    say(&format!("sender:   {preset} {event} → {route}   {} in {took}", answer.status));
    (Some(answer), upstream.take())
}

async fn send(webhook: &Webhook, stage: &Stage) -> Result<Answer, String> {
    let preset = preset::find(webhook.preset).ok_or("no such preset")?;
    let body = samples::find(webhook.preset, webhook.event).ok_or("no such sample")?;
    let secret = webhook.secret.as_bytes();
    let mut signed = sign(preset, webhook.event, body.as_bytes(), secret, Arrival::now())
        .map_err(|error| error.to_string())?;
    if webhook.tampered {
        tamper(&mut signed.body);
    }
    call(&format!("http://{}{}", stage.gate, webhook.route), signed, None).await
}

fn expect(answer: &Option<Answer>, status: StatusCode, seen: &[Received], count: usize) -> bool {
    let kept = answer.as_ref().is_some_and(|answer| answer.status == status) && seen.len() == count;
    if !kept {
        say(&format!("this is not as it should be: {status} and {count} delivered were expected"));
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
        received.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("?").to_owned()
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

fn text(answer: &Option<Answer>) -> String {
    answer.as_ref().map_or_else(String::new, |answer| {
        String::from_utf8_lossy(&answer.body).into_owned()
    })
}

fn millis(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1_000.0)
}
