//! As much of HTTP/1.1 as the load and its upstream speak: where a message ends, and its status.

use crate::Failure;

/// A message that is there completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Head and body in bytes.
    pub len: usize,
    /// Of a response; 0 for a request.
    pub status: u16,
}

/// The message at the start of `bytes`; `None` while some of it is still to come.
///
/// # Errors
/// When it is framed neither by `Content-Length` nor, as Node may answer, in chunks.
pub(crate) fn message(bytes: &[u8]) -> Result<Option<Message>, Failure> {
    let mut body = None;
    let mut status = 0;
    let mut head_len = 0;
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        head_len += line.len();
        if !line.ends_with(b"\n") {
            return Ok(None);
        }
        let line = line.trim_ascii();
        if line.is_empty() {
            let rest = bytes.get(head_len..).unwrap_or_default();
            let Some(body_len) = body.unwrap_or(Some(0)).or_else(|| chunked_len(rest)) else {
                return Ok(None);
            };
            let len = head_len + body_len;
            return Ok((bytes.len() >= len).then_some(Message { len, status }));
        }
        if number == 0 {
            if let Some(rest) = line.strip_prefix(b"HTTP/1.1 ") {
                status = parse(rest.get(..3).unwrap_or_default())?;
            }
        } else if let Some(value) = field(line, b"content-length:") {
            body = Some(Some(parse(value)?));
        } else if field(line, b"transfer-encoding:").is_some() {
            body = Some(None);
        }
    }
    Ok(None)
}

/// The length of a chunked body without trailers; its data is never an empty chunk itself here.
fn chunked_len(rest: &[u8]) -> Option<usize> {
    const END: &[u8] = b"0\r\n\r\n";
    rest.ends_with(END).then_some(rest.len())
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn parse<T: std::str::FromStr<Err = std::num::ParseIntError>>(digits: &[u8]) -> Result<T, Failure> {
    Ok(std::str::from_utf8(digits)?.parse()?)
}
