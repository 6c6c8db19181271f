//! What is sent to an upstream, as a request in either version of the protocol.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body::Body as _;
use http_body_util::Full;

use super::{Delivery, UpstreamUrl, head};

/// What is sent to an upstream.
pub(super) enum Outgoing<'a> {
    /// A delivery, with all that a gateway adds.
    Delivery(&'a Delivery),
    /// A request as it is, outside of any delivery.
    AsIs(&'a Request<Bytes>, &'a UpstreamUrl),
}

impl Outgoing<'_> {
    /// Over HTTP/1.1: path and query in the request line, the authority in `Host`.
    pub(super) fn http1(&self) -> Request<Full<Bytes>> {
        match self {
            Self::Delivery(delivery) => http1(delivery),
            Self::AsIs(request, _) => (*request).clone().map(Full::new),
        }
    }

    /// Over HTTP/2: all of it in pseudo fields. `None` when the authority is not one.
    pub(super) fn http2(&self) -> Option<Request<Full<Bytes>>> {
        match self {
            Self::Delivery(delivery) => http2(delivery),
            Self::AsIs(request, url) => {
                let mut request = (*request).clone().map(Full::new);
                let target = request.uri().path_and_query().cloned()?;
                *request.uri_mut() = absolute(url, url.authority().as_str().as_bytes(), target)?;
                *request.version_mut() = http::Version::HTTP_2;
                request.headers_mut().remove(header::HOST);
                Some(request)
            }
        }
    }
}

fn http1(delivery: &Delivery) -> Request<Full<Bytes>> {
    let (mut parts, body) = request(delivery);
    parts.uri = Uri::from(target(delivery));
    parts
        .headers
        .insert(header::HOST, authority(delivery).clone());
    Request::from_parts(parts, body)
}

fn http2(delivery: &Delivery) -> Option<Request<Full<Bytes>>> {
    let (mut parts, body) = request(delivery);
    let url = &delivery.upstream.settings().url;
    parts.uri = absolute(url, authority(delivery).as_bytes(), target(delivery))?;
    parts.version = http::Version::HTTP_2;
    Some(Request::from_parts(parts, body))
}

/// The absolute form that pseudo fields are taken from.
fn absolute(url: &UpstreamUrl, authority: &[u8], target: PathAndQuery) -> Option<Uri> {
    let builder = Uri::builder()
        .scheme(url.scheme().as_str())
        .authority(authority);
    builder.path_and_query(target).build().ok()
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
    if body.is_end_stream() && ![Method::GET, Method::HEAD].contains(&parts.method) {
        // RFC 9110, 8.6: a method that expects content says so when there is none. hyper leaves it out.
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
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
