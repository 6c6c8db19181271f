//! What must hold of a head before a route is looked up: the duties of RFC 9112 and 9110 that are
//! the same in both versions of HTTP.

use http::{Method, Version};

use crate::message;
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
    pub(super) fn check(head: &'a message::Head) -> Result<Self, &'static str> {
        if head.method == Method::CONNECT || head.method == Method::TRACE {
            return Err("CONNECT and TRACE are not for webhooks");
        }
        let mut hosts = head.fields.all("host");
        let field = hosts.next();
        if hosts.next().is_some() {
            // RFC 9112, 3.2: more than one Host is a 400.
            return Err("there is more than one Host");
        }
        let authority = match (&head.authority, field) {
            (Some(authority), _) => Some(&**authority),
            (None, Some(field)) => {
                Some(std::str::from_utf8(field).map_err(|_| "the Host is not text")?)
            }
            (None, None) if head.version >= Version::HTTP_11 => return Err("there is no Host"),
            (None, None) => None,
        };
        let host = authority.map(without_port).transpose()?;
        let path = head.target.path();
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
    use crate::message::{self, Fields};
    use http::{Method, Version};

    /// A POST as HTTP/1.1, with these hosts.
    fn post(target: &str, hosts: &[&str]) -> message::Head {
        message::Head {
            method: Method::POST,
            target: target.parse().unwrap(),
            authority: None,
            version: Version::HTTP_11,
            fields: hosts.iter().map(|host| ("host", host)).collect::<Fields>(),
        }
    }

    fn check(head: &message::Head) -> Result<(Option<String>, String), &'static str> {
        Head::check(head).map(|head| (head.host.map(Into::into), head.path.into()))
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
            let (found, path) = check(&post("/hook?x=1", &[host])).unwrap();
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
            assert!(check(&post("/hook", &[host])).is_err(), "{host}");
        }
        assert_eq!(check(&post("/hook", &[])), Err("there is no Host"));
        let two = post("/hook", &["a", "a"]);
        assert_eq!(check(&two), Err("there is more than one Host"));
        let old = message::Head {
            version: Version::HTTP_10,
            ..post("/hook", &[])
        };
        assert_eq!(check(&old), Ok((None, "/hook".to_owned())));
    }

    #[test]
    fn a_path_that_climbs_is_refused_and_its_neighbours_are_not() {
        let at = |path: &str| check(&post(path, &["a"]));

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
            let head = message::Head {
                method: method.parse().unwrap(),
                ..post("/hook", &["a"])
            };
            assert!(check(&head).is_err());
        }
    }
}
