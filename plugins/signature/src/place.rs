//! Texts of the webhook, from wherever the configuration says they are.

use hookgate_sdk::webhook;

use crate::body::Body;
use crate::header::{MAX_CANDIDATES, Refusal, only_item};
use crate::scheme::{Place, Source};

/// The lines of a header, or the one text that stands elsewhere.
///
/// # Errors
/// When a numbered header is repeated: there is no saying which value counts.
// Here and below: what is called from many places is compiled once, for the component's size.
#[inline(never)]
pub(crate) fn lines<'s>(source: &Source<'s>, body: &Body<'_>) -> Result<Vec<Vec<u8>>, Refusal<'s>> {
    Ok(match source.place {
        Place::Header(name) if source.numbered => return numbered(name),
        Place::Header(name) => values(name, body),
        elsewhere => match text(elsewhere, body) {
            Some(text) => vec![text.into_bytes()],
            None => Vec::new(),
        },
    })
}

/// The lines of a header; most headers have one.
#[inline(never)]
fn values(name: &str, body: &Body<'_>) -> Vec<Vec<u8>> {
    match body.header(name) {
        Some(only) => vec![only.into_bytes()],
        None => webhook::header_values(name),
    }
}

/// The value of a header that has one.
///
/// # Errors
/// When it is absent, repeated or no text.
#[inline(never)]
pub(crate) fn header<'n>(name: &'n str, body: &Body<'_>) -> Result<String, Refusal<'n>> {
    Ok(only_item(&Source::whole(Place::Header(name)), &values(name, body))?.to_owned())
}

/// `NAME-1`, `NAME-2`, ... until one is absent.
fn numbered(name: &str) -> Result<Vec<Vec<u8>>, Refusal<'_>> {
    let place = Place::Header(name);
    let mut found = Vec::new();
    for number in 1..=MAX_CANDIDATES + 1 {
        let mut values = webhook::header_values(&format!("{name}-{number}"));
        match values.len() {
            0 => break,
            1 => found.append(&mut values),
            _ => return Err(Refusal::Repeated(place)),
        }
    }
    Ok(found)
}

/// The text at a place; none where several are, and nobody can say which one counts.
#[inline(never)]
pub(crate) fn text(place: Place<'_>, body: &Body<'_>) -> Option<String> {
    match place {
        Place::Header(name) => body.header(name),
        Place::Query(name) => webhook::query_param(name),
        Place::Pointer(pointer) => body.text(pointer),
        Place::Method => Some(webhook::info().method),
    }
}

/// Whether `url` is an `https` URL of a host that `pattern` means; `*` stands for one label.
#[must_use]
pub fn is_of_host(url: &str, pattern: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else {
        return false;
    };
    // With user information, a port or a backslash it is not what a provider writes.
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let (mut labels, mut wanted) = (host.split('.'), pattern.split('.'));
    loop {
        match (labels.next(), wanted.next()) {
            (None, None) => return true,
            (Some(label), Some("*")) if is_label(label) => {}
            (Some(label), Some(wanted)) if label.eq_ignore_ascii_case(wanted) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_host;

    #[test]
    fn a_host_is_compared_label_by_label() {
        let sns = "sns.*.amazonaws.com";
        assert!(is_of_host(
            "https://sns.eu-west-1.amazonaws.com/?Action=x",
            sns
        ));
        assert!(is_of_host("https://sns.us-east-1.amazonaws.com", sns));
        for url in [
            "http://sns.eu-west-1.amazonaws.com/",
            "https://sns.eu-west-1.amazonaws.com.evil.example/",
            "https://evil.example/sns.eu-west-1.amazonaws.com/",
            "https://sns.evil.example#.amazonaws.com/",
            "https://sns.a.b.amazonaws.com/",
            "https://sns..amazonaws.com/",
            "https://sns.eu@evil.amazonaws.com/",
            "https://x@sns.eu-west-1.amazonaws.com/",
            "https://sns.eu-west-1.amazonaws.com:8443/",
            "https://sns.eu-west-1.amazonaws.com\\@evil.example/",
            "//sns.eu-west-1.amazonaws.com/",
            "",
        ] {
            assert!(!is_of_host(url, sns), "{url}");
        }
    }
}
