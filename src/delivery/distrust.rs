//! Why there is no TLS with an upstream, in words, and what would cure it.

use std::io::{self, ErrorKind};

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError};

/// Names of a certificate that are shown: a certificate may have hundreds.
const NAMES_SHOWN: usize = 3;

/// What a failed handshake with `host` comes to, for people.
pub(super) fn words(error: &io::Error, host: &str) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(Error::InvalidCertificate(why)) => certificate(why, host),
        Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            format!("`{host}` does not answer in TLS; is it an `http://` address?")
        }
        Some(Error::PeerIncompatible(_)) => {
            format!("`{host}` speaks no TLS that we do: 1.2 and 1.3, with today's algorithms")
        }
        Some(Error::AlertReceived(alert)) => alerted(*alert, host),
        Some(other) => format!("the TLS handshake failed: {other}"),
        None => match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => {
                format!("`{host}` closed the connection during the TLS handshake")
            }
            _ => error.to_string(),
        },
    }
}

fn alerted(alert: AlertDescription, host: &str) -> String {
    match alert {
        AlertDescription::UnrecognisedName => format!("there is no server named `{host}`, says it"),
        AlertDescription::CertificateRequired | AlertDescription::AccessDenied => {
            format!("`{host}` wants a certificate of ours, and we have none")
        }
        // In the words of RFC 8446, 6.
        other => format!("`{host}` refused the TLS handshake: {other:?}"),
    }
}

fn certificate(why: &CertificateError, host: &str) -> String {
    use CertificateError as Why;

    match why {
        Why::UnknownIssuer => {
            "its certificate is of an authority that is not trusted here; name that \
            authority with `ca` (a PEM file)"
                .to_owned()
        }
        Why::NotValidForNameContext { presented, .. } => not_for(host, presented),
        Why::NotValidForName => not_for(host, &[]),
        Why::ExpiredContext { not_after, .. } => {
            format!("its certificate expired on {}", day(*not_after))
        }
        Why::Expired => "its certificate has expired".to_owned(),
        Why::NotValidYetContext { not_before, .. } => {
            let day = day(*not_before);
            format!("its certificate is not valid before {day}; are both clocks right?")
        }
        Why::NotValidYet => "its certificate is not valid yet; are both clocks right?".to_owned(),
        Why::Revoked => "its certificate was revoked".to_owned(),
        Why::BadEncoding => "its certificate cannot be read".to_owned(),
        Why::BadSignature => {
            "the signature of its certificate is wrong: another authority of the same name made it?"
                .to_owned()
        }
        Why::InvalidPurpose | Why::InvalidPurposeContext { .. } => {
            "its certificate is not for servers (extended key usage)".to_owned()
        }
        Why::Other(OtherError(error)) => other(error.downcast_ref(), why),
        why => format!("its certificate is refused: {why}"),
    }
}

fn other(error: Option<&webpki::Error>, why: &CertificateError) -> String {
    match error {
        // What `openssl req -x509` makes unless told otherwise.
        Some(webpki::Error::CaUsedAsEndEntity) => {
            "its certificate is an authority's (CA:TRUE), which no server may show; make one with \
             `-addext basicConstraints=critical,CA:FALSE`"
                .to_owned()
        }
        Some(webpki::Error::UnsupportedCertVersion) => {
            "its certificate is of an old version; make one of version 3, with a `subjectAltName`"
                .to_owned()
        }
        Some(error) => format!("its certificate is refused: {error:?}"),
        None => format!("its certificate is refused: {why}"),
    }
}

/// `presented`: as rustls has them, `DnsName("a.example")` or `IpAddress(192.0.2.1)`.
fn not_for(host: &str, presented: &[String]) -> String {
    let bare = |name: &String| {
        let inside = name.split_once('(').map_or(&**name, |(_, inside)| inside);
        format!("`{}`", inside.trim_matches(['"', ')']))
    };
    let names: Vec<String> = presented.iter().take(NAMES_SHOWN).map(bare).collect();
    let more = match presented.len() > NAMES_SHOWN {
        true => ", ...",
        false => "",
    };
    match names.as_slice() {
        [] => {
            format!("its certificate has no name for `{host}`; it needs a `subjectAltName` with it")
        }
        names => {
            let names = names.join(", ");
            format!("its certificate is for {names}{more} and not for `{host}`")
        }
    }
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_for_others_names_a_few_of_them() {
        let names = [
            "DnsName(\"a.example\")",
            "IpAddress(192.0.2.1)",
            "DnsName(\"b\")",
            "DnsName(\"c\")",
        ];
        let names = names.map(str::to_owned);

        assert_eq!(
            not_for("ci", &names),
            "its certificate is for `a.example`, `192.0.2.1`, `b`, ... and not for `ci`"
        );
        assert_eq!(
            not_for("ci", &[]),
            "its certificate has no name for `ci`; it needs a `subjectAltName` with it"
        );
    }
}
