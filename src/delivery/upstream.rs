//! A server that receives deliveries: where it is, how long it may take, and the way there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::uri::{Authority, PathAndQuery, Uri};
use tokio::time::Instant;

use super::attempt;
use super::breaker::BreakerState;
use super::entrance::{Entrance, Restraint};
use super::outcome::{Answer, Fault};
use super::pool::{Link, Pool};
use super::wire::{Dial, Tls};
use crate::drain::Watch;
use crate::telemetry::UpstreamMeters;
use crate::webhook::Scheme;

/// Where deliveries go, parsed.
///
/// A URL without a path (`http://ci:8080`, `http://ci:8080/`) keeps the webhook's own path and query. A
/// URL with a path is used as it is, and the route's path is not appended; a query in it stays as
/// written and the webhook's is dropped, so that no sender can add to it or contradict it, and without
/// one the webhook's query is kept. A transform's target is appended to the URL's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    scheme: Scheme,
    authority: Authority,
    base: Option<PathAndQuery>,
}

impl UpstreamUrl {
    /// Reads `http://` and `https://` URLs.
    ///
    /// # Errors
    ///
    /// A sentence for the operator: what is wrong and the cure.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains('#') {
            return Err(
                "an upstream's URL has no fragment: remove `#` and what follows".to_owned(),
            );
        }
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            Some(other) => {
                return Err(format!("upstreams speak `http` or `https`, not `{other}`"));
            }
            None => return Err(format!("`{text}` has no scheme: write `http://{text}`")),
        };
        let parts = uri.into_parts();
        let Some(authority) = parts.authority else {
            return Err(format!("`{text}` names no host"));
        };
        if authority.as_str().contains('@') {
            return Err("a URL is no place for credentials: they would be in every log".to_owned());
        }
        let base = parts
            .path_and_query
            .filter(|p| p.path() != "/" || p.query().is_some());
        Ok(Self {
            scheme,
            authority,
            base,
        })
    }

    /// Path and query, where the URL has any.
    #[must_use]
    pub fn base(&self) -> Option<&PathAndQuery> {
        self.base.as_ref()
    }

    /// Host and port as written.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Plain or TLS.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        })
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)?;
        self.base
            .as_ref()
            .map_or(Ok(()), |base| f.write_str(base.as_str()))
    }
}

/// An upstream as the configuration means it. Equal settings make the same upstream, so a reload can
/// keep what did not change, connections included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// By which routes and metrics call it.
    pub name: Arc<str>,
    /// Where it is.
    pub url: UpstreamUrl,
    /// For one attempt, from the first byte to the last; default 15 s, as Standard Webhooks advise.
    pub timeout: Duration,
    /// For connecting, TLS included, within `timeout`; default 3 s.
    pub connect_timeout: Duration,
    /// PEM certificates of the authorities to trust instead of the platform's.
    pub ca: Option<Vec<u8>>,
    /// HTTP/2 without asking on plain `http`; over TLS the handshake decides.
    pub http2: bool,
    /// Sends the authority that the sender called instead of the URL's.
    pub preserve_host: bool,
    /// Never at an address that only a private network has.
    pub public_only: bool,
    /// How much of it we ask for.
    pub restraint: Restraint,
}

impl UpstreamSettings {
    /// The defaults for `url`.
    #[must_use]
    pub fn new(name: Arc<str>, url: UpstreamUrl) -> Self {
        Self {
            name,
            url,
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(3),
            ca: None,
            http2: false,
            preserve_host: false,
            public_only: false,
            restraint: Restraint::default(),
        }
    }
}

/// An upstream cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("upstream `{upstream}` cannot be reached over TLS: {reason}")]
pub struct UpstreamError {
    /// Its name.
    pub upstream: Arc<str>,
    /// What is wrong, and the cure.
    pub reason: String,
}

/// A server that receives deliveries, with each worker's connections to it.
#[derive(Debug)]
pub struct Upstream {
    settings: UpstreamSettings,
    meters: Arc<UpstreamMeters>,
    host: HeaderValue,
    dial: Dial,
    pools: Box<[Pool]>,
    entrance: Arc<Entrance>,
}

/// What operators see of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpstreamHealth {
    /// Attempts under way.
    pub in_flight: u32,
    /// Whether it is left alone.
    pub breaker: BreakerState,
}

