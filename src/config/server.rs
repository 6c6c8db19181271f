//! `[server]`, `[admin]` and `[log]`.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::document::Place;
use super::draft::{BYTE, Draft, GIB, HOUR, MILLISECOND, SECOND};
use super::file;
use super::secrets::{self, TEXT};
use super::shapes::OneOrMany;
use super::units::Size;
use crate::admin;
use crate::listener::{self, Certificates, HEADERS_MOST, Pair, Part, Validity};
use crate::secret::Secret;
use crate::webhook::Arrival;

/// A chain of some certificates has a few KiB.
const PEM_BYTES_MAX: u64 = 256 << 10;

/// Certificates of three months are renewed a month before their end: two weeks later somebody should
/// know that they were not. Those that live for days only are renewed with a third left; a quarter is
/// late for them.
const EXPIRY_NEAR: Duration = Duration::from_hours(14 * 24);

/// Providers' bodies are far below; GitHub's limit of 25 MB is the largest known.
const BODY_BYTES_MAX: usize = 1 << 20;

/// A megabyte at 35 KB/s, which is slower than any provider's network.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Longer than the deadline of any sender, so that all of them hear an answer.
const DRAIN_GRACE: Duration = Duration::from_secs(30);

/// A head must at least hold a request line and the headers of a proxy.
const HEAD_BYTES_LEAST: Size = Size(1 << 10);
const HEAD_BYTES_MOST: Size = Size(1 << 20);

/// What `[server]` gives to the routes.
#[derive(Debug)]
pub(super) struct ServerPart {
    pub listener: listener::Settings,
    pub workers: Option<NonZeroUsize>,
    pub drain_grace: Duration,
    pub trusted_proxies: Vec<ipnet::IpNet>,
    pub body_bytes_max: usize,
    pub body_time: Duration,
}

pub(super) fn server(draft: &mut Draft<'_>, written: file::Server) -> ServerPart {
    let place = Place::root().key("server");
    let limits = written.limits.unwrap_or_default();
    let tls = certificates(draft, &written.tls, &place.key("tls"));
    let is_tls = !written.tls.is_empty();
    let default = if is_tls {
        "127.0.0.1:8443"
    } else {
        "127.0.0.1:8080"
    };
    let listen = written.listen.unwrap_or_else(|| OneOrMany {
        items: vec![default.to_owned()],
        listed: false,
    });
    let addresses = addresses(draft, &place.key("listen"), &listen);
    let trusted_proxies = draft.networks(&place.key("trusted_proxies"), &written.trusted_proxies);
    let body_time = draft.time(
        &place.key("limits").key("body_time"),
        limits.body_time,
        BODY_TIME,
        (MILLISECOND, HOUR),
    );
    ServerPart {
        body_bytes_max: draft.size(
            &place.key("max_body"),
            written.max_body,
            BODY_BYTES_MAX,
            (BYTE, GIB),
        ),
        drain_grace: draft.time(
            &place.key("drain"),
            written.drain,
            DRAIN_GRACE,
            (MILLISECOND, HOUR),
        ),
        workers: written.workers,
        listener: listener::Settings {
            addresses,
            tls,
            limits: bounds(draft, &place.key("limits"), &limits),
        },
        trusted_proxies,
        body_time,
    }
}

fn bounds(draft: &mut Draft<'_>, place: &Place, written: &file::Limits) -> listener::Limits {
    let default = listener::Limits::default();
    let times = (MILLISECOND, HOUR);
    listener::Limits {
        connections_max: written
            .connections
            .map_or(default.connections_max, NonZeroUsize::get),
        handshake_time: draft.time(
            &place.key("handshake"),
            written.handshake,
            default.handshake_time,
            times,
        ),
        header_time: draft.time(
            &place.key("header_time"),
            written.header_time,
            default.header_time,
            times,
        ),
        header_bytes_max: draft.size(
            &place.key("header_bytes"),
            written.header_bytes,
            default.header_bytes_max,
            (HEAD_BYTES_LEAST, HEAD_BYTES_MOST),
        ),
        header_count_max: match written.headers.map(NonZeroUsize::get) {
            Some(headers) if headers > HEADERS_MOST => {
                draft.refuse(
                    &place.key("headers"),
                    format!("a head of {headers} fields is more than {HEADERS_MOST}"),
                    format!("{HEADERS_MOST} are the most; the wordiest senders have fifty"),
                );
                default.header_count_max
            }
            headers => headers.unwrap_or(default.header_count_max),
        },
        idle_time: draft.time(
            &place.key("idle"),
            written.idle,
            default.idle_time,
            (SECOND, HOUR),
        ),
        h2_streams_max: written
            .h2_streams
            .map_or(default.h2_streams_max, NonZeroU32::get),
    }
}

fn addresses(draft: &mut Draft<'_>, place: &Place, written: &OneOrMany) -> Vec<SocketAddr> {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    if written.items.is_empty() {
        draft.refuse(
            place,
            "there is no address to listen on",
            r#"name one, as in ["0.0.0.0:8443"]"#,
        );
    }
    for (index, text) in written.items.iter().enumerate() {
        let at = if written.listed {
            place.index(index)
        } else {
            place.clone()
        };
        let Some(address) = address(draft, &at, text) else {
            continue;
        };
        if addresses.contains(&address) {
            draft.refuse(
                &at,
                format!("`{text}` is listed twice"),
                "take one of them away",
            );
        }
        addresses.push(address);
    }
    addresses
}

