//! `[upstreams]`: the servers that receive deliveries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::document::Place;
use super::draft::{Draft, HOUR, MILLISECOND};
use super::file;
use super::secrets::{self, Format};
use super::shapes::{SECRET_IN_THE_OPEN, Text};
use crate::delivery::{Upstream, UpstreamSettings};
use crate::telemetry::Telemetry;

/// A bundle of all public roots has some 250 KiB.
const CA_BYTES_MAX: u64 = 4 << 20;

/// A webhook's work is done in seconds; an attempt that takes longer is better tried again.
const TIMEOUT: Duration = Duration::from_secs(15);

/// One lost SYN (1 s) and its repetition fit.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// By name. None: it is in the file, but wrong, which was reported.
pub(super) type Upstreams = BTreeMap<String, Option<Arc<Upstream>>>;

/// Checks all of them; one that is as before is the one that was before, with its connections.
pub(super) fn upstreams(
    draft: &mut Draft<'_>,
    written: &BTreeMap<String, file::Upstream>,
    previous: &BTreeMap<Arc<str>, Arc<Upstream>>,
    workers: usize,
    telemetry: &Telemetry,
) -> Upstreams {
    let mut upstreams = Upstreams::new();
    let all = Place::root().key("upstreams");
    for name in draft.document.names(&all) {
        let place = all.key(&name);
        draft.name(&place, &name, "an upstream");
        let settings = written.get(&name).and_then(|upstream| settings(draft, &place, &name, upstream));
        let upstream = settings.and_then(|settings| {
            if let Some(before) = previous.get(name.as_str()).filter(|before| *before.settings() == settings) {
                return Some(Arc::clone(before));
            }
            let upstream = Upstream::new(settings, workers, telemetry.upstream(&name));
            upstream.map(Arc::new).map_err(|error| draft.refuse(&place, format!("upstream `{name}` cannot be used: {error}"), "")).ok()
        });
        upstreams.insert(name, upstream);
    }
    upstreams
}

/// Warns about what no route forwards to.
pub(super) fn warn_unused(draft: &mut Draft<'_>, upstreams: &Upstreams, used: &BTreeSet<String>) {
    for name in upstreams.keys().filter(|name| !used.contains(*name)) {
        let place = Place::root().key("upstreams").key(name);
        draft.warn(&place, format!("no route forwards to the upstream `{name}`"), "use it, or take it away");
    }
}

fn settings(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    written: &file::Upstream,
) -> Option<UpstreamSettings> {
    let url = url(draft, place, name, written.url.as_ref());
    let times = (MILLISECOND, HOUR);
    let timeout = draft.time(&place.key("timeout"), written.timeout, TIMEOUT, times);
    let connect_timeout =
        draft.time(&place.key("connect_timeout"), written.connect_timeout, CONNECT_TIMEOUT, times);
    if connect_timeout > timeout {
        draft.refuse(
            &place.key(if written.connect_timeout.is_some() { "connect_timeout" } else { "timeout" }),
            "connecting may take longer than the whole attempt",
            "`connect_timeout` is a part of `timeout`: make it shorter",
        );
    }
    let ca = match written.ca.as_deref() {
        None => None,
        Some(path) => match secrets::read(&draft.lookup.path(path), CA_BYTES_MAX) {
            Ok(pem) if has_certificate(&pem) => Some(pem),
            Ok(_) => {
                let message = format!("there is no certificate in `{path}`");
                draft.refuse(&place.key("ca"), message, "it is a PEM file with `BEGIN CERTIFICATE`");
                return None;
            }
            Err(error) => {
                let message = format!("cannot read `{path}`: {error}");
                draft.refuse(&place.key("ca"), message, "paths are relative to the configuration file");
                return None;
            }
        },
    };
    let url = url?;
    if ca.is_some() && url.scheme_str() == Some("http") {
        draft.refuse(
            &place.key("ca"),
            "a plain `http://` upstream shows no certificate to check",
            "write `https://`, or take `ca` away",
        );
    }
    Some(UpstreamSettings {
        name: name.into(),
        url,
        timeout,
        connect_timeout,
        ca,
        http2: written.http2.unwrap_or_default(),
        preserve_host: written.preserve_host.unwrap_or_default(),
    })
}

fn url(draft: &mut Draft<'_>, place: &Place, name: &str, written: Option<&Text>) -> Option<Uri> {
    let at = place.key("url");
    let span = draft.document.value(&at);
    let text = match written {
        None => {
            let help = r#"add url = "http://HOST:PORT/PATH""#;
            draft.missing(place, "url", format!("upstream `{name}` has no `url`"), help);
            return None;
        }
        Some(Text::Plain(text)) => text.clone(),
        Some(Text::Secret(secret)) => {
            let found = draft.lookup.secret(secret, &Format::TEXT, &span, &mut draft.problems)?;
            let Ok(text) = std::str::from_utf8(found.secret.expose()) else {
                draft.refuse(&at, format!("`{}` holds no text", found.label), "a URL is text");
                return None;
            };
            text.to_owned()
        }
    };
    // The text may be a secret: no message shows it.
    let (message, help) = match parse_url(&text) {
        Ok(url) => return Some(url),
        Err(UrlProblem::Credentials) => {
            draft.problems.mask(span);
            (SECRET_IN_THE_OPEN, r#"let the variable hold the whole URL: url = { env = "NAME" }"#)
        }
        Err(UrlProblem::Scheme) => ("the URL of an upstream begins with `http://` or `https://`", "as in \"http://ci.internal:8080/hooks\""),
        Err(UrlProblem::Fragment) => ("a URL with `#` names a place in a document", "take away what begins with `#`"),
        Err(UrlProblem::Form) => ("this is not a URL", "write it like \"http://ci.internal:8080/hooks\""),
    };
    draft.refuse(&at, message, help);
    None
}

enum UrlProblem {
    Credentials,
    Scheme,
    Fragment,
    Form,
}

/// `http` drops a fragment silently and leaves user names in the authority, so both are looked for first.
fn parse_url(text: &str) -> Result<Uri, UrlProblem> {
    let Some((scheme, rest)) = text.split_once("://") else { return Err(UrlProblem::Scheme) };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(UrlProblem::Scheme);
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(UrlProblem::Credentials);
    }
    if text.contains('#') {
        return Err(UrlProblem::Fragment);
    }
    let url: Uri = text.parse().map_err(|_| UrlProblem::Form)?;
    match url.host() {
        Some(host) if !host.is_empty() => Ok(url),
        _ => Err(UrlProblem::Form),
    }
}

fn has_certificate(pem: &[u8]) -> bool {
    CertificateDer::pem_slice_iter(pem).next().is_some_and(|certificate| certificate.is_ok())
}
