//! `deliveries`: drafts of what to deliver. They count only when they are returned.

use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue};
use wasmtime::Result;
use wasmtime::component::Resource;

use super::Guest;
use crate::plugin::budget::{Breach, CHANGES_MAX, FIELD_BYTES_MAX, KEY_BYTES_MAX};
use crate::plugin::contract::deliveries::{Host, HostDelivery};
use crate::plugin::{field, seal};
use crate::webhook::{Change, Dedupe, Overlay, climbs};

/// A delivery in the hands of a guest.
///
/// Nonsense (a name that is none, a field that the proxy owns, a range outside of the body) is a trap
/// of kind `output` and not an answer to the guest: the functions have no error to give, and a delivery
/// that silently lacks what was asked for would be worse.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "`bindgen!` exports it again, as `pub`")]
pub struct Draft {
    overlay: Overlay,
    /// How many changes it had when it began.
    begun_with: usize,
}

impl Draft {
    /// The changes that it describes.
    pub(super) fn into_overlay(self) -> Overlay {
        self.overlay
    }

    fn change(&mut self, change: Change) -> Result<()> {
        if self.overlay.changes.len() - self.begun_with >= CHANGES_MAX {
            let text = format!("changed more than {CHANGES_MAX} header fields of one delivery");
            return Err(Breach::new(text).into());
        }
        self.overlay.changes.push(change);
        Ok(())
    }
}

impl Host for Guest {}

impl HostDelivery for Guest {
    fn new(&mut self) -> Result<Resource<Draft>> {
        self.budget.delivery()?;
        let overlay = self.base.clone();
        let begun_with = overlay.changes.len();
        let draft = self.table.push(Draft {
            overlay,
            begun_with,
        })?;
        self.drafts += 1;
        Ok(draft)
    }

    fn set_header(&mut self, draft: Resource<Draft>, name: String, value: String) -> Result<()> {
        let (name, value) = self.field(&name, value)?;
        self.table.get_mut(&draft)?.change(Change::Set(name, value))
    }

    fn add_header(&mut self, draft: Resource<Draft>, name: String, value: String) -> Result<()> {
        let (name, value) = self.field(&name, value)?;
        self.table.get_mut(&draft)?.change(Change::Add(name, value))
    }

    fn remove_header(&mut self, draft: Resource<Draft>, name: String) -> Result<()> {
        let name = own_name(&name)?;
        self.table.get_mut(&draft)?.change(Change::Remove(name))
    }

    fn set_body(&mut self, draft: Resource<Draft>, body: Vec<u8>) -> Result<()> {
        self.budget.output(body.len())?;
        self.table.get_mut(&draft)?.overlay.body = Some(Bytes::from(body));
        Ok(())
    }

    fn set_body_text(&mut self, draft: Resource<Draft>, body: String) -> Result<()> {
        self.set_body(draft, body.into_bytes())
    }

    fn set_body_slice(&mut self, draft: Resource<Draft>, offset: u32, length: u32) -> Result<()> {
        let body = &self.case.webhook.body;
        let start = usize::try_from(offset)?;
        let end = start.saturating_add(usize::try_from(length)?);
        if end > body.len() {
            return Err(Breach::new(format!(
                "asked for bytes {start} to {end} of a body of {} bytes",
                body.len()
            ))
            .into());
        }
        let slice = body.slice(start..end);
        self.table.get_mut(&draft)?.overlay.body = Some(slice);
        Ok(())
    }

    fn set_path(&mut self, draft: Resource<Draft>, path_with_query: String) -> Result<()> {
        self.budget.output(path_with_query.len())?;
        let target = target(&path_with_query)?;
        self.table.get_mut(&draft)?.overlay.target = Some(target);
        Ok(())
    }

    fn set_upstream(&mut self, draft: Resource<Draft>, name: String) -> Result<bool> {
        let known = self
            .case
            .upstreams
            .iter()
            .any(|upstream| **upstream == *name);
        if known {
            self.table.get_mut(&draft)?.overlay.upstream = Some(name.into());
        }
        Ok(known)
    }

