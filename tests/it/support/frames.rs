//! HTTP/2 frame by frame (RFC 9113), for both ends of a connection.

use tokio::io::{AsyncRead, AsyncWrite};

use super::Connection;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const NO_ERROR: u32 = 0;
pub const INTERNAL_ERROR: u32 = 2;
pub const REFUSED_STREAM: u32 = 7;
/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// `SETTINGS_INITIAL_WINDOW_SIZE` of 0: not a byte of a body is let out.
pub const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];
/// `content-length` in the static table (RFC 7541, appendix A).
pub const CONTENT_LENGTH: u8 = 28;

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A field whose name is in the static table, 15 or beyond, without an entry of its own (RFC 7541,
/// 6.2.2).
pub fn literal(name: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap();
    [&[0x0f, name - 15, length], value].concat()
}

/// Stream and payload of the next frame of a kind.
pub async fn next<T>(connection: &mut Connection<T>, kind: u8) -> (u32, Vec<u8>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let (_flags, stream, payload) = next_flagged(connection, kind).await;
    (stream, payload)
}

/// Flags, stream and payload of the next frame of a kind.
pub async fn next_flagged<T>(connection: &mut Connection<T>, kind: u8) -> (u8, u32, Vec<u8>)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let head = connection.read(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = connection.read(usize::try_from(length).unwrap()).await;
        if head[3] == kind {
            return (
                head[4],
                u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
                payload,
            );
        }
    }
}
