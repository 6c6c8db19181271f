//! Who may ask: the token, and the two doors that browsers leave open (DNS rebinding, and pages of
//! other sites that post here).

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, header};

use crate::secret::Secret;

/// Whether the request names us by an address or as `localhost`. A page that an attacker's name server
/// lets point at 127.0.0.1 still sends the attacker's name.
pub(super) fn is_local_name(request: &Parts) -> bool {
    let Some(authority) = authority(request) else {
        return false;
    };
    let host = authority.host();
    let address = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}

/// Whether no page of another site can be behind this request. Browsers say so in `Sec-Fetch-Site`
/// (Fetch Metadata), older ones in `Origin`; programs send neither.
pub(super) fn is_same_origin(request: &Parts) -> bool {
    let site = HeaderName::from_static("sec-fetch-site");
    if let Some(site) = request.headers.get(site) {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = request.headers.get(header::ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"));
    match (origin, authority(request)) {
        (Some((_, origin)), Some(authority)) => origin.eq_ignore_ascii_case(authority.as_str()),
        _ => false,
    }
}

/// Whether the request carries the token: `Bearer` (RFC 6750), or as the password of `Basic` (RFC 7617).
pub(super) fn presents(request: &Parts, token: &Secret) -> bool {
    match credentials(request) {
        Some(Credentials::Bearer(presented)) => is(presented.as_bytes(), token),
        Some(Credentials::Basic { password, .. }) => is(&password, token),
        None => false,
    }
}

/// The name that was given beside the token, for the record; with `Bearer` there is none.
pub(super) fn name(request: &Parts) -> Option<String> {
    match credentials(request)? {
        Credentials::Basic { name, .. } if !name.is_empty() => String::from_utf8(name).ok(),
        _ => None,
    }
}

enum Credentials<'a> {
    Bearer(&'a str),
    Basic { name: Vec<u8>, password: Vec<u8> },
}

fn credentials(request: &Parts) -> Option<Credentials<'_>> {
    let value = request.headers.get(header::AUTHORIZATION)?;
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    let credentials = credentials.trim_start();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials::Bearer(credentials));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let mut name = STANDARD.decode(credentials).ok()?;
    let colon = name.iter().position(|byte| *byte == b':')?;
    let password = name.split_off(colon + 1);
    name.truncate(colon);
    Some(Credentials::Basic { name, password })
}

/// In constant time; the length is no secret.
fn is(presented: &[u8], token: &Secret) -> bool {
    !token.is_empty() && verify_slices_are_equal(presented, token.expose()).is_ok()
}

/// The name under which the sender called us (HTTP/2 has it in the target).
fn authority(request: &Parts) -> Option<Authority> {
    if let Some(authority) = request.uri.authority() {
        return Some(authority.clone());
    }
    request
        .headers
        .get(header::HOST)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
