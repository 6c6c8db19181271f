//! What is sent to an upstream, as a request in either version of the protocol.

use std::borrow::Cow;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Uri, header};

use super::{Delivery, UpstreamUrl, head};
use crate::http1;

/// What is sent to an upstream.
pub(super) enum Outgoing<'a> {
    /// A delivery, with all that a gateway adds.
    Delivery(&'a Delivery),
    /// A request as it is, outside of any delivery.
    AsIs(&'a Request<Bytes>, &'a UpstreamUrl),
}

impl Outgoing<'_> {
    /// Over HTTP/1.1: writes the head, with path and query in the request line and the authority in
    /// `Host`; the body that follows it.
    pub(super) fn write_http1(&self, out: &mut Vec<u8>) -> Bytes {
        match self {
            Self::Delivery(delivery) => write_http1(delivery, out),
            Self::AsIs(request, _) => {
                let target = request
                    .uri()
                    .path_and_query()
                    .map_or("/", PathAndQuery::as_str);
                http1::begin_request(out, request.method(), target);
                for (name, value) in request.headers() {
                    http1::field(out, name.as_str(), value.as_bytes());
                }
                if !request.headers().contains_key(header::CONTENT_LENGTH) {
                    http1::length(out, request.body().len());
                }
                http1::end(out);
                request.body().clone()
            }
        }
    }

    /// Whether its answer has no body (RFC 9110, 9.3.2).
    pub(super) fn is_head(&self) -> bool {
        match self {
            Self::Delivery(delivery) => delivery.webhook.method == Method::HEAD,
            Self::AsIs(request, _) => request.method() == Method::HEAD,
        }
    }

    /// Over HTTP/2: all of it in pseudo fields. `None` when the authority is not one.
    pub(super) fn http2(&self) -> Option<Request<Bytes>> {
        match self {
            Self::Delivery(delivery) => http2(delivery),
            Self::AsIs(request, url) => {
                let mut request = (*request).clone();
                let target = request.uri().path_and_query().cloned()?;
                *request.uri_mut() = absolute(url, url.authority().as_str().as_bytes(), target)?;
                *request.version_mut() = http::Version::HTTP_2;
                request.headers_mut().remove(header::HOST);
                Some(request)
            }
        }
    }
}

fn write_http1(delivery: &Delivery, out: &mut Vec<u8>) -> Bytes {
    let Delivery {
        webhook,
        overlay,
        attempts,
        ..
    } = delivery;
    let base = delivery.upstream.settings().url.base();
    match head::target(base, webhook, overlay) {
        Cow::Borrowed(target) => http1::begin_request(out, &webhook.method, target.as_str()),
        Cow::Owned(target) => http1::begin_request(out, &webhook.method, target.as_str()),
    }
    http1::field(out, "host", authority(delivery));
    head::write(out, webhook, overlay, *attempts);
    let body = overlay.body.as_ref().unwrap_or(&webhook.body).clone();
    if says_length(&webhook.method, &body) {
        http1::length(out, body.len());
    }
    http1::end(out);
    body
}

/// RFC 9110, 8.6: a method that expects content says so when there is none.
fn says_length(method: &Method, body: &Bytes) -> bool {
    !body.is_empty() || ![Method::GET, Method::HEAD].contains(method)
}

fn http2(delivery: &Delivery) -> Option<Request<Bytes>> {
    let (mut parts, body) = request(delivery);
    let url = &delivery.upstream.settings().url;
    let target = head::target(url.base(), &delivery.webhook, &delivery.overlay).into_owned();
    parts.uri = absolute(url, authority(delivery), target)?;
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

fn request(delivery: &Delivery) -> (http::request::Parts, Bytes) {
    let Delivery {
        webhook,
        overlay,
        attempts,
        ..
    } = delivery;
    // Its length is known, so hyper frames it by an exact `Content-Length`.
    let body = overlay.body.as_ref().unwrap_or(&webhook.body).clone();
    let (mut parts, body) = Request::new(body).into_parts();
    parts.method = webhook.method.clone();
    parts.headers = head::fields(webhook, overlay, *attempts);
    if body.is_empty() && says_length(&parts.method, &body) {
        // hyper leaves it out.
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    (parts, body)
}

fn authority(delivery: &Delivery) -> &[u8] {
    match delivery.webhook.host() {
        Some(host) if delivery.upstream.settings().preserve_host => host,
        _ => delivery.upstream.host().as_bytes(),
    }
}
