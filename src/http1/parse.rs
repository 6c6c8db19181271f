//! From bytes to a head, and what its framing says of the body behind it.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, StatusCode, Uri, Version};
use httparse::{Header, ParserConfig, Status};

use crate::message::{Fields, Head, Malformed};

/// Fields that a head may have, whatever is configured: their places are on the stack.
pub const FIELDS_MAX: usize = 512;

/// What a head may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes, the empty line included.
    pub bytes_max: usize,
    /// Fields.
    pub count_max: usize,
}

/// How long the body is (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// This many bytes.
    Length(u64),
    /// Chunks, until the last one.
    Chunked,
    /// Until the connection ends; responses only.
    UntilClose,
}

/// A call's head.
#[derive(Debug)]
pub struct Arrived {
    /// What it says.
    pub head: Head,
    /// What follows it.
    pub framing: Framing,
    /// Whether the sender waits for `100 Continue`.
    pub expects_continue: bool,
    /// Whether another call may follow on this connection.
    pub keeps_alive: bool,
    /// Bytes of the head.
    pub bytes: usize,
}

/// A response's head.
#[derive(Debug)]
pub struct Answered {
    /// 100 to 999.
    pub status: StatusCode,
    /// In order.
    pub fields: Fields,
    /// What follows it.
    pub framing: Framing,
    /// Whether another exchange may follow on this connection.
    pub keeps_alive: bool,
    /// Bytes of the head.
    pub bytes: usize,
}

/// Reads a request's head; `None` when it is not complete.
///
/// # Errors
/// It can never become one. RFC 9112 lets a recipient be lenient here and there (a bare LF, a length
/// that is repeated, a length beside chunks); we are not, see the room's page.
pub fn request(bytes: &[u8], limits: &Limits) -> Result<Option<Arrived>, Malformed> {
    let mut places = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let places = room(&mut places, limits);
    let mut parsed = httparse::Request::new(&mut []);
    let config = ParserConfig::default();
    let status = config.parse_request_with_uninit_headers(&mut parsed, bytes, places);
    let Some(head) = head(bytes, status, limits)? else {
        return Ok(None);
    };
    let version = version(parsed.version);
    let facts = Facts::of(parsed.headers)?;
    let framing = match (facts.length, facts.coding) {
        (Some(_), Some(_)) => {
            return Err(Malformed::Syntax(
                "there are both Content-Length and Transfer-Encoding",
            ));
        }
        (_, Some(_)) if version != Version::HTTP_11 => {
            return Err(Malformed::Syntax("Transfer-Encoding is for HTTP/1.1 only"));
        }
        (_, Some(Coding::Other)) => {
            return Err(Malformed::Syntax("the only transfer coding is chunked"));
        }
        (_, Some(Coding::Chunked)) => Framing::Chunked,
        (length, None) => Framing::Length(length.unwrap_or(0)),
    };
    let method = Method::from_bytes(parsed.method.unwrap_or_default().as_bytes())
        .map_err(|_| Malformed::Syntax("the method is none"))?;
    let (target, authority) = target(parsed.path.unwrap_or_default())?;
    let parts = parsed.headers.iter().map(part);
    Ok(Some(Arrived {
        head: Head {
            method,
            target,
            authority,
            version,
            fields: Fields::of_head(head, parts),
        },
        framing,
        expects_continue: facts.expects_continue && version == Version::HTTP_11,
        keeps_alive: facts.keeps_alive(version),
        bytes: head.len(),
    }))
}

/// Reads a response's head; `None` when it is not complete.
///
/// `has_body` is false for the response to a HEAD (RFC 9112, 6.3).
///
/// # Errors
/// It can never become one.
pub fn response(
    bytes: &[u8],
    limits: &Limits,
    has_body: bool,
) -> Result<Option<Answered>, Malformed> {
    let mut places = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let places = room(&mut places, limits);
    let mut parsed = httparse::Response::new(&mut []);
    let config = ParserConfig::default();
    let status = config.parse_response_with_uninit_headers(&mut parsed, bytes, places);
    let Some(head) = head(bytes, status, limits)? else {
        return Ok(None);
    };
    let version = version(parsed.version);
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default())
        .map_err(|_| Malformed::Syntax("the status is none"))?;
    let facts = Facts::of(parsed.headers)?;
    let bodiless = !has_body || status.is_informational() || [204, 304].contains(&status.as_u16());
    // RFC 9110, 8.6 forbids it; what comes then would be read as the next answer.
    let announces_body = status == StatusCode::NO_CONTENT
        && (facts.coding.is_some() || facts.length.is_some_and(|length| length > 0));
    let framing = match (facts.coding, facts.length) {
        _ if bodiless => Framing::Length(0),
        (Some(Coding::Chunked), None) => Framing::Chunked,
        // Something in between would read it in the other way.
        (Some(Coding::Chunked), Some(_)) => {
            return Err(Malformed::Syntax(
                "there are both Content-Length and Transfer-Encoding",
            ));
        }
        // Its end is that of the connection (RFC 9112, 6.3); the coding is not ours to undo.
        (Some(Coding::Other), _) => {
            return Err(Malformed::Syntax("the only transfer coding is chunked"));
        }
        (None, Some(length)) => Framing::Length(length),
        (None, None) => Framing::UntilClose,
    };
    Ok(Some(Answered {
        status,
        fields: Fields::of_head(head, parsed.headers.iter().map(part)),
        framing,
        keeps_alive: facts.keeps_alive(version)
            && framing != Framing::UntilClose
            && !announces_body,
        bytes: head.len(),
    }))
}

