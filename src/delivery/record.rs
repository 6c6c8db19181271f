//! What a spool keeps of a delivery, as bytes: what it is in a row, what has become of it in a state
//! that is laid over the row.
//!
//! Moments are counted from the webhook's arrival, which stands in its own bytes by the wall clock: a
//! process that comes later has another monotonic clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};

use super::Signers;
use super::packed::{
    Packed, array, get, get_number, get_optional, put, put_number, put_optional, text,
};
use super::stored::Tried;
use super::wait::Wait;
use crate::spool::Row;
use crate::webhook::{Change, Dedupe, Overlay, Seal};

/// Of the layouts below; another one is not read.
const VERSION: u8 = 1;

const SET: u8 = 0;
const ADD: u8 = 1;
const REMOVE: u8 = 2;

/// A delivery as it was kept.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) route: Box<str>,
    /// Without its seal.
    pub(super) overlay: Overlay,
    /// The name of who signs it, and what the signature calls it.
    seal: Option<Seals>,
    pub(super) state: State,
}

/// Who signs, and what for.
type Seals = (Box<str>, Box<str>);

/// What has become of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Where it goes; a replay may change that.
    pub(super) upstream: Arc<str>,
    pub(super) attempts: u32,
    pub(super) spent: u32,
    /// After the arrival: what its policy counts from, and when it is due.
    pub(super) since: Duration,
    pub(super) due: Duration,
    /// What names that moment.
    pub(super) wait: Wait,
    pub(super) tried: Vec<Tried>,
    pub(super) dead: Option<Dead>,
}

/// It was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dead {
    pub(super) reason: Arc<str>,
    /// After the arrival.
    pub(super) given_up: Duration,
}

/// All that a spool keeps of a delivery.
pub(super) fn row(route: &str, overlay: &Overlay, state: &State, packed: &Packed) -> Row {
    let mut head = vec![VERSION];
    put(&mut head, route.as_bytes());
    put_overlay(&mut head, overlay);
    head.extend(state.to_bytes());
    head.extend(overlay.part.to_le_bytes());
    Row {
        head,
        body: Arc::clone(packed.bytes()),
    }
}

impl Record {
    /// From a row, and from the state that was laid over it if one was; nothing where they are none.
    pub(super) fn read(row: &[u8], state: Option<&[u8]>) -> Option<(Self, Packed)> {
        let (length, rest) = row.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (head, packed) = rest.split_at_checked(length)?;
        let mut head = head;
        if head.try_get_u8().ok()? != VERSION {
            return None;
        }
        let route = text(get(&mut head)?)?;
        let (mut overlay, seal) = get_overlay(&mut head)?;
        let first = State::from_bytes(&mut head)?;
        // One of before parts had numbers ends here.
        overlay.part = head.try_get_u16_le().unwrap_or_default();
        let state = match state {
            Some(mut state) => State::from_bytes(&mut state)?,
            None => first,
        };
        let record = Self {
            route,
            overlay,
            seal,
            state,
        };
        Some((record, Packed::stored(packed)))
    }

    /// Gives the delivery its seal back; whether that could be done.
    pub(super) fn unseal(&mut self, signers: &Signers) -> bool {
        let Some((name, id)) = self.seal.take() else {
            return true;
        };
        let by = signers.get(&name).map(Arc::clone);
        self.overlay.seal = by.map(|by| Seal { by, id });
        self.overlay.seal.is_some()
    }
}

impl State {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put(&mut out, self.upstream.as_bytes());
        out.extend(self.attempts.to_le_bytes());
        out.extend(self.spent.to_le_bytes());
        put_time(&mut out, self.since);
        put_time(&mut out, self.due);
        put_number(&mut out, self.tried.len());
        for tried in &self.tried {
            out.extend(tried.attempt.to_le_bytes());
            put_time(&mut out, tried.after);
            put(&mut out, tried.reason.as_bytes());
        }
        let dead = self.dead.as_ref();
        put_optional(&mut out, dead.map(|dead| dead.reason.as_bytes()));
        put_time(&mut out, dead.map(|dead| dead.given_up).unwrap_or_default());
        out.push(self.wait.to_byte());
        out
    }

    fn from_bytes(bytes: &mut &[u8]) -> Option<Self> {
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        let upstream = text(get(bytes)?)?;
        let attempts = u32::from_le_bytes(array(bytes)?);
        let spent = u32::from_le_bytes(array(bytes)?);
        let (since, due) = (get_time(bytes)?, get_time(bytes)?);
        let mut tried = Vec::new();
        for _ in 0..get_number(bytes)? {
            tried.push(Tried {
                attempt: u32::from_le_bytes(array(bytes)?),
                after: get_time(bytes)?,
                reason: text(get(bytes)?)?,
            });
        }
        let reason = get_optional(bytes)?;
        let given_up = get_time(bytes)?;
        let dead = match reason {
            None => None,
            Some(reason) => Some(Dead {
                reason: text(reason)?,
                given_up,
            }),
        };
        // One of before there was a word for it ends here.
        let wait = bytes.try_get_u8().map(Wait::from_byte).unwrap_or_default();
        Some(Self {
            upstream,
            attempts,
            spent,
            since,
            due,
            wait,
            tried,
            dead,
        })
    }
}

