//! How answers are made: their type, and the fields that every one of them carries.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

/// One value as a line of JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    match serde_json::to_string(value) {
        Ok(text) => self::text(status, "application/json", text + "\n"),
        Err(reason) => sentence(StatusCode::INTERNAL_SERVER_ERROR, &reason.to_string()),
    }
}

/// One sentence for a person at a shell.
pub(super) fn sentence(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    self::text(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

/// Text of some kind.
pub(super) fn text(
    status: StatusCode,
    content_type: &'static str,
    text: String,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    with(response, header::CONTENT_TYPE, content_type)
}

/// The same with one more field.
pub(super) fn with(
    mut response: Response<Full<Bytes>>,
    name: HeaderName,
    value: &'static str,
) -> Response<Full<Bytes>> {
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    response
}

/// The same with what keeps browsers and caches from doing anything clever with it.
pub(super) fn guarded(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let response = with(response, header::CACHE_CONTROL, "no-store");
    let response = with(response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let response = with(response, header::REFERRER_POLICY, "no-referrer");
    if response
        .headers()
        .contains_key(header::CONTENT_SECURITY_POLICY)
    {
        return response;
    }
    with(
        response,
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    )
}
