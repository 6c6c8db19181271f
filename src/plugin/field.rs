//! Header fields that guests may name, and those that are the proxy's own.

use http::{HeaderName, HeaderValue, header};

use super::budget::Breach;

/// A name by RFC 9110 section 5.1.
pub(super) fn name(text: &str) -> Result<HeaderName, Breach> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_invalid| {
        let text: String = text.escape_debug().take(100).collect();
        Breach::new(format!(
            "gave a header field the name `{text}`, which is none"
        ))
    })
}

/// A value by RFC 9110 section 5.5: no control characters but tab.
pub(super) fn value(name: &HeaderName, text: String) -> Result<HeaderValue, Breach> {
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).map_err(|_invalid| {
        Breach::new(format!(
            "gave the header field `{name}` a value with control characters"
        ))
    })
}

/// Whether only the proxy may set it: what frames the message or names the peer (RFC 9110 section
/// 7.6.1, RFC 9112 section 6), and what says that it was us.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    is_hop_by_hop(name)
        || *name == header::HOST
        || *name == header::CONTENT_LENGTH
        || *name == header::EXPECT
        || name.as_str().starts_with("hookgate-")
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    const NAMES: [HeaderName; 7] = [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    NAMES.contains(name) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}