fn put_overlay(out: &mut Vec<u8>, overlay: &Overlay) {
    put_number(out, overlay.changes.len());
    for change in &overlay.changes {
        let (kind, name, value) = match change {
            Change::Set(name, value) => (SET, name, value.as_bytes()),
            Change::Add(name, value) => (ADD, name, value.as_bytes()),
            Change::Remove(name) => (REMOVE, name, &[] as &[u8]),
        };
        out.push(kind);
        put(out, name.as_str().as_bytes());
        put(out, value);
    }
    put_optional(out, overlay.body.as_deref());
    let target = overlay.target.as_ref();
    put_optional(out, target.map(|target| target.as_str().as_bytes()));
    for words in [&overlay.upstream, &overlay.ordering_key] {
        put_optional(out, words.as_ref().map(|words| words.as_bytes()));
    }
    let dedupe = overlay.dedupe.as_ref();
    put_optional(out, dedupe.map(|dedupe| dedupe.key.as_bytes()));
    put_time(out, dedupe.map(|dedupe| dedupe.ttl).unwrap_or_default());
    let seal = overlay.seal.as_ref();
    put_optional(out, seal.map(|seal| seal.by.name().as_bytes()));
    put(out, seal.map_or(b"", |seal| seal.id.as_bytes()));
}

fn get_overlay(bytes: &mut &[u8]) -> Option<(Overlay, Option<Seals>)> {
    let mut overlay = Overlay::default();
    for _ in 0..get_number(bytes)? {
        let kind = bytes.try_get_u8().ok()?;
        let name = HeaderName::from_bytes(get(bytes)?).ok()?;
        let value = HeaderValue::from_bytes(get(bytes)?).ok()?;
        overlay.changes.push(match kind {
            SET => Change::Set(name, value),
            ADD => Change::Add(name, value),
            REMOVE => Change::Remove(name),
            _ => return None,
        });
    }
    overlay.body = get_optional(bytes)?.map(Bytes::copy_from_slice);
    overlay.target = match get_optional(bytes)? {
        Some(target) => Some(PathAndQuery::try_from(target).ok()?),
        None => None,
    };
    overlay.upstream = get_words(bytes)?;
    overlay.ordering_key = get_words(bytes)?;
    let key = get_words(bytes)?;
    let ttl = get_time(bytes)?;
    overlay.dedupe = key.map(|key| Dedupe { key, ttl });
    let by = get_words(bytes)?;
    let id = text(get(bytes)?)?;
    Some((overlay, by.map(|by| (by, id))))
}

fn get_words(bytes: &mut &[u8]) -> Option<Option<Box<str>>> {
    Some(match get_optional(bytes)? {
        Some(words) => Some(text(words)?),
        None => None,
    })
}

/// Milliseconds: nobody waits more finely.
fn put_time(out: &mut Vec<u8>, time: Duration) {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    out.extend(ms.to_le_bytes());
}

fn get_time(bytes: &mut &[u8]) -> Option<Duration> {
    Some(Duration::from_millis(u64::from_le_bytes(array(bytes)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(dead: Option<Dead>) -> State {
        State {
            upstream: "app".into(),
            attempts: 7,
            spent: 3,
            since: Duration::from_secs(9),
            due: Duration::from_millis(12_345),
            wait: Wait::RetryAfter,
            tried: vec![Tried {
                attempt: 7,
                after: Duration::from_secs(11),
                reason: "answered 500".into(),
            }],
            dead,
        }
    }

    fn overlay() -> Overlay {
        let name = HeaderName::from_static;
        let value = HeaderValue::from_static;
        Overlay {
            changes: vec![
                Change::Set(name("x-a"), value("1")),
                Change::Add(name("x-b"), value("")),
                Change::Remove(name("x-c")),
            ],
            body: Some(Bytes::from_static(b"{}")),
            target: Some(PathAndQuery::from_static("/a?b=c")),
            upstream: Some("app".into()),
            ordering_key: Some("k".into()),
            dedupe: Some(Dedupe {
                key: "d".into(),
                ttl: Duration::from_secs(60),
            }),
            part: 3,
            seal: None,
        }
    }

    fn written(overlay: &Overlay, state: &State) -> Vec<u8> {
        let Row { head, body } = row("hook", overlay, state, &Packed::stored(b"webhook"));
        let length = u32::try_from(head.len()).unwrap().to_le_bytes();
        [&length, head.as_slice(), &body].concat()
    }

    #[test]
    fn a_row_says_the_same_when_it_is_read_again() {
        let dead = Dead {
            reason: "answered 410".into(),
            given_up: Duration::from_secs(5),
        };
        for (overlay, state) in [
            (Overlay::default(), state(None)),
            (overlay(), state(Some(dead))),
        ] {
            let (record, packed) = Record::read(&written(&overlay, &state), None).unwrap();
            assert_eq!(&*record.route, "hook");
            assert_eq!((record.overlay, record.state), (overlay, state));
            assert_eq!(&**packed.bytes(), b"webhook");
        }
    }

    #[test]
    fn a_state_is_laid_over_the_rows_own() {
        let later = State {
            upstream: "other".into(),
            attempts: 8,
            tried: Vec::new(),
            ..state(None)
        };
        let row = written(&overlay(), &state(None));
        let (record, _) = Record::read(&row, Some(&later.to_bytes())).unwrap();
        assert_eq!(record.state, later);
    }

    #[test]
    fn a_state_of_before_there_was_a_word_for_what_it_waits_for_is_read() {
        let later = state(None);
        let mut bytes = later.to_bytes();
        bytes.pop();

        let row = written(&overlay(), &later);
        let (record, _) = Record::read(&row, Some(&bytes)).unwrap();

        let wait = Wait::Schedule;
        assert_eq!(record.state, State { wait, ..later });
    }

    #[test]
    fn what_is_cut_short_or_of_another_layout_is_no_row() {
        let row = written(&overlay(), &state(None));
        for length in 0..row.len() - b"webhook".len() {
            assert!(Record::read(&row[..length], None).is_none(), "{length}");
        }
        let mut other = row.clone();
        other[4] = VERSION + 1;
        assert!(Record::read(&other, None).is_none());
        assert!(Record::read(&row, Some(&[VERSION + 1])).is_none());
    }
}
