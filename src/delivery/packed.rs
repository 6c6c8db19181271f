//! A webhook in one piece of memory: what is held while it waits, and what a spool writes.
//!
//! Packed, a webhook weighs its bytes and a few dozen more, and unpacking does not copy its body.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf as _, Bytes};
use http::Method;
use http::uri::PathAndQuery;
use tokio::time::Instant;

use crate::message::Fields;
use crate::webhook::{Arrival, Scheme, Webhook, WebhookId};

/// Of the layout below; another one is not read.
const VERSION: u8 = 1;

/// The bytes of a webhook, without its route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packed(Arc<[u8]>);

impl Packed {
    pub(super) fn new(webhook: &Webhook) -> Self {
        let mut out = Vec::with_capacity(webhook.body.len() + 1024);
        out.push(VERSION);
        out.extend(webhook.id.to_bytes());
        let since = webhook.arrival.wall().duration_since(UNIX_EPOCH);
        let since = since.unwrap_or_default();
        out.extend(since.as_secs().to_le_bytes());
        out.extend(since.subsec_nanos().to_le_bytes());
        out.push(u8::from(webhook.scheme == Scheme::Https));
        match webhook.sender {
            IpAddr::V4(address) => put(&mut out, &address.octets()),
            IpAddr::V6(address) => put(&mut out, &address.octets()),
        }
        put(&mut out, webhook.method.as_str().as_bytes());
        put(&mut out, webhook.target.as_str().as_bytes());
        let authority = webhook.authority.as_ref();
        put_optional(&mut out, authority.map(|authority| authority.as_bytes()));
        put_optional(
            &mut out,
            webhook.public_url.as_ref().map(|url| url.as_bytes()),
        );
        put_number(&mut out, webhook.fields.len());
        for (name, value) in webhook.fields.iter() {
            put(&mut out, name.as_bytes());
            put(&mut out, value);
        }
        out.extend_from_slice(&webhook.body);
        Self(out.into())
    }

    /// Bytes that were packed before.
    pub(super) fn stored(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// As they are stored.
    pub(super) fn bytes(&self) -> &Arc<[u8]> {
        &self.0
    }

    /// Whose webhook's; nothing where they are none's.
    pub(super) fn id(&self) -> Option<WebhookId> {
        let (version, rest) = self.0.split_first()?;
        let id = rest.first_chunk().filter(|_| *version == VERSION)?;
        Some(WebhookId::from_bytes(*id))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// When the webhook arrived, on the wall clock.
    pub(super) fn arrived(&self) -> SystemTime {
        let read = |from: usize| {
            let seconds = self.0.get(from..from + 8)?.try_into().ok()?;
            let nanos = self.0.get(from + 8..from + 12)?.try_into().ok()?;
            Some(Duration::new(
                u64::from_le_bytes(seconds),
                u32::from_le_bytes(nanos),
            ))
        };
        // Behind the version and the id.
        UNIX_EPOCH + read(17).unwrap_or_default()
    }

    /// The webhook again, of `route`, stamped with the `instant` of its arrival. Nothing where the bytes
    /// are not those of a webhook.
    pub(super) fn unpack(&self, route: Arc<str>, instant: Instant) -> Option<Webhook> {
        let all = Bytes::from_owner(Arc::clone(&self.0));
        // Read as a slice: each piece of shared bytes would be counted, and counted off.
        let mut bytes: &[u8] = &self.0;
        if bytes.try_get_u8().ok()? != VERSION {
            return None;
        }
        let id = WebhookId::from_bytes(array(&mut bytes)?);
        let seconds = u64::from_le_bytes(array(&mut bytes)?);
        let nanos = u32::from_le_bytes(array(&mut bytes)?);
        let wall: SystemTime = UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))?;
        let scheme = match bytes.try_get_u8().ok()? {
            0 => Scheme::Http,
            _ => Scheme::Https,
        };
        let sender = get(&mut bytes)?;
        let sender = match <[u8; 4]>::try_from(sender) {
            Ok(octets) => IpAddr::V4(Ipv4Addr::from(octets)),
            Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(sender).ok()?)),
        };
        let method = Method::from_bytes(get(&mut bytes)?).ok()?;
        let target = PathAndQuery::from_maybe_shared(piece(&all, get(&mut bytes)?)?).ok()?;
        let authority = get_optional(&mut bytes)?;
        let public_url = get_optional(&mut bytes)?;
        let count = get_number(&mut bytes)?;
        let (mut parts, block) = (Vec::with_capacity(count.min(bytes.len())), bytes);
        for _ in 0..count {
            parts.push((get(&mut bytes)?, get(&mut bytes)?));
        }
        let (block, body) = block.split_at_checked(block.len() - bytes.len())?;
        let fields = Fields::of_head(block, parts.into_iter());
        Some(Webhook {
            id,
            route,
            method,
            target,
            authority: match authority {
                Some(authority) => Some(text(authority)?),
                None => None,
            },
            scheme,
            fields,
            body: piece(&all, body)?,
            arrival: Arrival::stored(wall, instant),
            sender,
            public_url: match public_url {
                Some(url) => Some(text(url)?),
                None => None,
            },
        })
    }
}

