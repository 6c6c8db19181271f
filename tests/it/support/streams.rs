//! An upstream that speaks HTTP/2, frame by frame: each connection is the test's own.

use tokio::net::{TcpListener, TcpStream};

use super::frames::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, frame, next, next_flagged,
};
use super::{Connection, PATIENCE};

/// A listening upstream.
pub struct Streams(TcpListener);

/// One connection of a gate.
pub struct Line(Connection<TcpStream>);

impl Streams {
    pub async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// The next connection.
    pub async fn accept(&self) -> Line {
        let accepted = tokio::time::timeout(PATIENCE, self.0.accept()).await;
        let (stream, _) = accepted.expect("a connection comes").unwrap();
        let mut connection = Connection::over(stream);
        assert_eq!(connection.read(PREFACE.len()).await, PREFACE);
        connection.write(frame(SETTINGS, 0, 0, b"")).await;
        Line(connection)
    }

    /// The next connection, when its first webhook has been answered.
    pub async fn accept_and_answer(&self) -> Line {
        let mut line = self.accept().await;
        line.answer().await;
        line
    }
}

impl Line {
    /// The stream of the next webhook, when its head has come.
    pub async fn head(&mut self) -> u32 {
        let (flags, stream, _) = next_flagged(&mut self.0, HEADERS).await;
        assert_eq!(flags & (END_HEADERS | END_STREAM), END_HEADERS);
        stream
    }

    /// The stream of the next webhook, when all of it has come. Its body is one frame.
    pub async fn webhook(&mut self) -> u32 {
        let (flags, stream, _) = next_flagged(&mut self.0, DATA).await;
        assert_eq!(flags & END_STREAM, END_STREAM);
        stream
    }

    /// Answers the next webhook.
    pub async fn answer(&mut self) {
        let stream = self.webhook().await;
        self.ok(stream).await;
    }

    /// Has settings taken in.
    pub async fn set(&mut self, settings: &[u8]) {
        self.say(SETTINGS, 0, 0, settings).await;
        self.say(PING, 0, 0, &[0; 8]).await;
        next(&mut self.0, PING).await;
    }

    pub async fn say(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.write(frame(kind, flags, stream, payload)).await;
    }

    /// `:status: 200` and no body (RFC 7541, appendix A).
    pub async fn ok(&mut self, stream: u32) {
        self.say(HEADERS, END_HEADERS | END_STREAM, stream, b"\x88")
            .await;
    }
}
