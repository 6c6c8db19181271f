//! What we know about providers: data files beside this one, read once.
//!
//! A [`Preset`] says how a sender signs, what its retries make of a failure, and how a call of it looks.
//! The `signature` plugin is configured from it, and `hookgate send` signs by the same [`Scheme`].

use std::sync::LazyLock;
use std::time::Duration;

use serde::Deserialize;

mod call;
mod key;
mod samples;
mod scheme;
mod sign;

pub use call::{Call, escape};
pub use key::{KeyFormat, SecretEncoding, read};
pub use samples::events;
pub use scheme::{
    Algorithm, Condition, Direction, Encoding, EventName, Field, Handshake, Listed, Mac, Scheme,
    Timestamp, Token, Unit, Variant,
};
pub use sign::{Order, SignError, Signed, proof, sign};

/// A sender that calls again for a day outlives what goes wrong here over a night: its own queue is the
/// best buffer. What others send is held here.
const LONG_RETRIES: Duration = Duration::from_hours(24);

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preset {
    /// The word in `preset = "..."`.
    #[serde(skip)]
    pub name: &'static str,
    /// As the provider writes itself.
    pub title: String,
    /// The official page that says all this.
    pub page: String,
    /// How long it calls again after a failure; none where it never does, or does not say.
    #[serde(
        default,
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    pub retries: Option<Duration>,
    /// How long it waits for an answer, minus a margin; none where it does not say.
    #[serde(
        default,
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional"
    )]
    pub deadline: Option<Duration>,
    /// Statuses after which it gives the webhook or the subscription up: `410`, or `4xx`, which is all of
    /// them but 429: that one says to wait. We never say them when we are busy or have filtered; a refusal
    /// may have one, and an upstream's answer that is passed on.
    #[serde(default)]
    pub stops: Vec<String>,
    /// The status by which it knows success, where it does not take every 2xx for one: 200 or 204, and then
    /// without a body. What we say of our own has it; what an upstream says is passed on as it is.
    #[serde(default)]
    pub success: Option<u16>,
    /// What names a webhook, the same at each retry; none where nothing does.
    #[serde(default)]
    pub id: Option<EventName>,
    /// How its secrets are written.
    pub key: KeyFormat,
    /// Which certificate its webhooks name; none where they name none.
    #[serde(default)]
    pub certificate: Option<Certificate>,
    /// How its webhooks ask for a call that confirms; none where they do not.
    #[serde(default)]
    pub confirm: Option<Confirm>,
    /// How it signs.
    pub scheme: Scheme,
    /// How a call of it looks, for `hookgate send`.
    pub send: Send,
}

/// A certificate that webhooks name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Where its URL is.
    pub at: EventName,
    /// What its URL ends with.
    #[serde(default)]
    pub suffix: String,
    /// Whose it must be: one of these names, in which `*` is what the URL's host has at the same place.
    pub names: Vec<String>,
}

/// A webhook that asks for a call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// Pointer to what tells it from others.
    pub pointer: String,
    /// What is there.
    pub equals: String,
    /// Pointer to the URL.
    pub url: String,
}

/// What a sender's 2xx should mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetAck {
    /// It retries for days: its own queue is the best buffer.
    Upstream,
    /// It never retries, or gives the subscription up soon: hold what it sent.
    Buffered,
}

impl Preset {
    /// What its 2xx should mean, by what it does after a failure.
    #[must_use]
    pub fn ack(&self) -> PresetAck {
        match self.retries {
            Some(retries) if retries >= LONG_RETRIES => PresetAck::Upstream,
            _ => PresetAck::Buffered,
        }
    }

    /// A warning to whoever sees it answered with this status, where it does not call again after that.
    #[must_use]
    pub fn gives_up(&self, status: u16) -> Option<String> {
        let is_of_class = |stop: &str| stop == format!("{}xx", status / 100) && status != 429;
        let stop = self
            .stops
            .iter()
            .find(|stop| **stop == status.to_string() || is_of_class(stop))?;
        let Self { title, page, .. } = self;
        Some(format!(
            "after {stop} {title} gives the webhook or the subscription up: see {page}"
        ))
    }
}

/// How a call looks beside its signature.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Of the body.
    pub content_type: String,
    /// Headers; `{event}`, `{uuid}`, `{timestamp}` and `{rfc3339}` in their values are replaced.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

/// Names the files, which are named after the presets.
macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("presets/", $name, ".toml")))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "adyen"
    "adyen-platform"
    "bitbucket"
    "calendly"
    "clerk"
    "contentful"
    "discord"
    "docusign"
    "dropbox"
    "github"
    "gitlab"
    "gitlab-signed"
    "hook0"
    "hubspot"
    "intercom"
    "jira"
    "linear"
    "mailgun"
    "meta"
    "microsoft-graph"
    "notion"
    "okta"
    "openai"
    "paddle"
    "pagerduty"
    "paypal"
    "resend"
    "sendgrid"
    "sentry"
    "shopify"
    "slack"
    "sns"
    "square"
    "standard-webhooks"
    "standard-webhooks-ed25519"
    "stripe"
    "svix"
    "telegram"
    "trello"
    "twilio"
    "twitch"
    "typeform"
    "vercel"
    "workos"
    "x"
    "xero"
    "zendesk"
    "zoom"
];

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    FILES
        .iter()
        .filter_map(|(name, text)| {
            Some(Preset {
                name,
                ..toml::from_str(text).ok()?
            })
        })
        .collect()
});

/// All presets, by name.
#[must_use]
pub fn all() -> &'static [Preset] {
    &PRESETS
}

/// The preset of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Preset> {
    all().iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, FILES, Preset, all};

    #[test]
    fn every_file_is_a_preset() {
        for (name, text) in FILES {
            let read = toml::from_str::<Preset>(text);
            assert!(read.is_ok(), "{name}: {}", read.unwrap_err());
        }
        assert_eq!(all().len(), FILES.len());
        assert!(FILES.is_sorted());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/presets");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), FILES.len());
    }

    #[test]
    fn every_scheme_signs_the_body_or_says_that_it_does_not() {
        for preset in all() {
            let scheme = &preset.scheme;
            let signed = ["{body}", "{form}", "{crc32}"]
                .iter()
                .any(|part| scheme.signed.contains(part));
            let token = scheme.algorithm == Algorithm::Token;
            assert!(signed || token || scheme.body_unsigned, "{}", preset.name);
            assert_eq!(scheme.encoding.is_none(), token, "{}", preset.name);
        }
    }

    #[test]
    fn what_is_said_of_busy_and_filtered_stops_nobody() {
        // 503 is what the gate says when it is busy, 200 when a filter dropped the webhook, 202 when it holds
        // it, 500, 502 and 504 when something of ours failed.
        for preset in all() {
            for status in [503, 200, 202, 500, 502, 504] {
                assert_eq!(preset.gives_up(status), None, "{}", preset.name);
            }
        }
    }

    #[test]
    fn success_is_a_status_that_every_sender_takes_for_one() {
        for preset in all() {
            let success = preset.success.unwrap_or(200);
            assert!(matches!(success, 200 | 204), "{}", preset.name);
        }
    }

    #[test]
    fn who_gives_up_after_a_status_is_known() {
        let gives_up = |name, status| super::find(name).unwrap().gives_up(status).is_some();

        assert!(gives_up("mailgun", 406) && !gives_up("mailgun", 401));
        assert!(gives_up("pagerduty", 401) && gives_up("pagerduty", 499));
        assert!(!gives_up("pagerduty", 399) && !gives_up("pagerduty", 429));
        assert!(!gives_up("github", 410));
    }
}
