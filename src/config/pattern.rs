//! Which webhooks a route takes: `path`, `host`, `methods`, and the URL that senders know.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, Uri};

use super::document::Place;
use super::draft::Draft;
use super::file;
use super::shapes::OneOrMany;
use super::words;
use crate::route::{Methods, Pattern};

/// What HTTP defines (RFC 9110, 9.3), and PATCH (RFC 5789); anything else is a slip of the hand.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::OPTIONS,
    Method::PATCH,
];

/// The pattern of the route at `place`.
pub(super) fn pattern(
    draft: &mut Draft<'_>,
    place: &Place,
    name: &str,
    written: &file::Route,
) -> Option<Pattern> {
    let methods = methods(draft, &place.key("methods"), written.methods.as_ref());
    let host = match written
        .host
        .as_deref()
        .map(|host| host_name(draft, &place.key("host"), host))
    {
        None => None,
        Some(host) => Some(host?),
    };
    let Some(path) = written.path.as_deref() else {
        draft.missing(
            place,
            "path",
            format!("route `{name}` has no `path`"),
            format!("add path = \"/{name}\""),
        );
        return None;
    };
    let at = place.key("path");
    if !path.starts_with('/') {
        draft.refuse(
            &at,
            "a path begins with `/`",
            format!("did you mean `/{path}`?"),
        );
        return None;
    }
    if let Some(mark) = path
        .chars()
        .find(|c| matches!(c, '?' | '#') || c.is_whitespace() || c.is_control())
    {
        let help = "a route is matched by the path alone; the query is passed on";
        draft.refuse(
            &at,
            format!("a path has no `{}`", mark.escape_default()),
            help,
        );
        return None;
    }
    Some(Pattern {
        host,
        path: path.into(),
        methods: methods?,
    })
}

fn methods(draft: &mut Draft<'_>, place: &Place, written: Option<&OneOrMany>) -> Option<Methods> {
    let Some(written) = written else {
        return Some(Methods::new(vec![Method::POST]));
    };
    if written.items.is_empty() {
        draft.refuse(
            place,
            "the route takes no method at all",
            r#"take the key away for ["POST"]"#,
        );
        return None;
    }
    let mut methods = Vec::new();
    for (index, text) in written.items.iter().enumerate() {
        let at = if written.listed {
            place.index(index)
        } else {
            place.clone()
        };
        match METHODS.iter().find(|method| method.as_str() == text) {
            Some(method) => methods.push(method.clone()),
            None => {
                let known = METHODS.iter().map(Method::as_str);
                let help = words::cure(text, known, "methods");
                draft.refuse(
                    &at,
                    format!("`{}` is not a method", text.escape_default()),
                    help,
                );
            }
        }
    }
    (methods.len() == written.items.len()).then(|| Methods::new(methods))
}

fn host_name(draft: &mut Draft<'_>, place: &Place, text: &str) -> Option<Box<str>> {
    let host = text.to_ascii_lowercase();
    let plain = host.strip_prefix("*.").unwrap_or(&host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let is_name = plain.split('.').all(is_label) || plain.parse::<IpAddr>().is_ok();
    if is_name {
        return Some(host.into());
    }
    let help = match text
        .split_once("://")
        .map_or(text, |(_, rest)| rest)
        .split([':', '/'])
        .next()
    {
        Some(name) if name != text && !name.is_empty() && !name.contains('*') => {
            format!("did you mean `{name}`? scheme, port and path do not belong here")
        }
        _ => "write it like `hooks.example.com`, or `*.example.com` for one more label".to_owned(),
    };
    draft.refuse(
        place,
        format!("`{}` is not the name of a host", text.escape_default()),
        help,
    );
    None
}

/// The URL under which senders know the route.
pub(super) fn public_url(
    draft: &mut Draft<'_>,
    place: &Place,
    written: Option<&str>,
) -> Option<Arc<str>> {
    let text = written?;
    let is_url = text.parse::<Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some()
    });
    if !is_url {
        draft.refuse(
            &place.key("public_url"),
            "this is not a URL that a sender could call",
            "write it in full, like \"https://hooks.example.com/twilio\"",
        );
    }
    Some(text.into())
}
