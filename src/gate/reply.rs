//! Every status we ever send, from every reason; no other file builds an answer to a sender.
//!
//! A refusal is a problem detail (RFC 9457) with the webhook's id and without its cause: the cause is
//! in the log under that id, and a forger learns nothing.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::delivery::{Answer, Cause};
use crate::message::{Fields, Malformed, Response, Unread};
use crate::plugin;
use crate::webhook::WebhookId;

/// Ours, on every answer.
const HOOKGATE_ID: &str = "hookgate-id";
/// Room for the fields that are ours.
const OURS: usize = 3;
const OUR_BYTES: usize = 128;

/// A drain ends within seconds and another process takes over; the same for a pool of sandboxes.
const SOON: Duration = Duration::from_secs(5);

/// Each way we answer a sender.
#[derive(Debug)]
pub(super) enum Reply {
    /// An upstream answered, and the sender hears it.
    Answered(Answer),
    /// We answer for it; with the status by which the route's sender knows success, where it knows one only.
    Taken(Taken, Option<StatusCode>),
    /// A plugin answers itself, as in a handshake.
    Responded(plugin::Response),
    /// Nobody takes this host and path.
    NoRoute,
    /// The path is taken, the method is not; the value of `Allow`.
    MethodNotAllowed(HeaderValue),
    /// A head that RFC 9112 refuses.
    Malformed(Malformed),
    /// The address is not on the route's list.
    NotAllowed,
    /// The body could not be read; the route's limit in bytes.
    Unread(Unread, usize),
    /// A plugin refused it; 400 to 499.
    Rejected { status: u16 },
    /// A plugin could not do its work.
    PluginFailed { temporary: bool },
    /// The spool cannot be written.
    Unkept { retry_after: Duration },
    /// No room in the buffer.
    Full { retry_after: Duration },
    /// The process is ending.
    Draining,
    /// No upstream took it in time.
    Unavailable { cause: Cause, retry_after: Duration },
}

/// What we did with a webhook that its sender must not send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// In the buffer.
    Held,
    /// Accepted before under the same key.
    Duplicate,
    /// A filter did not want it.
    Dropped,
}

impl Reply {
    /// The whole table.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Answered(answer) => answer.status,
            Self::Responded(response) => response.status,
            Self::Taken(_, Some(success)) => *success,
            Self::Taken(Taken::Held, None) => StatusCode::ACCEPTED,
            // 200 and not 204: of senders that we do not know, some take only 200 for success.
            Self::Taken(Taken::Dropped | Taken::Duplicate, None) => StatusCode::OK,
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(why) => why.status(),
            Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::Unread(why, _) => why.status(),
            Self::Rejected { status } => {
                StatusCode::from_u16(*status).unwrap_or(StatusCode::FORBIDDEN)
            }
            Self::PluginFailed { temporary: false } => StatusCode::INTERNAL_SERVER_ERROR,
            // 503 and not 429: the sender did nothing wrong, and most retry on 5xx only.
            Self::PluginFailed { temporary: true }
            | Self::Unkept { .. }
            | Self::Full { .. }
            | Self::Draining => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unavailable { cause, .. } => match cause {
                Cause::Timeout => StatusCode::GATEWAY_TIMEOUT,
                Cause::Busy => StatusCode::SERVICE_UNAVAILABLE,
                Cause::Unreachable | Cause::Tls | Cause::Failing(_) | Cause::Broken => {
                    StatusCode::BAD_GATEWAY
                }
            },
        }
    }

    /// Whether the delivery room knows what became of it.
    pub(super) fn is_in_delivery(&self) -> bool {
        matches!(
            self,
            Self::Answered(_) | Self::Taken(Taken::Held | Taken::Duplicate, _)
        )
    }

    /// The word for logs and metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Answered(answer) if answer.status.is_success() => "delivered",
            Self::Answered(_) => "final",
            Self::Taken(Taken::Held, _) => "held",
            Self::Taken(Taken::Duplicate, _) => "duplicate",
            Self::Taken(Taken::Dropped, _) => "dropped",
            Self::Responded(_) => "responded",
            Self::Rejected { .. } => "rejected",
            Self::PluginFailed { .. } => "failed",
            Self::Unkept { .. } => "unkept",
            Self::Full { .. } => "full",
            Self::Draining => "draining",
            Self::Unavailable { .. } => "unavailable",
            Self::NoRoute
            | Self::MethodNotAllowed(_)
            | Self::Malformed(_)
            | Self::NotAllowed
            | Self::Unread(..) => "refused",
        }
    }

    /// Why, for the log, with the setting that would change it.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::NoRoute => "no route has this host and path".to_owned(),
            Self::MethodNotAllowed(_) => "the route does not take this method".to_owned(),
            Self::Malformed(why) => why.reason().to_owned(),
            Self::NotAllowed => "the address is not in the route's `allow`".to_owned(),
            Self::Unread(Unread::TooBig, max) => {
                format!("the body is larger than the route's `max_body` ({max} bytes)")
            }
            Self::Unread(Unread::TooSlow, _) => "the body took longer than `body_time`".to_owned(),
            Self::Unread(Unread::CutOff, _) => "the body broke off".to_owned(),
            Self::Unread(Unread::Full, _) => "too many bodies are being read".to_owned(),
            other => other.outcome().to_owned(),
        }
    }

    /// The answer, for a listener to write.
    pub(super) fn into_response(self, id: WebhookId) -> Response {
        let status = self.status();
        let mut ours = Fields::with_capacity(OURS, OUR_BYTES);
        ours.put(HOOKGATE_ID, id.text().as_str().as_bytes());
        if let Some(wait) = self.retry_after() {
            ours.put("retry-after", wait.as_secs().max(1).to_string().as_bytes());
        }
        // What is left of an unread body must not become the next request.
        let is_last = matches!(self, Self::Unread(..) | Self::Malformed(_) | Self::Draining);
        let (fields, body) = match self {
            Self::Answered(Answer {
                mut fields, body, ..
            }) => {
                fields.extend(&ours);
                (fields, body)
            }
            Self::Responded(plugin::Response { fields, body, .. }) => {
                for (name, value) in &fields {
                    ours.put(name.as_str(), value.as_bytes());
                }
                (ours, body)
            }
            // Who knows one status only may want nothing else either.
            Self::Taken(_, Some(_)) => (ours, Bytes::new()),
            Self::Taken(_, None) => {
                let outcome = self.outcome();
                ours.put("content-type", b"application/json");
                let text = format!("{{\"id\":\"{id}\",\"outcome\":\"{outcome}\"}}\n");
                (ours, Bytes::from(text))
            }
            refused => {
                if let Self::MethodNotAllowed(allow) = &refused {
                    ours.put("allow", allow.as_bytes());
                }
                ours.put("content-type", b"application/problem+json");
                (ours, Bytes::from(problem(status, id)))
            }
        };
        Response {
            status,
            fields,
            body,
            is_last,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unkept { retry_after }
            | Self::Full { retry_after }
            | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            Self::Draining
            | Self::Unread(Unread::Full, _)
            | Self::PluginFailed { temporary: true } => Some(SOON),
            _ => None,
        }
    }
}

/// RFC 9457 without a `type`: `about:blank`, so that `title` is the status's own phrase.
fn problem(status: StatusCode, id: WebhookId) -> String {
    let title = status.canonical_reason().unwrap_or("Refused");
    let status = status.as_u16();
    format!("{{\"title\":\"{title}\",\"status\":{status},\"id\":\"{id}\"}}\n")
}
