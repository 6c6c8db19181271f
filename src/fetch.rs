//! Keys that their owners publish: fetched by the host, from where the configuration says and from
//! nowhere else, kept for the next start, and looked after while a plan uses them.
//!
//! A webhook never makes us fetch by itself: what no key matches opens a wish for newer keys, and a
//! certificate that nobody knows one for it, a few a minute at most; whoever looks after the source
//! fulfils them.

mod certificates;
mod confirm;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::time::Instant;

pub use confirm::Confirmation;

use crate::delivery::{Upstream, UpstreamSettings, UpstreamUrl};
use crate::plugin::{At, Catalog, Key};
use crate::telemetry::{Event, Telemetry};
use crate::webhook::Arrival;

/// For one fetch, from the name to the last byte: a start waits for it.
const TIME: Duration = Duration::from_secs(5);
/// Two dozen RSA keys with their certificates have some 100 KiB.
const BYTES_MAX: usize = 256 << 10;
/// From a failure to the next try: twice as long each time, between these.
const AGAIN_MIN: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(60);
/// A key that its owner took back is believed no longer than this after a start without an answer.
const KEPT_MAX: Duration = Duration::from_hours(24);
/// Milliseconds since the Unix epoch, before what is kept.
const STAMP_BYTES: usize = 8;

/// A source as the configuration means it. Equal settings make the same source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is published.
    pub what: What,
    /// PEM certificates of the authorities to trust instead of the platform's.
    pub ca: Option<Vec<u8>>,
    /// Whether it may be at an address of a private network.
    pub private: bool,
    /// How often it is looked at anew: 1 minute to 1 day.
    pub refresh: Duration,
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A JWK set: `https`, with a path.
    Set(UpstreamUrl),
    /// Certificates, each at a URL that webhooks name.
    Certificates(Certified),
}

/// Which certificates count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// Where a webhook names its certificate.
    pub at: At,
    /// Hosts where it may be: labels, of which `*` is any.
    pub host: String,
    /// What their URLs end with.
    pub suffix: String,
    /// Whose it must be: one of these names, in which `*` is what the URL's host has at the same place.
    pub names: Vec<String>,
}

impl Settings {
    /// What names the source in logs.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.what {
            What::Set(url) => url.to_string(),
            What::Certificates(certified) => certified.host.clone(),
        }
    }
}

/// Where keys are published, and those that are in force.
#[derive(Debug)]
pub struct Source {
    settings: Settings,
    catalog: Catalog,
    key: Arc<Key>,
    pace: Mutex<Pace>,
    /// The certificates in force, by their URLs.
    certificates: Mutex<BTreeMap<String, String>>,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    due: Instant,
    /// One after another.
    failures: u32,
}

/// What there was when a source was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its keys.
    Fetched,
    /// Those of another time: how long ago, and why there are no others.
    Kept(Duration, String),
}

impl Source {
    /// Fetches the keys, or takes those that an earlier start has kept. Blocks, up to five seconds.
    ///
    /// # Errors
    /// Why there are none, as the rest of a sentence about the source.
    pub fn open(settings: Settings, catalog: &Catalog) -> Result<(Self, Found), String> {
        let url = match &settings.what {
            What::Set(url) => url.clone(),
            What::Certificates(certified) => {
                let certified = certified.clone();
                let source = Self::of_certificates(settings, &certified, catalog);
                return Ok((source, Found::Fetched));
            }
        };
        let (label, now) = (settings.label(), Instant::now());
        let (key, found, due) = match fetch_now(&settings, &url) {
            Ok(jwks) => {
                let key = Key::published(label, &jwks, Some(now))?;
                keep(catalog, &settings, &jwks);
                (key, Found::Fetched, now + settings.refresh)
            }
            Err(why) => {
                let (age, jwks) = kept(catalog, &settings).ok_or_else(|| why.to_string())?;
                let key = Key::published(label, &jwks, None)?;
                (key, Found::Kept(age, why.to_string()), now)
            }
        };
        Ok((Self::new(settings, catalog, key, due), found))
    }

    fn new(settings: Settings, catalog: &Catalog, key: Key, due: Instant) -> Self {
        Self {
            settings,
            catalog: catalog.clone(),
            key: Arc::new(key),
            pace: Mutex::new(Pace { due, failures: 0 }),
            certificates: Mutex::default(),
        }
    }