/// These bytes of `all`, shared; they lie inside.
fn piece(all: &Bytes, bytes: &[u8]) -> Option<Bytes> {
    let from = all.len().checked_sub(bytes.len())?;
    let at = (bytes.as_ptr() as usize).checked_sub(all.as_ptr() as usize)?;
    (at <= from).then(|| all.slice(at..at + bytes.len()))
}

pub(super) fn text<T: for<'a> From<&'a str>>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok().map(T::from)
}

/// A length and the bytes.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Nothing is the length 0, and everything else is one longer than it is.
pub(super) fn put_optional(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_number(out, 0),
        Some(bytes) => {
            put_number(out, bytes.len() + 1);
            out.extend_from_slice(bytes);
        }
    }
}

/// Seven bits a byte, the lowest first.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(0x80 | low_bits(number));
        number >>= 7;
    }
    out.push(low_bits(number));
}

fn low_bits(number: usize) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or_default()
}

pub(super) fn get_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

pub(super) fn get<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = get_number(bytes)?;
    bytes.split_off(..length)
}

pub(super) fn get_optional<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match get_number(bytes)? {
        0 => Some(None),
        length => bytes.split_off(..length - 1).map(Some),
    }
}

pub(super) fn array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let mut array = [0; N];
    bytes.try_copy_to_slice(&mut array).ok()?;
    Some(array)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(body: &Bytes) -> Webhook {
        let arrival = Arrival::now();
        let mut fields = Fields::default();
        for (name, value) in [("X-A", "abc"), ("authorization", "hush"), ("x-a", "")] {
            fields.put(name, value.as_bytes());
        }
        Webhook {
            id: WebhookId::new(arrival),
            route: "hook".into(),
            method: Method::PUT,
            target: PathAndQuery::from_static("/hook?x=1"),
            authority: Some("hooks.example.com".into()),
            scheme: Scheme::Https,
            fields,
            body: body.clone(),
            arrival,
            sender: "2001:db8::7".parse().unwrap(),
            public_url: Some("https://hooks.example.com/hook".into()),
        }
    }

    fn told(webhook: &Webhook) -> String {
        let fields: Vec<_> = webhook.fields.iter().collect();
        let Webhook {
            id,
            route,
            method,
            target,
            authority,
            scheme,
            body,
            arrival,
            sender,
            public_url,
            ..
        } = webhook;
        format!(
            "{id} {route} {method} {target} {authority:?} {scheme:?} {fields:?} {body:?} {arrival:?} \
             {sender} {public_url:?}"
        )
    }

    #[test]
    fn a_packed_webhook_says_the_same_and_holds_no_memory_but_its_own() {
        let body = Bytes::from(b"{}".repeat(9));
        let before = webhook(&body);
        let said = told(&before);

        let packed = Packed::new(&before);
        let after = packed
            .unpack("hook".into(), before.arrival.instant)
            .unwrap();
        drop(before);

        assert!(body.is_unique());
        assert_eq!(told(&after), said);
        assert_eq!(packed.arrived(), after.arrival.wall());
        assert!(packed.len() < 200, "{}", packed.len());
    }

    #[test]
    fn what_was_absent_stays_absent() {
        let before = Webhook {
            authority: None,
            public_url: None,
            fields: Fields::default(),
            body: Bytes::new(),
            sender: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ..webhook(&Bytes::new())
        };

        let after = Packed::new(&before).unpack("hook".into(), before.arrival.instant);

        assert_eq!(told(&after.unwrap()), told(&before));
    }

    #[test]
    fn what_is_cut_short_or_of_another_layout_is_no_webhook() {
        let packed = Packed::new(&webhook(&Bytes::from_static(b"{}")));
        let now = Instant::now();
        // The body is what is left, so it may be shorter and nothing else.
        for length in 0..packed.len() - 2 {
            let cut = Packed(packed.0[..length].into());
            assert!(cut.unpack("hook".into(), now).is_none(), "{length}");
        }
        let mut other = packed.0.to_vec();
        other[0] = VERSION + 1;
        assert!(Packed(other.into()).unpack("hook".into(), now).is_none());
    }

    #[test]
    fn a_number_takes_as_many_bytes_as_it_needs() {
        for (number, length) in [(0, 1), (127, 1), (128, 2), (16_384, 3), (usize::MAX, 10)] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            assert_eq!(out.len(), length);
            assert_eq!(get_number(&mut &*out), Some(number));
        }
        assert_eq!(get_number(&mut [0x80; 11].as_slice()), None);
    }
}
