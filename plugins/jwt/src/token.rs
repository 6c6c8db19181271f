//! The token as it came: three parts with dots between them (RFC 7515, section 3.1).

use hookgate_sdk::base64::decode_url;
use hookgate_sdk::json::Json;

/// A token, taken apart and not believed yet.
#[derive(Debug)]
pub struct Token<'a> {
    /// What is signed: the first two parts with their dot.
    pub signed: &'a str,
    /// The third part.
    pub signature: &'a str,
    /// The first part, decoded.
    pub header: String,
    /// The second part, decoded.
    pub payload: String,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// Why it is none.
    pub fn read(text: &'a str) -> Result<Self, &'static str> {
        const FORM: &str = "the token is not three parts in base64url";
        let (signed, signature) = text.rsplit_once('.').ok_or(FORM)?;
        let (header, payload) = signed.split_once('.').ok_or(FORM)?;
        let decoded = |part| {
            let bytes = decode_url(part).ok_or(FORM)?;
            String::from_utf8(bytes).map_err(|_| "the token is not text")
        };
        Ok(Self {
            signed,
            signature,
            header: decoded(header)?,
            payload: decoded(payload)?,
        })
    }
}

/// A part as a table in which no name stands twice: two readers could believe different ones (RFC 7519,
/// section 4).
///
/// # Errors
/// Why it is none.
pub fn table(text: &str) -> Result<Json<'_>, &'static str> {
    let table = Json::read(text).map_err(|_| "a part of the token is not JSON")?;
    let Json::Table(members) = &table else {
        return Err("a part of the token is not a JSON object");
    };
    for (index, (name, _)) in members.iter().enumerate() {
        if members
            .iter()
            .skip(index + 1)
            .any(|(other, _)| other == name)
        {
            return Err("the token says something twice");
        }
    }
    Ok(table)
}

/// The name of the key (`kid`) by which the header says that `algorithm` was used; none when it names
/// no key.
///
/// # Errors
/// Why the header is not to be followed.
pub fn key_id<'h>(header: &'h Json<'_>, algorithm: &str) -> Result<Option<&'h str>, String> {
    match header.get("alg").and_then(Json::as_text) {
        Some(alg) if alg == algorithm => {}
        Some(alg) => {
            let alg: String = alg.chars().take(16).flat_map(char::escape_debug).collect();
            return Err(format!(
                "the token says `{alg}`, and only `{algorithm}` is believed"
            ));
        }
        None => return Err("the token names no algorithm".into()),
    }
    if header.get("crit").is_some() {
        // RFC 7515, section 4.1.11: what is critical and not understood refuses the token.
        return Err("the token has critical extensions, and none is known".into());
    }
    match header.get("kid") {
        None => Ok(None),
        Some(kid) => match kid.as_text() {
            Some(kid) => Ok(Some(kid)),
            None => Err("the name of the token's key is not text".into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, Token, key_id, table};

    #[test]
    fn a_token_is_taken_apart() {
        // RFC 7515, appendix A.3.
        let text = concat!(
            "eyJhbGciOiJFUzI1NiJ9.",
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt",
            "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEh"
        );
        let token = Token::read(text).unwrap();
        assert_eq!(token.header, r#"{"alg":"ES256"}"#);
        assert!(token.payload.contains("\"exp\":1300819380"));
        assert_eq!(token.signature, "DtEh");
        assert_eq!(format!("{}.{}", token.signed, token.signature), text);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in [
            "",
            "a",
            "a.b",
            "..",
            "e30.e30",
            "e30.e30=.x",
            "e30.e+0.x",
            "e30.e30.x.y",
            "/w.e30.x",
            "_w.e30.x",
        ] {
            let read = Token::read(text);
            let empty = read.is_ok_and(|token| table(&token.header).is_ok());
            assert!(!empty, "{text:?}");
        }
    }

    #[test]
    fn a_part_says_nothing_twice() {
        assert!(table(r#"{"a":1,"b":{"a":1}}"#).is_ok());
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, "[]", "1", "{"] {
            assert!(table(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_algorithm_of_the_configuration_is_believed() {
        let of =
            |text| key_id(&Json::read(text).unwrap(), "ES256").map(|kid| kid.map(str::to_owned));
        assert_eq!(of(r#"{"alg":"ES256","typ":"JWT"}"#), Ok(None));
        assert_eq!(of(r#"{"alg":"ES256","kid":"a"}"#), Ok(Some("a".into())));
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"es256"}"#,
            r#"{"alg":"HS256"}"#,
            r#"{"alg":["ES256"]}"#,
            "{}",
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","crit":["b64"],"b64":false}"#,
        ] {
            assert!(of(header).is_err(), "{header}");
        }
    }
}
