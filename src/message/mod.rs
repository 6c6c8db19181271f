//! What HTTP says in either version: a head, its fields, a response, and why there is none. No I/O, no
//! webhook: the listener makes heads and takes responses, the gate the other way round.

mod fields;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Version};

pub use fields::{Fields, Span};

/// The head of a call, as the sender wrote it.
#[derive(Debug)]
pub struct Head {
    /// As on the wire.
    pub method: Method,
    /// Path and query, percent-encoded as received; `*` for the asterisk form (RFC 9112, 3.2.4).
    pub target: PathAndQuery,
    /// Of a target in absolute form, or `:authority`; the `Host` field is among the fields.
    pub authority: Option<Box<str>>,
    /// 1.0, 1.1 or 2.
    pub version: Version,
    /// In order of arrival.
    pub fields: Fields,
}

/// An answer, complete. Its framing (`Content-Length`, `Connection`, `Date`) is the listener's affair.
#[derive(Debug)]
pub struct Response {
    /// 200 to 999.
    pub status: StatusCode,
    /// None that concerns one hop only.
    pub fields: Fields,
    /// Whole.
    pub body: Bytes,
    /// Whether the connection ends with it. HTTP/2 ends the stream only.
    pub is_last: bool,
}

impl Response {
    /// Without fields and without a body; the connection goes on.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            fields: Fields::default(),
            body: Bytes::new(),
            is_last: false,
        }
    }
}

/// Why a head is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// RFC 9112 refuses it; why, for the log.
    Syntax(&'static str),
    /// A version of HTTP that is not spoken here.
    Version,
    /// More bytes or fields than a head may have.
    TooLarge,
}

impl Malformed {
    /// What the sender hears (RFC 9110, 15.5.1 and 15.6.6; RFC 6585, 5).
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Syntax(_) => StatusCode::BAD_REQUEST,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }

    /// A sentence for the log.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Syntax(why) => why,
            Self::Version => "the version is neither HTTP/1.0 nor HTTP/1.1",
            Self::TooLarge => {
                "the head is larger than `server.limits.header_bytes` or `headers` allow"
            }
        }
    }
}

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Larger than this call may have.
    TooBig,
    /// Not complete in time.
    TooSlow,
    /// Broken framing, or the sender went away.
    CutOff,
    /// Too many bodies are being read.
    Full,
}

impl Unread {
    /// What the sender hears (RFC 9110, 15.5.1, 15.5.9, 15.5.14 and 15.6.4).
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooBig => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::CutOff => StatusCode::BAD_REQUEST,
            // 503 and not 429: the sender did nothing wrong, and most retry on 5xx only.
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
