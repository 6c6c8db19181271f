//! `[upstreams]`: the servers that receive deliveries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::document::Place;
use super::draft::{Draft, HOUR, MILLISECOND};
use super::file;
use super::problem::Problem;
use super::secrets::{self, TEXT};
use super::shapes::{SECRET_IN_THE_OPEN, Text};
use crate::delivery::{BreakerSettings, Restraint, Upstream, UpstreamSettings, UpstreamUrl};
use crate::telemetry::Telemetry;

/// A bundle of all public roots has some 250 KiB.
pub(super) const CA_BYTES_MAX: u64 = 4 << 20;

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
        let settings = written
            .get(&name)
            .and_then(|upstream| settings(draft, &place, &name, upstream));
        let upstream = settings.and_then(|settings| {
            if let Some(before) = previous
                .get(name.as_str())
                .filter(|before| *before.settings() == settings)
            {
                return Some(Arc::clone(before));
            }
            let upstream = Upstream::new(settings, workers, telemetry.upstream(&name));
            match upstream {
                Ok(upstream) => Some(Arc::new(upstream)),
                Err(error) => {
                    let span = draft.document.value(&place);
                    draft.problems.push(Problem::error(span, error.to_string()));
                    None
                }
            }
        });
        upstreams.insert(name, upstream);
    }
    upstreams
}

/// Warns about what no route forwards to.
pub(super) fn warn_unused(draft: &mut Draft<'_>, upstreams: &Upstreams, used: &BTreeSet<String>) {
    for name in upstreams.keys().filter(|name| !used.contains(*name)) {
        let place = Place::root().key("upstreams").key(name);
        draft.warn(
            &place,
            format!("no route forwards to the upstream `{name}`"),
            "use it, or take it away",
        );
    }
}

fn settings(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    written: &file::Upstream,
) -> Option<UpstreamSettings> {
    let url = url(draft, place, name, written.url.as_ref())?;
    let mut settings = UpstreamSettings::new(name.into(), url);
    let times = (MILLISECOND, HOUR);
    settings.timeout = draft.time(
        &place.key("timeout"),
        written.timeout,
        settings.timeout,
        times,
    );
    let connecting = settings.connect_timeout.min(settings.timeout);
    settings.connect_timeout = draft.time(
        &place.key("connect_timeout"),
        written.connect_timeout,
        connecting,
        times,
    );
    if settings.connect_timeout > settings.timeout {
        draft.refuse(
            &place.key("connect_timeout"),
            "connecting may take longer than the whole attempt",
            "`connect_timeout` is a part of `timeout`: make it shorter",
        );
    }
    settings.ca = match written.ca.as_deref() {
        None => None,
        Some(path) => match secrets::read(&draft.lookup.path(path), CA_BYTES_MAX) {
            Ok(pem) if has_certificate(&pem) => Some(pem),
            Ok(_) => {
                let message = format!("there is no certificate in `{path}`");
                draft.refuse(
                    &place.key("ca"),
                    message,
                    "it is a PEM file with `BEGIN CERTIFICATE`",
                );
                return None;
            }
            Err(error) => {
                let message = format!("cannot read `{path}`: {error}");
                draft.refuse(
                    &place.key("ca"),
                    message,
                    "paths are relative to the configuration file",
                );
                return None;
            }
        },
    };
    if settings.ca.is_some() && settings.url.scheme().as_str() == "http" {
        draft.refuse(
            &place.key("ca"),
            "a plain `http://` upstream shows no certificate to check",
            "write `https://`, or take `ca` away",
        );
    }
    settings.http2 = written.http2.unwrap_or_default();
    settings.preserve_host = written.preserve_host.unwrap_or_default();
    settings.restraint = restraint(draft, place, written);
    Some(settings)
}

fn restraint(draft: &mut Draft<'_>, place: &Place, written: &file::Upstream) -> Restraint {
    let default = Restraint::default();
    let concurrency = written.concurrency.unwrap_or(default.concurrency);
    let at = place.key("breaker");
    let none = file::Breaker::default();
    let breaker = written.breaker.as_ref().unwrap_or(&none);
    let probes = breaker.probes.unwrap_or(default.breaker.probes);
    if probes > concurrency {
        draft.refuse(
            &at.key("probes"),
            format!("{probes} probes are more than the upstream's `concurrency` of {concurrency}"),
            "fewer probes find out as much",
        );
    }
    let open = draft.time(
        &at.key("open"),
        breaker.open,
        default.breaker.open,
        (MILLISECOND, HOUR),
    );
    Restraint {
        concurrency,
        rate: written.rate.map(|pace| pace.0),
        breaker: BreakerSettings {
            failures: breaker.failures.unwrap_or(default.breaker.failures),
            open,
            probes,
        },
    }
}

fn url(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    written: Option<&Text>,
) -> Option<UpstreamUrl> {
    let at = place.key("url");
    let span = draft.document.value(&at);
    let text = match written {
        None => {
            let help = r#"add url = "http://HOST:PORT/PATH""#;
            draft.missing(
                place,
                "url",
                format!("upstream `{name}` has no `url`"),
                help,
            );
            return None;
        }
        Some(Text::Plain(text)) => text.clone(),
        Some(Text::Secret(secret)) => {
            let found = draft
                .lookup
                .secret(secret, &TEXT, &span, &mut draft.problems)?;
            let Ok(text) = std::str::from_utf8(found.secret.expose()) else {
                draft.refuse(
                    &at,
                    format!("`{}` holds no text", found.label),
                    "a URL is text",
                );
                return None;
            };
            text.to_owned()
        }
    };
    let is_secret = matches!(written, Some(Text::Secret(_)));
    // `UpstreamUrl` refuses them as well, but only here is it known that the line must be covered.
    if has_credentials(&text) {
        draft.problems.mask(span);
        let help = r#"let a variable hold the whole URL: url = { env = "NAME" }"#;
        draft.refuse(&at, SECRET_IN_THE_OPEN, help);
        return None;
    }
    match UpstreamUrl::parse(&text) {
        Ok(url) => Some(url),
        // The sentence quotes the text.
        Err(_) if is_secret => {
            draft.refuse(
                &at,
                "what stands there is not the URL of an upstream",
                URL_HELP,
            );
            None
        }
        Err(sentence) => {
            draft.refuse(&at, sentence, URL_HELP);
            None
        }
    }
}

const URL_HELP: &str = r#"write it like "http://ci.internal:8080/hooks""#;

fn has_credentials(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#'])
        .next()
        .is_some_and(|authority| authority.contains('@'))
}

fn has_certificate(pem: &[u8]) -> bool {
    CertificateDer::pem_slice_iter(pem)
        .next()
        .is_some_and(|certificate| certificate.is_ok())
}