/// An address with its port, numeric: a name could resolve to something else on the next day.
fn address(draft: &mut Draft<'_>, place: &Place, text: &str) -> Option<SocketAddr> {
    let error = match text.parse() {
        Ok(address) => return Some(address),
        Err(_) => format!("`{}` is not an address with a port", text.escape_default()),
    };
    let help = match text.rsplit_once(':') {
        Some(("", port)) if port.parse::<u16>().is_ok() => {
            format!(
                "did you mean `0.0.0.0:{port}` (every interface) or `127.0.0.1:{port}` (this machine only)?"
            )
        }
        Some(("localhost", port)) => format!("did you mean `127.0.0.1:{port}`?"),
        _ if text.parse::<std::net::IpAddr>().is_ok() => {
            "add the port, as in `0.0.0.0:8443` or `[::]:8443`".to_owned()
        }
        _ => "write it in numbers, like `0.0.0.0:8443` or `[::]:8443`".to_owned(),
    };
    draft.refuse(place, error, help);
    None
}

fn certificates(
    draft: &mut Draft<'_>,
    written: &[file::Tls],
    place: &Place,
) -> Option<Arc<Certificates>> {
    let mut pairs = Vec::new();
    for (index, tls) in written.iter().enumerate() {
        let at = place.index(index);
        let cert = half(draft, &at, "cert", tls.cert.as_deref());
        let key = half(draft, &at, "key", tls.key.as_deref());
        let (Some(cert), Some(key)) = (cert, key) else {
            continue;
        };
        let pair = Pair {
            cert,
            key: Secret::new(key),
        };
        // One by one, so that a second bad pair is found as well.
        match Certificates::new(std::slice::from_ref(&pair)) {
            Ok(_) => {
                let path = tls.cert.as_deref().unwrap_or_default();
                dates(draft, &at.key("cert"), path, &pair);
                pairs.push(pair);
            }
            Err(error) => {
                let (half, path) = match error.part {
                    Part::Cert => ("cert", tls.cert.as_deref()),
                    Part::Key => ("key", tls.key.as_deref()),
                };
                let path = path.unwrap_or_default();
                draft.refuse(
                    &at.key(half),
                    format!("`{path}` cannot be served: {}", error.reason),
                    "`cert` is the PEM chain, the server's own certificate first; `key` is its private key",
                );
            }
        }
    }
    if pairs.is_empty() {
        return None;
    }
    Certificates::new(&pairs).ok().map(Arc::new)
}

/// Warns of a certificate that senders refuse today, or will soon.
fn dates(draft: &mut Draft<'_>, place: &Place, path: &str, pair: &Pair) {
    let Some(Validity { from, until }) = pair.validity() else {
        return;
    };
    let now = Arrival::now().wall();
    let day = |time| match Timestamp::try_from(time) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => "a day beyond the calendar".to_owned(),
    };
    let renew = "renew it; a reload shows the new one to senders";
    let life = until.duration_since(from).unwrap_or_default();
    match until.duration_since(now) {
        Err(_) => {
            let message = format!("`{path}` expired on {}: senders refuse it", day(until));
            draft.warn(place, message, renew);
        }
        Ok(_) if now < from => {
            let from = day(from);
            let message = format!("`{path}` is not valid before {from}: senders refuse it");
            let help = "serve one that is valid today, or set the clock of this machine";
            draft.warn(place, message, help);
        }
        Ok(left) if left < EXPIRY_NEAR.min(life / 4) => {
            draft.warn(place, format!("`{path}` expires on {}", day(until)), renew);
        }
        Ok(_) => {}
    }
}

fn half(draft: &mut Draft<'_>, place: &Place, key: &str, written: Option<&str>) -> Option<Vec<u8>> {
    let Some(written) = written else {
        draft.missing(
            place,
            key,
            format!("this certificate has no `{key}`"),
            format!("add {key} = \"PATH\""),
        );
        return None;
    };
    match secrets::read(&draft.lookup.path(written), PEM_BYTES_MAX) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let help = "paths are relative to the configuration file";
            draft.refuse(
                &place.key(key),
                format!("cannot read `{written}`: {error}"),
                help,
            );
            None
        }
    }
}

pub(super) fn admin(draft: &mut Draft<'_>, written: &file::Admin) -> Option<admin::Settings> {
    let place = Place::root().key("admin");
    let listen = written.listen.as_deref().unwrap_or("127.0.0.1:9119");
    if draft.document.is_broken(&place.key("listen")) {
        return None;
    }
    let address = match listen {
        "off" => None,
        text => address(draft, &place.key("listen"), text),
    };
    let span = draft.document.value(&place.key("token"));
    let token = written.token.as_ref().and_then(|token| {
        draft
            .lookup
            .secret(token, &TEXT, &span, &mut draft.problems)
    });
    let address = address?;
    if !address.ip().is_loopback()
        && written.token.is_none()
        && !draft.document.is_broken(&place.key("token"))
    {
        draft.refuse(
            &place.key("listen"),
            format!("`{address}` can be reached by others, and there is no `token`"),
            r#"listen on 127.0.0.1, or add token = { env = "NAME" }"#,
        );
    }
    Some(admin::Settings {
        address,
        token: token.map(|token| Arc::new(token.secret)),
    })
}
