//! Upstreams that speak HTTP/2 without being asked.

use std::convert::Infallible;
use std::sync::Mutex;

use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

#[tokio::test]
async fn one_connection_carries_all_webhooks_and_the_drain_ends_it() {
    let (house, peer) = (House::new(), Peer::new().await);
    let settings = UpstreamSettings {
        http2: true,
        ..settings("ci", "http", peer.port)
    };
    let contract = Arc::new(house.contract(Ack::Upstream, &[&upstream(settings)]));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);

    let served = async {
        let tcp = peer.accept().await.0;
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let seen = Arc::clone(&noted);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                seen.lock()
                    .unwrap()
                    .push((parts.uri.to_string(), parts.headers, body));
                Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from_static(b"ok"))))
            }
        });
        let connection =
            http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(tcp), service);
        // Resolves when the other side lets go of the connection.
        drop(connection.await);
    };
    let sent = async {
        let told = [
            house.hand_over(&contract).await,
            house.hand_over(&contract).await,
        ];
        house.drain.request();
        house.drain.finished().await;
        told
    };
    let (told, ()) = tokio::join!(sent, served);

    assert_eq!(told.each_ref().map(status), [Some(200), Some(200)]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    let (uri, fields, body) = &seen[0];
    assert_eq!(*uri, format!("http://127.0.0.1:{}/github?a=1", peer.port));
    assert_eq!(fields.get("content-length").unwrap(), "7");
    assert!(!fields.contains_key("host") && !fields.contains_key("connection"));
    assert_eq!(body, "{\"a\":1}");
}
