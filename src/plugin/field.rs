//! Header fields that guests may name, and those that are the proxy's own.

use http::{HeaderName, HeaderValue};

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
/// 7.6.1, RFC 9112 section 6, RFC 7239), and what says that it was us.
///
/// `_` is as good as `-`: CGI (RFC 3875, 4.1.18), and WSGI and Rack after it, fold both into one name.
pub(super) fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str();
    if name.contains('_') {
        is_named_ours(&name.replace('_', "-"))
    } else {
        is_named_ours(name)
    }
}

fn is_named_ours(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["hookgate-", "x-forwarded-", "proxy-"];
    matches!(
        name,
        "host"
            | "content-length"
            | "expect"
            | "forwarded"
            | "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    ) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{is_ours, name};

    #[test]
    fn what_the_proxy_says_is_not_a_plugins_in_any_spelling() {
        for ours in [
            "Host",
            "Content-Length",
            "content_length",
            "Transfer_Encoding",
            "Keep_Alive",
            "Proxy-Authorization",
            "proxy_connection",
            "Forwarded",
            "X-Forwarded-For",
            "x_forwarded_for",
            "X_Forwarded-Proto",
            "x-forwarded_anything",
            "Hookgate-Id",
            "hookgate_id",
            "HOOKGATE_ROUTE",
        ] {
            assert!(is_ours(&name(ours).unwrap()), "{ours}");
        }
    }

    #[test]
    fn other_names_are_a_plugins_with_underscores_too() {
        for theirs in [
            "content-type",
            "content_type",
            "x_forward",
            "x-forwarded",
            "hookgates",
            "hookgates_id",
            "my_hookgate_id",
            "proxying",
            "_",
        ] {
            assert!(!is_ours(&name(theirs).unwrap()), "{theirs}");
        }
    }
}
