//! A sender: the bytes of a call, over a socket or over TLS, and the answer as it came.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use aws_lc_rs::hmac;
use base64::Engine as _;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Authority, PATIENCE};

/// One call, written out byte by byte.
#[derive(Clone)]
pub struct Call {
    pub method: String,
    pub target: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What a sender got back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target, body)
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target, Vec::new())
    }

    pub fn new(method: &str, target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            fields: Vec::new(),
            body: body.into(),
        }
    }

    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The bytes on the wire; `Host` and `Content-Length` are added unless given.
    pub fn bytes(&self) -> Vec<u8> {
        let has = |name: &str| {
            self.fields
                .iter()
                .any(|(n, _)| n.eq_ignore_ascii_case(name))
        };
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !has("host") {
            head += "host: hooks.example.com\r\n";
        }
        if !has("content-length") && !has("transfer-encoding") {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Over a connection of its own.
    pub async fn send(&self, to: SocketAddr) -> Answer {
        Connection::open(to).await.call(self).await
    }

    /// Over a TLS connection of its own.
    pub async fn send_tls(&self, to: SocketAddr, name: &str, authority: &Authority) -> Answer {
        let stream = authority.connect(to, name, &[b"http/1.1"]).await.unwrap();
        Connection::over(stream).call(self).await
    }
}

/// A sender's end of a connection, for more than one call or for less than a whole one.
pub struct Connection<T = TcpStream>(T);

impl Connection {
    pub async fn open(to: SocketAddr) -> Self {
        Self(TcpStream::connect(to).await.unwrap())
    }

    /// Whether nothing has come back by now.
    pub fn is_quiet(&self) -> bool {
        let mut byte = [0];
        matches!(self.0.try_read(&mut byte), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Connection<T> {
    pub fn over(stream: T) -> Self {
        Self(stream)
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next answer, complete.
    pub async fn answer(&mut self) -> Answer {
        let answer = tokio::time::timeout(PATIENCE, Answer::read(&mut self.0)).await;
        answer.expect("an answer comes")
    }

    pub async fn call(&mut self, call: &Call) -> Answer {
        self.write(call.bytes()).await;
        self.answer().await
    }

    /// The same with somebody who may be gone; nothing then.
    pub async fn try_call(&mut self, call: &Call) -> Option<Answer> {
        self.0.write_all(&call.bytes()).await.ok()?;
        Answer::try_read(&mut self.0).await.ok()
    }

    /// Exactly these many bytes.
    pub async fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut bytes)).await;
        read.expect("bytes come").unwrap();
        bytes
    }

    /// What still comes until the other side closes.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await;
        match read.expect("the connection is closed") {
            Ok(_) => bytes,
            // Closing with bytes unread is a reset.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => bytes,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Answer {
    /// One answer with a length or without a body.
    pub async fn read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Self {
        Self::try_read(stream).await.unwrap()
    }

    async fn try_read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                let head = String::from_utf8_lossy(&bytes);
                return Err(io::Error::other(format!("closed in a head: {head:?}")));
            }
        };
        let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let fields: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut answer = Self {
            status,
            fields,
            body: bytes[head_end + 4..].to_vec(),
        };
        let length: usize = answer
            .field("content-length")
            .map_or(0, |value| value.parse().unwrap());
        while answer.body.len() < length {
            if stream.read_buf(&mut answer.body).await? == 0 {
                return Err(io::Error::other("closed in a body"));
            }
        }
        Ok(answer)
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A GitHub webhook, signed as docs.github.com "Validating webhook deliveries" says.
pub fn github(target: &str, event: &str, secret: &str, body: &str) -> Call {
    let signature = hex(&mac(secret.as_bytes(), body.as_bytes()));
    Call::post(target, body)
        .field("content-type", "application/json")
        .field("x-github-event", event)
        .field("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
        .field("x-hub-signature-256", &format!("sha256={signature}"))
}

/// HMAC-SHA256, what nearly every provider signs with.
pub fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
