//! From words to bytes: request and status lines, fields, `Date`.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Method, StatusCode};
use tokio::time::Instant;

/// Begins a request: its line.
pub fn begin_request(out: &mut Vec<u8>, method: &Method, target: &str) {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Begins a response: its line.
pub fn begin_response(out: &mut Vec<u8>, status: StatusCode) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Adds a field. Name and value have been checked by whoever made them.
pub fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Adds `content-length`.
pub fn length(out: &mut Vec<u8>, bytes: usize) {
    /// Digits of the largest `usize`.
    const DIGITS_MAX: usize = 20;
    let mut digits = [0_u8; DIGITS_MAX];
    let (mut left, mut used) = (bytes, 0);
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(left % 10).unwrap_or_default();
        (left, used) = (left / 10, used + 1);
        if left == 0 {
            break;
        }
    }
    let digits = digits.get(DIGITS_MAX - used..).unwrap_or_default();
    field(out, "content-length", digits);
}

/// Adds `date` (RFC 9110, 6.6.1), written once a second and thread. `now` is this moment.
pub fn date(out: &mut Vec<u8>, now: Instant) {
    thread_local! {
        static WRITTEN: RefCell<Option<(Instant, String)>> = const { RefCell::new(None) };
    }
    WRITTEN.with(|written| {
        let Ok(mut written) = written.try_borrow_mut() else {
            return;
        };
        let (_, text) = match &mut *written {
            Some(fresh) if now < fresh.0 => fresh,
            stale => stale.insert(written_at(now)),
        };
        field(out, "date", text.as_bytes());
    });
}

/// The date, and until when it is right.
#[expect(
    clippy::disallowed_methods,
    reason = "a date is the wall clock's, and asked for once a second"
)]
fn written_at(now: Instant) -> (Instant, String) {
    let wall = SystemTime::now();
    let into = wall
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    let left = Duration::from_secs(1).saturating_sub(Duration::from_nanos(into.into()));
    (now + left, httpdate::fmt_http_date(wall))
}

/// Ends a head.
pub fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}