impl Upstream {
    /// Reads certificates; connects nowhere.
    ///
    /// # Errors
    ///
    /// When the authorities to trust, given or the platform's, cannot be used.
    pub fn new(
        settings: UpstreamSettings,
        workers: usize,
        meters: Arc<UpstreamMeters>,
    ) -> Result<Self, UpstreamError> {
        let refused = |reason| UpstreamError {
            upstream: Arc::clone(&settings.name),
            reason,
        };
        let url = &settings.url;
        let host = url.authority.host();
        // An IPv6 address stands in brackets in a URL and nowhere else.
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        let tls = match url.scheme {
            Scheme::Http => None,
            Scheme::Https => Some(Tls::new(host, settings.ca.as_deref()).map_err(refused)?),
        };
        let dial = Dial {
            host: host.into(),
            port: url.port(),
            tls,
            public_only: settings.public_only,
        };
        let host = HeaderValue::from_str(url.authority.as_str())
            .map_err(|_| refused("its authority does not fit into `Host`".to_owned()))?;
        let pools = (0..workers.max(1)).map(|_| Pool::default()).collect();
        let entrance = Entrance::new(settings.restraint, Instant::now());
        Ok(Self {
            meters,
            host,
            dial,
            pools,
            entrance,
            settings,
        })
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &UpstreamSettings {
        &self.settings
    }

    /// By which routes and metrics call it.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.settings.name
    }

    /// Sends a request as it is and waits for the whole answer, outside of any delivery: no retry, no
    /// field of ours.
    ///
    /// # Errors
    /// Why there was no complete answer, in words.
    pub async fn ask(&self, request: &http::Request<Bytes>) -> Result<Answer, String> {
        attempt::ask(self, request).await
    }

    /// How it is, as far as we know.
    #[must_use]
    pub fn health(&self) -> UpstreamHealth {
        UpstreamHealth {
            in_flight: self.entrance.inside(),
            breaker: self.entrance.breaker(Instant::now()),
        }
    }

    /// Where it is counted.
    #[must_use]
    pub fn meters(&self) -> &UpstreamMeters {
        &self.meters
    }

    /// Where attempts ask for leave.
    pub(super) fn entrance(&self) -> &Arc<Entrance> {
        &self.entrance
    }

    /// The authority as a field.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// The connections of `worker`; numbers wrap around, so that each has a pool.
    pub(super) fn pool(&self, worker: usize) -> Option<&Pool> {
        self.pools.get(worker % self.pools.len().max(1))
    }

    /// Opens a new connection for `pool` before `deadline` and within the connect timeout.
    pub(super) async fn connect(
        &self,
        pool: &Pool,
        deadline: Instant,
        watch: &Watch,
    ) -> Result<Link, (Fault, Box<str>)> {
        let patience = deadline.min(Instant::now() + self.settings.connect_timeout);
        let connecting = async {
            let wire = self.dial.connect().await?;
            let prior_knowledge = self.settings.http2 && self.settings.url.scheme == Scheme::Http;
            let http2 = prior_knowledge || wire.chose_http2();
            pool.adopt(wire, http2, deadline, watch).await
        };
        tokio::time::timeout_at(patience, connecting)
            .await
            .unwrap_or_else(|_| Err((Fault::Unreachable, "no connection in time".into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_its_neighbours_say_why_not() {
        for (text, authority, base) in [
            ("http://ci.internal:8080", "ci.internal:8080", None),
            ("http://ci.internal/", "ci.internal", None),
            ("https://ci/hooks/github", "ci", Some("/hooks/github")),
            (
                "https://[::1]:8443/h?token=t",
                "[::1]:8443",
                Some("/h?token=t"),
            ),
            ("http://ci/?token=t", "ci", Some("/?token=t")),
        ] {
            let url = UpstreamUrl::parse(text).unwrap();
            assert_eq!(url.authority().as_str(), authority);
            assert_eq!(url.base().map(PathAndQuery::as_str), base);
        }
        for (text, complaint) in [
            ("ci.internal:8080", "has no scheme"),
            ("ftp://ci", "not `ftp`"),
            ("http://user:pass@ci", "credentials"),
            ("http://ci/#top", "fragment"),
            ("http://", "not a URL"),
            ("", "not a URL"),
        ] {
            let refusal = UpstreamUrl::parse(text).unwrap_err();
            assert!(refusal.contains(complaint), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_ca_that_is_none_is_refused_by_name() {
        let url = UpstreamUrl::parse("https://ci").unwrap();
        let meters = crate::telemetry::Telemetry::new().upstream("ci");
        let settings = UpstreamSettings {
            ca: Some(b"no certificate".to_vec()),
            ..UpstreamSettings::new("ci".into(), url)
        };

        let refusal = Upstream::new(settings, 1, meters).unwrap_err().to_string();

        assert!(
            refusal.contains("`ci`") && refusal.contains("`ca` holds no certificate"),
            "{refusal}"
        );
    }
}
