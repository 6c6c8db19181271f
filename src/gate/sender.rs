//! Who the sender is: the peer, or what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::message::Fields;
use crate::webhook::Scheme;

/// Proxies between a sender and us that are looked through; more is a loop or an attack.
const HOPS_MAX: usize = 16;

/// Where a webhook comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) address: IpAddr,
    pub(super) scheme: Scheme,
}

/// Walks `X-Forwarded-For` from its end to the first address that is no trusted proxy. Without a
/// trusted peer nothing in the head is believed.
pub(super) fn origin(
    fields: &Fields,
    peer: SocketAddr,
    scheme: Scheme,
    trusted: &[IpNet],
) -> Origin {
    // `::ffff:a.b.c.d` is a.b.c.d; unmapped, it would slip past every list.
    let peer = peer.ip().to_canonical();
    let mut origin = Origin {
        address: peer,
        scheme,
    };
    if trusted.is_empty() || !contains(trusted, peer) {
        return origin;
    }
    let proto = fields
        .first("x-forwarded-proto")
        .and_then(|value| std::str::from_utf8(value).ok());
    origin.scheme = match proto.map(str::trim) {
        Some(proto) if proto.eq_ignore_ascii_case("https") => Scheme::Https,
        Some(proto) if proto.eq_ignore_ascii_case("http") => Scheme::Http,
        _ => scheme,
    };
    let lists: Vec<&[u8]> = fields.all("x-forwarded-for").collect();
    let hops = lists
        .into_iter()
        .rev()
        .filter_map(|value| std::str::from_utf8(value).ok())
        .flat_map(|value| value.rsplit(','));
    for hop in hops.take(HOPS_MAX) {
        // Beyond something that is no address, nothing can be trusted.
        let Some(address) = parse(hop.trim()) else {
            break;
        };
        origin.address = address;
        if !contains(trusted, address) {
            break;
        }
    }
    origin
}

/// Whether an allow-list lets the address in; an empty list lets everybody in.
pub(super) fn is_allowed(allow: &[IpNet], address: IpAddr) -> bool {
    allow.is_empty() || contains(allow, address)
}

fn contains(nets: &[IpNet], address: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(&address))
}

/// An address with or without a port; IPv6 with or without brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let address = match text.parse::<IpAddr>() {
        Ok(address) => address,
        Err(_) => match text.parse::<SocketAddr>() {
            Ok(socket) => socket.ip(),
            Err(_) => text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?,
        },
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::{Origin, is_allowed, origin};
    use crate::message::Fields;
    use crate::webhook::Scheme;
    use std::net::IpAddr;

    fn address(peer: &str, forwarded: &[&str]) -> IpAddr {
        let fields: Fields = forwarded
            .iter()
            .map(|value| ("x-forwarded-for", value))
            .collect();
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let peer = format!("{peer}:4711").parse().unwrap();
        origin(&fields, peer, Scheme::Http, &trusted).address
    }

    #[test]
    fn a_stranger_cannot_name_another_address() {
        assert_eq!(
            address("203.0.113.7", &["198.51.100.1"]).to_string(),
            "203.0.113.7"
        );
    }

    #[test]
    fn a_trusted_proxy_names_the_first_address_it_does_not_trust() {
        assert_eq!(
            address("10.0.0.1", &["198.51.100.1"]).to_string(),
            "198.51.100.1"
        );
        assert_eq!(
            address("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.2.2.2"]).to_string(),
            "198.51.100.1"
        );
        assert_eq!(
            address("10.0.0.1", &["6.6.6.6", "198.51.100.1"]).to_string(),
            "198.51.100.1"
        );
        assert_eq!(
            address("[fd00::1]", &["[2001:db8::1]:443"]).to_string(),
            "2001:db8::1"
        );
        assert_eq!(
            address("[::ffff:10.0.0.1]", &["198.51.100.1"]).to_string(),
            "198.51.100.1"
        );
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        assert_eq!(
            address("10.0.0.1", &["198.51.100.1, unknown"]).to_string(),
            "10.0.0.1"
        );
        assert_eq!(address("10.0.0.1", &[]).to_string(), "10.0.0.1");
    }

    #[test]
    fn the_scheme_is_believed_from_a_trusted_proxy_only() {
        let fields: Fields = [("x-forwarded-proto", "https")].into_iter().collect();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let scheme = |peer: &str| {
            let Origin { scheme, .. } =
                origin(&fields, peer.parse().unwrap(), Scheme::Http, &trusted);
            scheme
        };

        assert_eq!(scheme("10.0.0.1:1"), Scheme::Https);
        assert_eq!(scheme("11.0.0.1:1"), Scheme::Http);
    }

    #[test]
    fn an_allow_list_lets_in_what_is_on_it_and_nothing_else() {
        let list = ["192.0.2.0/24".parse().unwrap()];

        assert!(is_allowed(&list, "192.0.2.255".parse().unwrap()));
        assert!(!is_allowed(&list, "192.0.3.0".parse().unwrap()));
        assert!(is_allowed(&[], "192.0.3.0".parse().unwrap()));
    }
}