    fn set_ordering_key(&mut self, draft: Resource<Draft>, key: String) -> Result<()> {
        let key = self.key(key)?;
        self.table.get_mut(&draft)?.overlay.ordering_key = Some(key);
        Ok(())
    }

    fn set_dedupe_key(&mut self, draft: Resource<Draft>, key: String, ttl_s: u32) -> Result<()> {
        let key = self.key(key)?;
        let ttl = Duration::from_secs(ttl_s.into());
        self.table.get_mut(&draft)?.overlay.dedupe = Some(Dedupe { key, ttl });
        Ok(())
    }

    fn set_signature(
        &mut self,
        draft: Resource<Draft>,
        scheme: String,
        key: String,
        id: Option<String>,
    ) -> Result<bool> {
        let id = id.unwrap_or_else(|| self.case.webhook.id.to_string());
        self.budget.output(id.len())?;
        let keys = self.keys(&key).filter(|_| self.may_sign(&key));
        let by = self.outfit.signer(&key);
        let seal = keys.and_then(|keys| seal::seal(&scheme, &by, keys, id));
        let is_known = seal.is_some();
        if is_known {
            self.table.get_mut(&draft)?.overlay.seal = seal;
        }
        Ok(is_known)
    }

    fn drop(&mut self, draft: Resource<Draft>) -> Result<()> {
        self.table.delete(draft)?;
        self.drafts = self.drafts.saturating_sub(1);
        Ok(())
    }
}

impl Guest {
    fn field(&mut self, name: &str, value: String) -> Result<(HeaderName, HeaderValue)> {
        let bytes = name.len() + value.len();
        if bytes > FIELD_BYTES_MAX {
            return Err(Breach::new(format!(
                "set a header field of {bytes} bytes; {FIELD_BYTES_MAX} are the most"
            ))
            .into());
        }
        self.budget.output(bytes)?;
        let name = own_name(name)?;
        let value = field::value(&name, value)?;
        Ok((name, value))
    }

    fn key(&mut self, key: String) -> Result<Box<str>> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Breach::new(format!(
                "set a key of {} bytes; 1 to {KEY_BYTES_MAX} are allowed",
                key.len()
            ))
            .into());
        }
        self.budget.output(key.len())?;
        Ok(key.into())
    }
}

/// A field that is a plugin's to change.
fn own_name(name: &str) -> Result<HeaderName> {
    let name = field::name(name)?;
    if field::is_ours(&name) {
        let text = format!("changed the header field `{name}`, which belongs to the proxy");
        return Err(Breach::new(text).into());
    }
    Ok(name)
}

/// A path that stays below the base URL of the upstream: no dot segments, in no encoding.
fn target(text: &str) -> Result<PathAndQuery> {
    let path = text.split('?').next().unwrap_or_default();
    if text.starts_with('/')
        && !text.contains('#')
        && !climbs(path)
        && let Ok(target) = text.parse()
    {
        return Ok(target);
    }
    let text = text.escape_debug().take(100).collect::<String>();
    Err(Breach::new(format!(
        "set the path `{text}`, which is none below the upstream's"
    ))
    .into())
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn a_path_stays_below_the_upstream() {
        for path in [
            "/",
            "/a/b?c=d/../e",
            "/a..b/...",
            "/%2Fa",
            "//a",
            "/a%2fb..c",
            "/a;b",
        ] {
            assert_eq!(target(path).unwrap().as_str(), path);
        }
        for path in [
            "",
            "a",
            "?a",
            "*",
            "/a#b",
            "/..",
            "/a/../b",
            "/./a",
            "/%2e%2E/a",
            "/.%2e",
            "/a b",
            "/a\r\nb",
            "/..%2fa",
            "/%2e%2e%2fadmin",
            "/a%5C%2e%2E",
            "/..;/admin",
            "/a\\..\\b",
            "http://else.where/",
        ] {
            assert!(target(path).is_err(), "{path:?}");
        }
    }
}
