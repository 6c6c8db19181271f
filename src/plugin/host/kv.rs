//! `kv`: what the plugin remembers on this route.

use wasmtime::Result;

use super::Guest;
use crate::plugin::contract::kv::{Host, KvError};
use crate::plugin::kv;

/// What a lookup costs beside its bytes, in the bytes that could be copied meanwhile (about 1 us).
const LOOKUP_WORK: usize = 4 << 10;

impl Host for Guest {
    fn get(&mut self, key: String) -> Result<Result<Option<Vec<u8>>, KvError>> {
        self.budget.work(LOOKUP_WORK)?;
        let Some(store) = &self.outfit.store else {
            return Ok(Err(KvError::Unavailable));
        };
        let found = self
            .case
            .with_changes(store, |earlier| self.changes.get(store, earlier, &key));
        Ok(match found {
            Ok(Some(value)) => {
                self.budget.work(value.len())?;
                Ok(Some(value.to_vec()))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn set(&mut self, key: String, value: Vec<u8>, ttl_s: u32) -> Result<Result<(), KvError>> {
        self.budget.work(LOOKUP_WORK + value.len())?;
        self.budget.output(key.len() + value.len())?;
        Ok(match self.outfit.store {
            Some(_) => self.changes.set(key, value, ttl_s),
            None => Err(KvError::Unavailable),
        })
    }

    fn claim(&mut self, key: String, ttl_s: u32) -> Result<Result<bool, KvError>> {
        self.budget.work(LOOKUP_WORK)?;
        self.budget.output(key.len())?;
        let Some(store) = &self.outfit.store else {
            return Ok(Err(KvError::Unavailable));
        };
        let changes = &mut self.changes;
        Ok(self
            .case
            .with_changes(store, |earlier| changes.claim(store, earlier, key, ttl_s)))
    }

    fn increment(&mut self, key: String, delta: i32, ttl_s: u32) -> Result<Result<i64, KvError>> {
        self.budget.work(LOOKUP_WORK)?;
        Ok(match &self.outfit.store {
            Some(store) => kv::increment(store, &key, delta, ttl_s),
            None => Err(KvError::Unavailable),
        })
    }

    fn delete(&mut self, key: String) -> Result<Result<(), KvError>> {
        self.budget.work(LOOKUP_WORK)?;
        self.budget.output(key.len())?;
        Ok(match self.outfit.store {
            Some(_) => self.changes.delete(key),
            None => Err(KvError::Unavailable),
        })
    }
}
