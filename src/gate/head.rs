//! What must hold of a head before a route is looked up: the duties of RFC 9112 and 9110 that hyper
//! leaves to us.

use http::header::{HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri, Version};

use crate::webhook::climbs;

/// A head that may be routed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// Without a port; none for HTTP/1.0 without `Host`.
    pub(super) host: Option<&'a str>,
    /// Raw, without the query.
    pub(super) path: &'a str,
}

impl<'a> Head<'a> {
    /// Checks the head; the error is for the log.
    pub(super) fn check(parts: &'a Parts) -> Result<Self, &'static str> {
        if parts.method == Method::CONNECT || parts.method == Method::TRACE {
            return Err("CONNECT and TRACE are not for webhooks");
        }
        check_framing(parts)?;
        let mut hosts = parts.headers.get_all(HOST).iter();
        let field = hosts.next();
        if hosts.next().is_some() {
            // RFC 9112, 3.2: more than one Host is a 400.
            return Err("there is more than one Host");
        }
        let authority = match (parts.uri.authority(), field) {
            (Some(authority), _) => Some(authority.as_str()),
            (None, Some(field)) => Some(field.to_str().map_err(|_| "the Host is not text")?),
            (None, None) if parts.version >= Version::HTTP_11 => return Err("there is no Host"),
            (None, None) => None,
        };
        let host = authority.map(without_port).transpose()?;
        let path = parts.uri.path();
        if !path.starts_with('/') {
            return Err("the target is not a path");
        }
        if climbs(path) {
            // An upstream would resolve it, and so reach what no route names.
            return Err("the path has `.` or `..` segments");
        }
        Ok(Self { host, path })
    }
}

/// The authority as the sender wrote it.
pub(super) fn authority(parts: &Parts) -> Option<HeaderValue> {
    match parts.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => parts.headers.get(HOST).cloned(),
    }
}

/// Path and query as the sender wrote them.
pub(super) fn target(uri: &Uri) -> PathAndQuery {
    uri.path_and_query()
        .cloned()
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
}

/// RFC 9112, 6.1: no transfer coding in HTTP/1.0, and none but `chunked`, once.
fn check_framing(parts: &Parts) -> Result<(), &'static str> {
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    if parts.version != Version::HTTP_11 {
        return Err("Transfer-Encoding is for HTTP/1.1 only");
    }
    if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
        return Err("the only transfer coding is chunked");
    }
    Ok(())
}

/// The host of `host:port`, checked to be nothing else (RFC 3986, 3.2.2; no userinfo).
fn without_port(authority: &str) -> Result<&str, &'static str> {
    const WRONG: &str = "the Host is not a host";
    let (host, port) = match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => {
            authority.split_at_checked(colon).ok_or(WRONG)?
        }
        _ => (authority, ""),
    };
    let port_fits = port.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    let host_fits = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        }
    };
    if port_fits && host_fits {
        Ok(host)
    } else {
        Err(WRONG)
    }
}

#[cfg(test)]
mod tests {
    use super::Head;
    use http::{Request, Version};

    fn check(request: http::request::Builder) -> Result<(Option<String>, String), &'static str> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Head::check(&parts).map(|head| (head.host.map(Into::into), head.path.into()))
    }

    fn post(target: &str) -> http::request::Builder {
        Request::post(target)
    }

    #[test]
    fn a_host_is_read_without_its_port() {
        for (host, expected) in [
            ("hooks.example.com", "hooks.example.com"),
            ("hooks.example.com:8443", "hooks.example.com"),
            ("192.0.2.1:80", "192.0.2.1"),
            ("[2001:db8::1]:443", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            let (found, path) = check(post("/hook?x=1").header("host", host)).unwrap();
            assert_eq!((found.as_deref(), path.as_str()), (Some(expected), "/hook"));
        }
    }

    #[test]
    fn a_host_that_is_none_is_refused() {
        for host in [
            "",
            "user@example.com",
            "a b",
            "example.com:80x",
            "[::1",
            "a/b",
            "[zz]:1",
        ] {
            assert!(check(post("/hook").header("host", host)).is_err(), "{host}");
        }
        assert_eq!(check(post("/hook")), Err("there is no Host"));
        let two = post("/hook").header("host", "a").header("host", "a");
        assert_eq!(check(two), Err("there is more than one Host"));
        assert!(check(post("/hook").version(Version::HTTP_10)).is_ok());
    }

    #[test]
    fn the_only_transfer_coding_is_chunked_and_in_http_1_1() {
        let with = |coding| {
            post("/hook")
                .header("host", "a")
                .header("transfer-encoding", coding)
        };

        assert!(check(with("chunked")).is_ok());
        for coding in ["gzip, chunked", ",chunked", "cow", "identity"] {
            assert!(check(with(coding)).is_err(), "{coding}");
        }
        assert!(check(with("chunked").version(Version::HTTP_10)).is_err());
    }

    #[test]
    fn a_path_that_climbs_is_refused_and_its_neighbours_are_not() {
        let at = |path: &str| check(post(path).header("host", "a"));

        for path in [
            "/a/../b",
            "/a/./b",
            "/a/%2e%2E/b",
            "/..",
            "/a/..%2fb",
            "/a%5c../b",
        ] {
            assert_eq!(at(path), Err("the path has `.` or `..` segments"), "{path}");
        }
        for path in ["/a..b", "/.well-known/x", "/a/...", "/%2e%2ea"] {
            assert!(at(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn connect_and_trace_are_refused() {
        for method in ["CONNECT", "TRACE"] {
            let request = Request::builder()
                .method(method)
                .uri("/hook")
                .header("host", "a");
            assert!(check(request).is_err());
        }
    }
}
