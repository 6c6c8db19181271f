//! The upstream of every server: answers 200 from memory and keeps its connections, in the process of
//! the load, so that it costs the load's core as little as possible.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::Failure;
use crate::wire;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 11\r\n\
    \r\n\
    {\"ok\":true}";

/// Serves until it is dropped.
pub(crate) struct Upstream {
    /// On loopback.
    pub port: u16,
    _serving: JoinSet<()>,
}

impl Upstream {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => { connections.spawn(serve(stream)); }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self {
            port,
            _serving: serving,
        })
    }
}

/// Answers webhook after webhook; closes at the first thing it does not understand, which the server
/// under test then reports as an error.
async fn serve(mut stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut buffer = Vec::with_capacity(16 << 10);
    while let Ok(1..) = stream.read_buf(&mut buffer).await {
        while let Ok(Some(message)) = wire::message(&buffer) {
            buffer.drain(..message.len);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}
