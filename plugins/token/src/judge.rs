//! The verdict on one webhook.

use hookgate_sdk::json::Json;
use hookgate_sdk::verify::{Failure, Verdict};
use hookgate_sdk::{header, key, webhook};

/// The verdict under the configuration.
pub(crate) fn judge(table: &Json<'_>) -> Result<Verdict, Failure> {
    let text = |name| table.get(name).and_then(Json::as_text);
    let token = if let Some(name) = text("header") {
        match header::only(name) {
            Ok(value) => match without(&value, text("prefix").unwrap_or_default()) {
                Some(token) => token.to_owned(),
                None => {
                    let reason = format!("the header `{name}` does not begin as it should");
                    return Ok(key::unauthorized(reason));
                }
            },
            Err(why) => return Ok(key::unauthorized(format!("the header `{name}` {why}"))),
        }
    } else {
        let name = text("query").unwrap_or_default();
        match webhook::query_param(name) {
            Some(token) => token,
            None => {
                let reason = format!("the query parameter `{name}` is absent");
                return Ok(key::unauthorized(reason));
            }
        }
    };
    Ok(match key::equals("keys", &token)? {
        true => Verdict::Accept,
        false => key::unauthorized("the token is not one of ours"),
    })
}

/// What follows `prefix`, which may be written in any case: a scheme such as `Bearer` is the same in all
/// of them (RFC 9110, section 11.1).
fn without<'v>(value: &'v str, prefix: &str) -> Option<&'v str> {
    let (begin, rest) = value.split_at_checked(prefix.len())?;
    begin.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn a_prefix_is_taken_off_and_must_be_there() {
        assert_eq!(without("Bearer abc", "Bearer "), Some("abc"));
        assert_eq!(without("bearer abc", "Bearer "), Some("abc"));
        assert_eq!(without("abc", ""), Some("abc"));
        assert_eq!(without("", ""), Some(""));
        for value in ["Beareabc", "Bearer", "", "Basic abc", "é"] {
            assert_eq!(without(value, "Bearer "), None, "{value}");
        }
    }
}
