//! Keys that their owners publish: fetched by the host, from where the configuration says and from
//! nowhere else, kept for the next start, and looked after while a plan uses them.
//!
//! A webhook never makes us fetch by itself: what no key matches opens a wish for newer keys, once a
//! minute at most, and whoever looks after the source fulfils it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use tokio::time::Instant;

use crate::delivery::{Upstream, UpstreamSettings, UpstreamUrl};
use crate::plugin::{Catalog, Key};
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
    /// Where the set is: `https`, with a path.
    pub url: UpstreamUrl,
    /// PEM certificates of the authorities to trust instead of the platform's.
    pub ca: Option<Vec<u8>>,
    /// Whether it may be at an address of a private network.
    pub private: bool,
    /// How often it is fetched anew: 1 minute to 1 day.
    pub refresh: Duration,
}

/// Where keys are published, and those that are in force.
#[derive(Debug)]
pub struct Source {
    settings: Settings,
    catalog: Catalog,
    key: Arc<Key>,
    pace: Mutex<Pace>,
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
        let label = settings.url.to_string();
        let now = Instant::now();
        let (key, found, due) = match fetch_now(&settings) {
            Ok(jwks) => {
                let key = Key::published(label, &jwks, Some(now))?;
                keep(catalog, &settings, &jwks);
                (key, Found::Fetched, now + settings.refresh)
            }
            Err(why) => {
                let (age, jwks) = kept(catalog, &settings).ok_or_else(|| why.clone())?;
                let key = Key::published(label, &jwks, None)?;
                (key, Found::Kept(age, why), now)
            }
        };
        let source = Self {
            settings,
            catalog: catalog.clone(),
            key: Arc::new(key),
            pace: Mutex::new(Pace { due, failures: 0 }),
        };
        Ok((source, found))
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
        due <= Instant::now() || (failures == 0 && self.key.is_wanted())
    }

    /// Fetches it anew. Without an answer the old keys stay.
    ///
    /// Dropping the future leaves everything as it was.
    pub async fn refresh(&self, telemetry: &Telemetry) {
        let started = Instant::now();
        let fetched = fetch(&self.settings).await;
        let jwks = fetched.as_deref().map_err(Clone::clone);
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
fn fetch_now(settings: &Settings) -> Result<Bytes, String> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        runtime.block_on(fetch(settings))
    };
    thread::scope(|scope| match scope.spawn(run).join() {
        Ok(fetched) => fetched,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// One request on a connection of its own. Redirects are not followed: they would lead to where the
/// configuration does not say.
async fn fetch(settings: &Settings) -> Result<Bytes, String> {
    let meters = Telemetry::new().upstream("keys");
    let owner = UpstreamSettings {
        timeout: TIME,
        ca: settings.ca.clone(),
        public_only: !settings.private,
        ..UpstreamSettings::new("keys".into(), settings.url.clone())
    };
    let owner = Upstream::new(owner, 1, meters).map_err(|error| error.reason)?;
    let target = settings.url.base().map_or("/", |base| base.as_str());
    let request = Request::get(target)
        .header("host", settings.url.authority().as_str())
        .header("accept", "application/jwk-set+json, application/json")
        .header(
            "user-agent",
            concat!("hookgate/", env!("CARGO_PKG_VERSION")),
        )
        .header("connection", "close")
        .body(Bytes::new())
        .map_err(|error| error.to_string())?;
    let answer = owner
        .ask(&request)
        .await
        .map_err(|why| format!("does not answer: {why}"))?;
    if answer.status.is_redirection() {
        let status = answer.status.as_u16();
        return Err(format!("answers {status}: redirects are not followed"));
    }
    if answer.status != StatusCode::OK {
        return Err(format!("answers {}", answer.status.as_u16()));
    }
    if answer.body.len() > BYTES_MAX {
        return Err(format!("answers more than {} KiB", BYTES_MAX >> 10));
    }
    Ok(answer.body)
}

/// Under the address and whoever vouches for it: what another authority vouched for is not taken.
fn name(settings: &Settings) -> String {
    let ca = settings.ca.as_deref().map(String::from_utf8_lossy);
    format!("jwks {} {}", settings.url, ca.unwrap_or_default())
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
