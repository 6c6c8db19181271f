//! How an event is written: as headers ("HTTP Protocol Binding", 3.1.3) or as one document ("JSON Event
//! Format", 2 and 3).

use hookgate_sdk::base64;
use hookgate_sdk::json::escape_into;

use crate::attributes::percent;

/// The value of a header: everything is escaped but printable ASCII without blank, `"` and `%`.
#[must_use]
pub fn header_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    percent(&mut out, text, |byte| {
        (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'%'
    });
    out
}

/// What the webhook carries, by how it can stand in a JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// Nothing.
    None,
    /// A JSON document.
    Json(&'a str),
    /// Text of another kind.
    Text(&'a str),
    /// Anything.
    Bytes(&'a [u8]),
}

/// The document: attributes, the media type of the data where there is one, and the data.
#[must_use]
pub fn document(
    attributes: &[(String, String)],
    media_type: Option<&str>,
    data: Data<'_>,
) -> String {
    let mut out = String::from("{");
    let texts = attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain(media_type.map(|media_type| ("datacontenttype", media_type)));
    for (name, value) in texts {
        member(&mut out, name);
        quote(&mut out, value);
    }
    match data {
        Data::None => {}
        Data::Json(json) => {
            member(&mut out, "data");
            out.push_str(json);
        }
        Data::Text(text) => {
            member(&mut out, "data");
            quote(&mut out, text);
        }
        Data::Bytes(bytes) => {
            member(&mut out, "data_base64");
            quote(&mut out, &base64::encode(bytes));
        }
    }
    out.push('}');
    out
}

/// Whether a media type says that the data is JSON ("JSON Event Format", 3.1).
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let Some((_, subtype)) = essence.split_once('/') else {
        return false;
    };
    let json = |text: &str| text.eq_ignore_ascii_case("json");
    json(subtype)
        || subtype
            .rsplit_once('+')
            .is_some_and(|(_, suffix)| json(suffix))
}

fn member(out: &mut String, name: &str) {
    if out.len() > 1 {
        out.push(',');
    }
    quote(out, name);
    out.push(':');
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    escape_into(out, text);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::{Data, document, header_value, is_json};

    #[test]
    fn a_header_holds_what_the_binding_allows() {
        // "HTTP Protocol Binding", 3.1.3.2: its own example.
        assert_eq!(header_value("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(header_value("100% \"x\"\u{7f}~!"), "100%25%20%22x%22%7F~!");
    }

    #[test]
    fn data_stands_in_the_document_by_its_kind() {
        let attributes = [("id".to_owned(), "a\"b".to_owned())];
        let of = |media_type, data| document(&attributes, media_type, data);
        assert_eq!(of(None, Data::None), r#"{"id":"a\"b"}"#);
        assert_eq!(
            of(None, Data::Json(" [1.0]")),
            r#"{"id":"a\"b","data": [1.0]}"#
        );
        assert_eq!(
            of(Some("text/plain"), Data::Text("x\n")),
            r#"{"id":"a\"b","datacontenttype":"text/plain","data":"x\n"}"#
        );
        assert_eq!(
            of(None, Data::Bytes(b"\xff\0")),
            r#"{"id":"a\"b","data_base64":"/wA="}"#
        );
    }

    #[test]
    fn a_media_type_says_whether_it_is_json() {
        for json in [
            "application/json",
            "text/JSON; charset=utf-8",
            "application/vnd.x+json",
            "a/b+c+json",
        ] {
            assert!(is_json(json), "{json}");
        }
        for other in [
            "",
            "json",
            "application/jsonl",
            "text/plain",
            "application/json5",
            "application/xml; a=+json",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }
}
