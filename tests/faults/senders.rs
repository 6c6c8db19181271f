//! Senders that call once, each over a connection of its own, and never again.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::ledger::{Heard, Ledger};

/// Longer than any route of the harness lets a sender wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a webhook weighs.
const BODY_BYTES: usize = 1_024;

/// Sends these many webhooks at this rate, whatever becomes of them, and waits for what they hear.
pub async fn send(to: SocketAddr, webhooks: usize, rate: u32, ledger: &Arc<Ledger>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate);
    let mut senders = JoinSet::new();
    for number in 0..webhooks {
        ticks.tick().await;
        let ledger = Arc::clone(ledger);
        senders.spawn(async move {
            let called = tokio::time::timeout(PATIENCE, call(to, number)).await;
            let heard = match called {
                Ok(Ok(200..=299)) => Heard::Acknowledged,
                Ok(Ok(_)) => Heard::Refused,
                Ok(Err(_)) | Err(_) => Heard::Nothing,
            };
            ledger.heard(number, heard);
        });
    }
    senders.join_all().await;
}

/// Sends these webhooks as fast as they are taken.
pub async fn fill(to: SocketAddr, webhooks: Range<usize>, ledger: &Arc<Ledger>) {
    const SENDERS: usize = 16;
    let mut senders = JoinSet::new();
    for first in 0..SENDERS {
        let numbers = webhooks.clone().skip(first).step_by(SENDERS);
        let ledger = Arc::clone(ledger);
        senders.spawn(async move {
            let mut stream = TcpStream::connect(to).await.unwrap();
            for number in numbers {
                stream.write_all(&webhook(number, "")).await.unwrap();
                assert_eq!(status(&mut stream).await.unwrap(), 202);
                ledger.heard(number, Heard::Acknowledged);
            }
        });
    }
    senders.join_all().await;
}

/// One call; the status that it is answered with.
async fn call(to: SocketAddr, number: usize) -> io::Result<u16> {
    let mut stream = TcpStream::connect(to).await?;
    stream
        .write_all(&webhook(number, "connection: close\r\n"))
        .await?;
    status(&mut stream).await
}

fn webhook(number: usize, fields: &str) -> Vec<u8> {
    let body = format!("{:<BODY_BYTES$}", format!("{number} "));
    let head =
        format!("POST /hook HTTP/1.1\r\nhost: h\r\n{fields}content-length: {BODY_BYTES}\r\n\r\n");
    (head + &body).into_bytes()
}

/// The status of one answer, read to its end.
async fn status(stream: &mut TcpStream) -> io::Result<u16> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length: usize = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
