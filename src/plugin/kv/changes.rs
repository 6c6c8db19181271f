//! What one webhook has done with a store and nobody else sees yet.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::store::{Claim, Store, ttl};
use super::{CHANGES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use crate::plugin::contract::kv::KvError;

/// Changes of one store, and the claims that go with them. Dropped, it never was.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Changes {
    changes: Vec<(Box<str>, Change)>,
    claims: Vec<Claim>,
}

#[derive(Clone, Debug)]
enum Change {
    Set(Bytes, Option<Duration>),
    Deleted,
}

impl Changes {
    pub(in crate::plugin) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Remembers a value.
    pub(in crate::plugin) fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        ttl_s: u32,
    ) -> Result<(), KvError> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(KvError::TooLarge);
        }
        self.change(key, Change::Set(value.into(), ttl(ttl_s)))
    }

    /// Forgets a value.
    pub(in crate::plugin) fn delete(&mut self, key: String) -> Result<(), KvError> {
        self.change(key, Change::Deleted)
    }

    /// Reserves a key for this webhook; `earlier` is what stages before this one have done.
    pub(in crate::plugin) fn claim(
        &mut self,
        store: &Arc<Store>,
        earlier: Option<&Self>,
        key: String,
        ttl_s: u32,
    ) -> Result<bool, KvError> {
        check(&key)?;
        let forgotten = match self.find(&key).or_else(|| earlier?.find(&key)) {
            Some(Change::Set(..)) => return Ok(false),
            Some(Change::Deleted) => true,
            None => false,
        };
        if self.changes.len() >= CHANGES_MAX {
            return Err(KvError::Quota);
        }
        let is_ours = |claims: &[Claim]| claims.iter().any(|claim| claim.is(&key));
        if !is_ours(&self.claims) && !earlier.is_some_and(|earlier| is_ours(&earlier.claims)) {
            let Some(claim) = store.claim(&key, forgotten) else {
                return Ok(false);
            };
            self.claims.push(claim);
        }
        self.change(key, Change::Set(Bytes::new(), ttl(ttl_s)))?;
        Ok(true)
    }

    /// What this webhook sees under `key`.
    pub(in crate::plugin) fn get(
        &self,
        store: &Store,
        earlier: Option<&Self>,
        key: &str,
    ) -> Result<Option<Bytes>, KvError> {
        check(key)?;
        Ok(match self.find(key).or_else(|| earlier?.find(key)) {
            Some(Change::Set(value, _)) => Some(value.clone()),
            Some(Change::Deleted) => None,
            None => store.get(key),
        })
    }

    /// Adds what a later stage did.
    pub(super) fn absorb(&mut self, later: &mut Self) {
        for (key, change) in later.changes.drain(..) {
            self.put(key, change);
        }
        self.claims.append(&mut later.claims);
    }

    /// Makes it so, for everybody.
    pub(super) fn commit(self, store: &Store) {
        let Self { changes, claims } = self;
        for (key, change) in changes {
            match change {
                Change::Set(value, ttl) => store.set(key, value, ttl),
                Change::Deleted => store.delete(&key),
            }
        }
        // Only now: whoever claims next must find the value.
        drop(claims);
        store.settle();
    }

    fn change(&mut self, key: String, change: Change) -> Result<(), KvError> {
        check(&key)?;
        if self.changes.len() >= CHANGES_MAX && self.find(&key).is_none() {
            return Err(KvError::Quota);
        }
        self.put(key.into(), change);
        Ok(())
    }

    fn put(&mut self, key: Box<str>, change: Change) {
        match self.changes.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = change,
            None => self.changes.push((key, change)),
        }
    }

    fn find(&self, key: &str) -> Option<&Change> {
        let found = self.changes.iter().find(|(known, _)| **known == *key);
        found.map(|(_, change)| change)
    }
}

/// Adds to a counter, at once and whatever becomes of the webhook.
pub(in crate::plugin) fn increment(
    store: &Store,
    key: &str,
    delta: i32,
    ttl_s: u32,
) -> Result<i64, KvError> {
    check(key)?;
    Ok(store.increment(key, delta, ttl(ttl_s)))
}

fn check(key: &str) -> Result<(), KvError> {
    match key.len() {
        1..=KEY_BYTES_MAX => Ok(()),
        _ => Err(KvError::TooLarge),
    }
}
