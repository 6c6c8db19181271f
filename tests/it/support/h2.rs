//! A sender that speaks HTTP/2.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Answer, Authority, Call};

/// One connection, for any number of calls.
pub struct H2 {
    sender: SendRequest<Full<Bytes>>,
    name: String,
}

impl H2 {
    pub async fn connect(to: SocketAddr, name: &str, authority: &Authority) -> Self {
        let stream = authority.connect(to, name, &[b"h2"]).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self {
            sender,
            name: name.to_owned(),
        }
    }

    /// The same call as over HTTP/1.1; the name that was connected to is its authority.
    pub async fn send(&mut self, call: &Call) -> Answer {
        let uri = format!("https://{}{}", self.name, call.target);
        let mut request = http::Request::builder()
            .method(call.method.as_str())
            .uri(uri);
        for (name, value) in &call.fields {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(call.body.clone())))
            .unwrap();
        let (head, body) = self
            .sender
            .send_request(request)
            .await
            .unwrap()
            .into_parts();
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        Answer {
            status: head.status.as_u16(),
            fields: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect(),
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }
}
