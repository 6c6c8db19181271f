//! What attempts come to: answers, and the ways to get none.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use super::Cause;
use super::breaker::Sign;
use crate::message::Fields;

/// Senders read a line of an answer at most; a mebibyte is what a webhook itself may have.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// What an upstream answered, complete, without the fields that concern one hop only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 999.
    pub status: StatusCode,
    /// In order, names repeated where they were.
    pub fields: Fields,
    /// At most [`BODY_BYTES_MAX`].
    pub body: Bytes,
}

/// What one exchange came to.
#[derive(Debug)]
pub(super) enum Conversation {
    Answered(Answer),
    /// The upstream has begun with none of it: not a byte was written, or it says so itself. Why, for
    /// people.
    Unsent(&'static str),
    Failed(Fault, Box<str>),
}

impl Conversation {
    pub(super) fn unsent() -> Self {
        Self::Unsent("the connection closed before anything was sent")
    }

    pub(super) fn late() -> Self {
        Self::Failed(Fault::Timeout, "no complete answer in time".into())
    }

    pub(super) fn reset() -> Self {
        let reason = "the connection closed before the answer was complete";
        Self::Failed(Fault::Reset, reason.into())
    }

    pub(super) fn too_large() -> Self {
        Self::Failed(Fault::TooLarge, "answered with more than 1 MiB".into())
    }

    pub(super) fn wrong(reason: &str) -> Self {
        Self::Failed(Fault::Protocol, reason.into())
    }
}

/// How an attempt failed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing was sent: no address, no connection.
    Unreachable,
    /// The connection broke; how much the upstream did is unknown.
    Reset,
    /// No complete answer in time; how much the upstream did is unknown.
    Timeout,
    /// Nothing was sent: the handshake failed.
    Tls,
    /// What came back is not HTTP, or not an answer.
    Protocol,
    /// More came back than is accepted.
    TooLarge,
}

impl Fault {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::TooLarge => "too_large",
        }
    }

    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Unreachable => Cause::Unreachable,
            Self::Tls => Cause::Tls,
            Self::Timeout => Cause::Timeout,
            Self::Reset | Self::Protocol | Self::TooLarge => Cause::Broken,
        }
    }
}

/// A status that is none of success, for people.
pub(super) fn answered(status: StatusCode) -> String {
    format!("answered {}", status.as_u16())
}

/// The same where there is no other attempt after it.
pub(super) fn answered_finally(status: StatusCode) -> String {
    format!("answered {}, which is final", status.as_u16())
}

/// What an attempt came to.
#[derive(Debug)]
pub enum Outcome {
    /// The upstream took it.
    Delivered(Answer),
    /// The upstream will never take it, and says why.
    Final(Answer),
    /// A later attempt may succeed.
    Failed(Failed),
}

impl Outcome {
    /// What it says about the upstream: a refusal of one delivery is a sign of life.
    pub(super) fn sign(&self) -> Sign {
        match self {
            Self::Delivered(_) | Self::Final(_) => Sign::Well,
            Self::Failed(failed) => match failed.cause {
                Cause::Failing(status) if !status.is_server_error() => Sign::Well,
                _ => Sign::Ill,
            },
        }
    }
}

/// A failed attempt.
#[derive(Debug)]
pub struct Failed {
    pub(super) cause: Cause,
    /// What the upstream asked for; not clamped yet.
    pub(super) retry_after: Option<Duration>,
    /// For people.
    pub(super) reason: Box<str>,
}
