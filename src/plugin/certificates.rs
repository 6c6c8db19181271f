//! Certificates that webhooks name: a sender says in each webhook where the certificate is by which it
//! signed. Where that may be is the configuration's word; the host reads it from the webhook, never from a
//! plugin, and somebody else fetches and checks it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Key;

/// No provider's is longer.
const URL_BYTES_MAX: usize = 512;
/// A provider signs by one certificate at a time, and in each of its regions by another.
const KNOWN_MAX: usize = 64;
/// Names of a minute. Anybody can name what is not there, on the right host, and make us look for it.
const WISHES_MAX: u32 = 6;
const WISHES_PERIOD: Duration = Duration::from_secs(60);
/// What is not there is not looked for again for so long.
const REFUSED_FOR: Duration = Duration::from_secs(600);
const REFUSED_MAX: usize = 64;

/// Where a webhook says which certificate it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// In this header.
    Header(Box<str>),
    /// In the JSON of the body.
    Pointer(Box<str>),
}

/// The certificates of one sender.
pub(super) struct Certificates {
    at: At,
    /// Labels; `*` stands for one.
    host: Box<str>,
    suffix: Box<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: BTreeMap<Box<str>, Arc<Key>>,
    wanted: Vec<Box<str>>,
    refused: BTreeMap<Box<str>, Instant>,
    /// Since when wishes are counted, and how many there were.
    period: Option<(Instant, u32)>,
}

/// What is known of a certificate.
pub(super) enum Named {
    /// Its key.
    Known(Arc<Key>),
    /// Nothing yet.
    Awaited,
    /// It is nowhere, or where it may not be.
    Nothing,
}

impl Certificates {
    pub(super) fn new(at: At, host: &str, suffix: &str) -> Self {
        Self {
            at,
            host: host.into(),
            suffix: suffix.into(),
            state: Mutex::default(),
        }
    }

    /// Where a webhook names it.
    pub(super) fn at(&self) -> &At {
        &self.at
    }

    /// What is known of the one that is named; it is wanted if that is nothing.
    pub(super) fn named(&self, url: &str, now: Instant) -> Named {
        // A query could end like a path.
        let is_file =
            self.suffix.is_empty() || (url.ends_with(&*self.suffix) && !url.contains(['?', '#']));
        if url.len() > URL_BYTES_MAX || !is_of_host(url, &self.host) || !is_file {
            return Named::Nothing;
        }
        let mut state = self.state();
        if let Some(key) = state.known.get(url) {
            return Named::Known(Arc::clone(key));
        }
        let refused = state.refused.get(url);
        if refused.is_some_and(|at| now.duration_since(*at) < REFUSED_FOR) {
            return Named::Nothing;
        }
        if !state.wanted.iter().any(|wanted| **wanted == *url) && state.has_room(now) {
            state.wanted.push(url.into());
        }
        Named::Awaited
    }

    /// Those that somebody should fetch.
    pub(super) fn wanted(&self) -> Vec<Box<str>> {
        self.state().wanted.clone()
    }

    /// It was fetched: its key, or none where it is certain that there is no certificate.
    pub(super) fn settle(&self, url: &str, key: Option<Arc<Key>>, now: Instant) {
        let mut state = self.state();
        state.wanted.retain(|wanted| **wanted != *url);
        match key {
            Some(key) => {
                state.refused.remove(url);
                if state.known.len() >= KNOWN_MAX {
                    state.known.pop_first();
                }
                state.known.insert(url.into(), key);
            }
            None => {
                state.known.remove(url);
                if state.refused.len() >= REFUSED_MAX {
                    state.refused.clear();
                }
                state.refused.insert(url.into(), now);
            }
        }
    }

