//! One webhook judged, and what was heard meanwhile.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::config::Fixture;
use crate::plugin::{Failure, Verdict};
use crate::telemetry::{Event, Telemetry};

/// What came of it.
#[derive(Debug)]
pub(super) struct Judged {
    /// The chain's word.
    pub said: Result<Verdict, Failure>,
    /// From the webhook to the verdict, the sandbox included.
    pub took: Duration,
    /// Bytes over all memories of the instance in the end; none if no stage ended well.
    pub memory: Option<usize>,
    /// What it logged, one line each.
    pub logged: Vec<String>,
}

#[derive(Default)]
struct Heard {
    memory: Option<usize>,
    logged: Vec<String>,
}

/// Runs the chain once.
pub(super) fn judge(runtime: &Runtime, fixture: &Fixture, telemetry: &Telemetry) -> Judged {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let ears = Arc::clone(&heard);
    let telemetry = telemetry.clone().heard_by(move |event| {
        // A panic under the lock leaves lists valid: every change is one push or one write.
        let mut heard = ears.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Judged { memory, .. } => heard.memory = Some(*memory),
            Event::GuestSaid {
                level,
                message,
                fields,
                ..
            } => {
                let mut line = format!("{level} {message}");
                for (key, value) in *fields {
                    // Writing to a string cannot fail.
                    let _ = write!(line, " {key}={value:?}");
                }
                heard.logged.push(line);
            }
            _ => {}
        }
    });
    let started = Instant::now();
    let judging = fixture
        .chain
        .judge(&fixture.webhook, &fixture.upstreams, &telemetry);
    let said = runtime.block_on(judging);
    let took = started.elapsed();
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    Judged {
        said,
        took,
        memory: heard.memory,
        logged: std::mem::take(&mut heard.logged),
    }
}

/// The verdict in a few words.
pub(super) fn words(said: &Result<Verdict, Failure>) -> String {
    match said {
        Ok(Verdict::Accepted(accepted)) => {
            let deliveries = super::words::count(accepted.overlays().len(), "delivery");
            format!("accept, {deliveries}")
        }
        Ok(Verdict::Dropped { reason, .. }) => format!("drop: {}", reason.escape_debug()),
        Ok(Verdict::Rejected { status, reason, .. }) => {
            format!("reject {status}: {}", reason.escape_debug())
        }
        Ok(Verdict::Responded { response, .. }) => {
            format!("respond {}", response.status.as_u16())
        }
        Err(failure) => format!(
            "failure {} in {}",
            failure.kind.as_str(),
            failure.stage.as_str()
        ),
    }
}