    /// What it was made from.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The keys in force, as one.
    #[must_use]
    pub fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Whether it should be fetched anew: its time has come, or somebody wants newer keys.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let Pace { due, failures } = *self.pace();
        let is_wanted = self.key.is_wanted() || !self.key.wanted_certificates().is_empty();
        due <= Instant::now() || (failures == 0 && is_wanted)
    }

    /// Fetches it anew. Without an answer the old keys stay.
    ///
    /// Dropping the future leaves everything as it was.
    pub async fn refresh(&self, telemetry: &Telemetry) {
        let url = match &self.settings.what {
            What::Set(url) => url,
            What::Certificates(certified) => return self.look_after(certified, telemetry).await,
        };
        let started = Instant::now();
        let fetched = fetch(&self.settings, url).await;
        let jwks = fetched.as_deref().map_err(Unfetched::to_string);
        let now = Instant::now();
        let (source, took) = (self.key.label(), started.elapsed());
        let pace = match self.key.replace(jwks, now) {
            Ok(keys) => {
                telemetry.emit(&Event::KeysFetched { source, keys, took });
                if let Ok(jwks) = fetched {
                    keep(&self.catalog, &self.settings, &jwks);
                }
                Pace {
                    due: now + self.settings.refresh,
                    failures: 0,
                }
            }
            Err(reason) => {
                let reason = reason.as_str();
                telemetry.emit(&Event::KeysNotFetched { source, reason });
                let failures = self.pace().failures;
                let wait = AGAIN_MIN.saturating_mul(2_u32.saturating_pow(failures));
                Pace {
                    due: now + wait.min(AGAIN_MAX),
                    failures: failures.saturating_add(1),
                }
            }
        };
        *self.pace() = pace;
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // A panic under the lock leaves the pace whole: it is written at once.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Off whatever runtime the caller is in.
fn fetch_now(settings: &Settings, url: &UpstreamUrl) -> Result<Bytes, Unfetched> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Unfetched::Unanswered(error.to_string()))?;
        runtime.block_on(fetch(settings, url))
    };
    thread::scope(|scope| match scope.spawn(run).join() {
        Ok(fetched) => fetched,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Why something was not fetched, as the rest of a sentence about where it should be.
#[derive(Debug)]
enum Unfetched {
    /// It may be there at another time.
    Unanswered(String),
    /// The owner says that it is not there.
    Refused(String),
}

impl fmt::Display for Unfetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(why) | Self::Refused(why) => f.write_str(why),
        }
    }
}

/// One request on a connection of its own. Redirects are not followed: they would lead to where the
/// configuration does not say.
async fn fetch(settings: &Settings, url: &UpstreamUrl) -> Result<Bytes, Unfetched> {
    let unanswered = |why: &dyn fmt::Display| Unfetched::Unanswered(why.to_string());
    let meters = Telemetry::new().upstream("keys");
    let owner = UpstreamSettings {
        timeout: TIME,
        ca: settings.ca.clone(),
        public_only: !settings.private,
        ..UpstreamSettings::new("keys".into(), url.clone())
    };
    let owner = Upstream::new(owner, 1, meters).map_err(|error| unanswered(&error.reason))?;
    let target = url.base().map_or("/", |base| base.as_str());
    let request = Request::get(target)
        .header("host", url.authority().as_str())
        .header(
            "user-agent",
            concat!("hookgate/", env!("CARGO_PKG_VERSION")),
        )
        .header("connection", "close")
        .body(Bytes::new())
        .map_err(|error| unanswered(&error))?;
    let answer = owner
        .ask(&request)
        .await
        .map_err(|why| unanswered(&format_args!("does not answer: {why}")))?;
    let status = answer.status.as_u16();
    match answer.status {
        StatusCode::OK if answer.body.len() > BYTES_MAX => Err(Unfetched::Refused(format!(
            "answers more than {} KiB",
            BYTES_MAX >> 10
        ))),
        StatusCode::OK => Ok(answer.body),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            Err(unanswered(&format_args!("answers {status}")))
        }
        other if other.is_redirection() => Err(Unfetched::Refused(format!(
            "answers {status}: redirects are not followed"
        ))),
        other if other.is_client_error() => Err(Unfetched::Refused(format!("answers {status}"))),
        _ => Err(unanswered(&format_args!("answers {status}"))),
    }
}

/// Under the address and whoever vouches for it: what another authority vouched for is not taken.
fn name(settings: &Settings) -> String {
    let ca = settings.ca.as_deref().map(String::from_utf8_lossy);
    let what = match &settings.what {
        What::Set(_) => "jwks",
        What::Certificates(_) => "certificates",
    };
    format!("{what} {} {}", settings.label(), ca.unwrap_or_default())
}

fn keep(catalog: &Catalog, settings: &Settings, jwks: &[u8]) {
    let stamp = Arrival::now().unix_ms().to_be_bytes();
    catalog.keep(&name(settings), &[&stamp, jwks].concat());
}

/// How long ago, and what.
fn kept(catalog: &Catalog, settings: &Settings) -> Option<(Duration, Vec<u8>)> {
    let bytes = catalog.kept_bytes(&name(settings))?;
    let (stamp, jwks) = bytes.split_at_checked(STAMP_BYTES)?;
    let stamp = u64::from_be_bytes(stamp.try_into().ok()?);
    let age = Duration::from_millis(Arrival::now().unix_ms().checked_sub(stamp)?);
    (age <= KEPT_MAX).then(|| (age, jwks.to_vec()))
}