fn room<'p, 'h>(
    places: &'p mut [MaybeUninit<Header<'h>>; FIELDS_MAX],
    limits: &Limits,
) -> &'p mut [MaybeUninit<Header<'h>>] {
    let count = limits.count_max.min(FIELDS_MAX);
    places.get_mut(..count).unwrap_or_default()
}

fn part<'a>(header: &Header<'a>) -> (&'a [u8], &'a [u8]) {
    (header.name.as_bytes(), header.value)
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(0) {
        Version::HTTP_10
    } else {
        Version::HTTP_11
    }
}

fn malformed(error: httparse::Error) -> Malformed {
    match error {
        httparse::Error::TooManyHeaders => Malformed::TooLarge,
        httparse::Error::Version => Malformed::Version,
        httparse::Error::HeaderName => Malformed::Syntax("a field's name is none"),
        httparse::Error::HeaderValue => Malformed::Syntax("a field's value is none"),
        httparse::Error::NewLine => Malformed::Syntax("a line does not end with CR LF"),
        httparse::Error::Token => Malformed::Syntax("the request line is none"),
        httparse::Error::Status => Malformed::Syntax("the status line is none"),
    }
}

/// The bytes of the head that was parsed; `None` when it is not complete.
fn head<'b>(
    bytes: &'b [u8],
    parsed: httparse::Result<usize>,
    limits: &Limits,
) -> Result<Option<&'b [u8]>, Malformed> {
    match parsed {
        Ok(Status::Complete(length)) if length <= limits.bytes_max => {
            let head = bytes.get(..length).unwrap_or_default();
            check_lines(head)?;
            Ok(Some(head))
        }
        Ok(Status::Partial) if bytes.len() < limits.bytes_max => Ok(None),
        Ok(_) => Err(Malformed::TooLarge),
        Err(error) => Err(malformed(error)),
    }
}

/// RFC 9112, 2.2: a recipient may take a bare LF for the end of a line. Who does not sees another head.
fn check_lines(head: &[u8]) -> Result<(), Malformed> {
    let bare = memchr::memchr_iter(b'\n', head).any(|at| {
        at.checked_sub(1)
            .and_then(|before| head.get(before))
            .is_none_or(|&byte| byte != b'\r')
    });
    if bare {
        return Err(Malformed::Syntax("a line does not end with CR LF"));
    }
    Ok(())
}

/// The forms of RFC 9112, 3.2; the authority of the absolute one.
fn target(text: &str) -> Result<(PathAndQuery, Option<Box<str>>), Malformed> {
    const WRONG: Malformed = Malformed::Syntax("the target is not a path");
    if text.contains('#') {
        return Err(WRONG); // a fragment stays with whoever has the URL
    }
    if text.starts_with('/') {
        let shared = Bytes::copy_from_slice(text.as_bytes());
        let target = PathAndQuery::from_maybe_shared(shared).map_err(|_| WRONG)?;
        return Ok((target, None));
    }
    let parts = text.parse::<Uri>().map_err(|_| WRONG)?.into_parts();
    let web = parts.scheme.is_some_and(|scheme| {
        scheme == http::uri::Scheme::HTTP || scheme == http::uri::Scheme::HTTPS
    });
    let (true, Some(authority)) = (web, parts.authority) else {
        return Err(WRONG);
    };
    let target = match parts.path_and_query {
        None => PathAndQuery::from_static("/"),
        Some(target) if target.as_str().starts_with('/') => target,
        // `http://host?query`: RFC 9112, 3.2.1 wants the path of the next hop's target to be `/`.
        Some(target) => {
            PathAndQuery::from_maybe_shared(format!("/{}", target.as_str())).map_err(|_| WRONG)?
        }
    };
    Ok((target, Some(authority.as_str().into())))
}

#[derive(Clone, Copy)]
enum Coding {
    Chunked,
    Other,
}

/// What the fields say of this hop.
#[derive(Default)]
struct Facts {
    length: Option<u64>,
    coding: Option<Coding>,
    expects_continue: bool,
    says_close: bool,
    says_keep_alive: bool,
}

impl Facts {
    fn of(fields: &[Header<'_>]) -> Result<Self, Malformed> {
        let mut facts = Self::default();
        for Header { name, value } in fields {
            // By length first: most fields are none of these.
            match name.len() {
                14 if name.eq_ignore_ascii_case("content-length") => {
                    let length = length(value).ok_or(Malformed::Syntax(
                        "the Content-Length is not a number of bytes",
                    ))?;
                    if facts.length.replace(length).is_some() {
                        return Err(Malformed::Syntax("there is more than one Content-Length"));
                    }
                }
                17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                    let coding = match (facts.coding, value.eq_ignore_ascii_case(b"chunked")) {
                        (None, true) => Coding::Chunked,
                        _ => Coding::Other,
                    };
                    facts.coding = Some(coding);
                }
                10 if name.eq_ignore_ascii_case("connection") => {
                    for token in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                        facts.says_close |= token.eq_ignore_ascii_case(b"close");
                        facts.says_keep_alive |= token.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                6 if name.eq_ignore_ascii_case("expect") => {
                    facts.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    /// RFC 9112, 9.3.
    fn keeps_alive(&self, version: Version) -> bool {
        !self.says_close && (version == Version::HTTP_11 || self.says_keep_alive)
    }
}

/// RFC 9110, 8.6: digits and nothing else.
fn length(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    is_number
        .then(|| std::str::from_utf8(value).ok()?.parse().ok())
        .flatten()
}