    /// Nothing came of it: whoever names it again wants it again.
    pub(super) fn give_up(&self, url: &str) {
        self.state().wanted.retain(|wanted| **wanted != *url);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves maps and lists that are whole: every change is one of them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&mut self, now: Instant) -> bool {
        let (since, count) = match self.period {
            Some((since, count)) if now.duration_since(since) < WISHES_PERIOD => (since, count),
            Some(_) | None => (now, 0),
        };
        self.period = Some((since, count.saturating_add(1)));
        count < WISHES_MAX
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

/// Whether `url` is an `https` URL of a host that `pattern` means, with the port that it has.
#[must_use]
pub fn is_of_host(url: &str, pattern: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else {
        return false;
    };
    if !url
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    {
        return false;
    }
    // With user information or another port it is not what a provider writes.
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(fits)
    };
    let (labels, wanted) = (host.split('.'), pattern.split('.'));
    labels.clone().count() == wanted.clone().count()
        && labels.zip(wanted).all(|(label, wanted)| match wanted {
            "*" => is_label(label),
            wanted => label.eq_ignore_ascii_case(wanted),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const URL: &str = "https://sns.eu-west-1.amazonaws.com/a.pem";

    fn sns() -> Certificates {
        let at = At::Pointer("/SigningCertURL".into());
        Certificates::new(at, "sns.*.amazonaws.com", ".pem")
    }

    fn key() -> Arc<Key> {
        Arc::new(Key::new("test", Secret::new(vec![1])))
    }

    #[test]
    fn a_certificate_is_wanted_once_and_known_when_it_was_fetched() {
        let (sns, now) = (sns(), Instant::now());

        assert!(matches!(sns.named(URL, now), Named::Awaited));
        assert!(matches!(sns.named(URL, now), Named::Awaited));
        assert_eq!(sns.wanted(), [URL.into()]);
        sns.settle(URL, Some(key()), now);
        assert!(matches!(sns.named(URL, now), Named::Known(_)));
        assert!(sns.wanted().is_empty());
    }

    #[test]
    fn what_is_not_there_is_not_looked_for_again_for_a_while() {
        let (sns, now) = (sns(), Instant::now());
        sns.named(URL, now);
        sns.settle(URL, None, now);

        let later = now + REFUSED_FOR;
        assert!(matches!(
            sns.named(URL, later - Duration::from_secs(1)),
            Named::Nothing
        ));
        assert!(sns.wanted().is_empty());
        assert!(matches!(sns.named(URL, later), Named::Awaited));
        sns.give_up(URL);
        assert!(sns.wanted().is_empty());
        assert!(matches!(sns.named(URL, later), Named::Awaited));
    }

    #[test]
    fn strangers_cannot_make_us_look_for_more_than_a_few_a_minute() {
        let (sns, now) = (sns(), Instant::now());
        for n in 0..1_000 {
            let url = format!("https://sns.eu-west-1.amazonaws.com/{n}.pem");
            assert!(matches!(sns.named(&url, now), Named::Awaited));
        }

        assert_eq!(sns.wanted().len(), 6);
        sns.named(URL, now + WISHES_PERIOD);
        assert_eq!(sns.wanted().len(), 7);
    }

    #[test]
    fn no_other_host_is_looked_at() {
        for url in [
            "http://sns.eu-west-1.amazonaws.com/a.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
            "https://sns.a.b.amazonaws.com/a.pem",
            "https://sns..amazonaws.com/a.pem",
            "https://evil.example/sns.eu-west-1.amazonaws.com/",
            "https://x@sns.eu-west-1.amazonaws.com/a.pem",
            "https://sns.eu@evil.amazonaws.com/a.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
            "https://sns.evil.example\\.amazonaws.com/",
            "https://sns.eu-west-1.amazonaws.com/a b",
            "https://sns.eu-west-1.amazonaws.com/\r\nx: y",
            "",
        ] {
            assert!(
                matches!(sns().named(url, Instant::now()), Named::Nothing),
                "{url}"
            );
        }
        let long = URL.replace("/a", &format!("/{}", "a".repeat(URL_BYTES_MAX)));
        assert!(matches!(sns().named(&long, Instant::now()), Named::Nothing));
    }

    #[test]
    fn no_path_but_that_of_a_certificate_is_looked_at() {
        let now = Instant::now();
        for path in [
            "a",
            "a.pem/",
            "a.pem.txt",
            "a.PEM",
            "a?b.pem",
            "a#b.pem",
            "?.pem",
        ] {
            let url = format!("https://sns.eu-west-1.amazonaws.com/{path}");
            assert!(matches!(sns().named(&url, now), Named::Nothing), "{url}");
        }
        let at = At::Header("paypal-cert-url".into());
        let paypal = Certificates::new(at, "api.paypal.com", "");
        let url = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42";
        assert!(matches!(paypal.named(url, now), Named::Awaited));
    }
}
