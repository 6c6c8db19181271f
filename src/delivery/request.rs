//! A delivery as a request, in either version of the protocol.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::Full;

use super::{Delivery, head};

/// Over HTTP/1.1: path and query in the request line, the authority in `Host`.
pub(super) fn http1(delivery: &Delivery) -> Request<Full<Bytes>> {
    let (mut parts, body) = request(delivery);
    parts.uri = Uri::from(target(delivery));
    parts
        .headers
        .insert(header::HOST, authority(delivery).clone());
    Request::from_parts(parts, body)
}

/// Over HTTP/2: all of it in pseudo fields. `None` when the authority to be preserved is not one.
pub(super) fn http2(delivery: &Delivery) -> Option<Request<Full<Bytes>>> {
    let (mut parts, body) = request(delivery);
    parts.uri = Uri::builder()
        .scheme(delivery.upstream.settings().url.scheme().as_str())
        .authority(authority(delivery).as_bytes())
        .path_and_query(target(delivery))
        .build()
        .ok()?;
    parts.version = http::Version::HTTP_2;
    Some(Request::from_parts(parts, body))
}

fn request(delivery: &Delivery) -> (http::request::Parts, Full<Bytes>) {
    let Delivery {
        webhook,
        overlay,
        attempts,
        ..
    } = delivery;
    // Its length is known, so hyper frames it by an exact `Content-Length`.
    let body = Full::new(overlay.body.as_ref().unwrap_or(&webhook.body).clone());
    let (mut parts, body) = Request::new(body).into_parts();
    parts.method = webhook.method.clone();
    parts.headers = head::fields(webhook, overlay, *attempts);
    (parts, body)
}

fn target(delivery: &Delivery) -> PathAndQuery {
    let base = delivery.upstream.settings().url.base();
    head::target(base, &delivery.webhook, &delivery.overlay)
}

fn authority(delivery: &Delivery) -> &HeaderValue {
    match &delivery.webhook.host {
        Some(host) if delivery.upstream.settings().preserve_host => host,
        _ => delivery.upstream.host(),
    }
}
