//! What the token says, once its signature is believed (RFC 7519, section 4.1).

use hookgate_sdk::json::Json;

use crate::rules::Rules;

/// Lets the claims pass at `now_s`, or says why not.
///
/// # Errors
/// A sentence for the log.
pub fn admit(rules: &Rules<'_>, claims: &Json<'_>, now_s: u64) -> Result<(), String> {
    if !rules.issuers.is_empty() {
        let issuer = claims.get("iss").and_then(Json::as_text);
        if !issuer.is_some_and(|issuer| rules.issuers.contains(&issuer)) {
            return Err("the token is of another issuer".into());
        }
    }
    audience(rules, claims)?;
    time(rules, claims, now_s)?;
    for (name, wanted) in rules.claims {
        let value = claims.get(name).and_then(Json::scalar);
        let mut allowed = wanted.elements().iter().filter_map(Json::scalar);
        if !value.is_some_and(|value| allowed.any(|allowed| allowed == value)) {
            return Err(format!("the claim `{name}` is not as wanted"));
        }
    }
    Ok(())
}

/// A token for somebody is for nobody else (section 4.1.3), so one that names an audience needs one in
/// the configuration.
fn audience(rules: &Rules<'_>, claims: &Json<'_>) -> Result<(), String> {
    let is_ours = |audience: &Json<'_>| {
        audience
            .as_text()
            .is_some_and(|audience| rules.audiences.contains(&audience))
    };
    match claims.get("aud") {
        None if rules.audiences.is_empty() => Ok(()),
        None => Err("the token names no audience".into()),
        Some(audience) if is_ours(audience) || audience.elements().iter().any(is_ours) => Ok(()),
        Some(_) if rules.audiences.is_empty() => {
            Err("the token is for an audience, and the configuration names none".into())
        }
        Some(_) => Err("the token is for somebody else".into()),
    }
}

fn time(rules: &Rules<'_>, claims: &Json<'_>, now_s: u64) -> Result<(), String> {
    let tolerance = rules.tolerance_s;
    if let Some(expires) = moment(claims, "exp")?
        && now_s >= expires.saturating_add(tolerance)
    {
        return Err("the token has expired".into());
    }
    if let Some(begins) = moment(claims, "nbf")?
        && now_s.saturating_add(tolerance) < begins
    {
        return Err("the token is not good yet".into());
    }
    match (moment(claims, "iat")?, rules.max_age_s) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err("the token does not say when it was made".into()),
        (Some(made), _) if now_s.saturating_add(tolerance) < made => {
            Err("the token is from the future".into())
        }
        (Some(made), Some(max_age))
            if now_s > made.saturating_add(max_age).saturating_add(tolerance) =>
        {
            Err("the token is too old".into())
        }
        (Some(_), _) => Ok(()),
    }
}

/// A NumericDate in whole seconds (section 2); a fraction is cut off.
fn moment(claims: &Json<'_>, name: &str) -> Result<Option<u64>, String> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = match value {
        Json::Number(number) => {
            let whole = number.split_once('.').map_or(*number, |(whole, _)| whole);
            if number.contains(['e', 'E']) {
                None
            } else {
                whole.parse().ok()
            }
        }
        _ => None,
    };
    match seconds {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(format!("the claim `{name}` is not a time")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, Rules, admit};

    const NOW: u64 = 1_700_000_000;
    const BASE: &str = r#""header":"x","algorithm":"ES256","keys":"keys","tolerance":"60s""#;

    fn admitted(rules: &str, claims: &str) -> bool {
        let config = format!("{{{BASE}{rules}}}");
        let table = Json::read(&config).unwrap();
        let claims = Json::read(claims).unwrap();
        admit(&Rules::read(&table).unwrap(), &claims, NOW).is_ok()
    }

    #[test]
    fn a_token_is_good_until_its_end_and_the_tolerance() {
        assert!(admitted("", "{}"));
        assert!(admitted("", r#"{"exp":1699999941}"#));
        assert!(!admitted("", r#"{"exp":1699999940}"#));
        assert!(admitted("", r#"{"exp":1699999941.9}"#));
        assert!(admitted("", r#"{"nbf":1700000060}"#));
        assert!(!admitted("", r#"{"nbf":1700000061}"#));
        assert!(admitted("", r#"{"iat":1700000060}"#));
        assert!(!admitted("", r#"{"iat":1700000061}"#));
    }

    #[test]
    fn a_time_that_is_none_refuses() {
        for claim in ["exp", "nbf", "iat"] {
            for value in [
                r#""1700000000""#,
                "-1",
                "1e99",
                "1.7e9",
                "null",
                "99999999999999999999",
            ] {
                assert!(
                    !admitted("", &format!("{{\"{claim}\":{value}}}")),
                    "{claim} {value}"
                );
            }
        }
    }

    #[test]
    fn a_token_ages_where_the_configuration_says_so() {
        let rules = r#","max_age":"5m""#;
        assert!(admitted(rules, r#"{"iat":1699999640}"#));
        assert!(!admitted(rules, r#"{"iat":1699999639}"#));
        assert!(!admitted(rules, "{}"));
        assert!(admitted("", r#"{"iat":1}"#));
    }

    #[test]
    fn issuer_and_audience_are_ours_or_refused() {
        let rules = r#","issuer":["a","b"],"audience":"https://us""#;
        assert!(admitted(rules, r#"{"iss":"a","aud":"https://us"}"#));
        assert!(admitted(rules, r#"{"iss":"b","aud":["x","https://us"]}"#));
        for claims in [
            r#"{"iss":"c","aud":"https://us"}"#,
            r#"{"aud":"https://us"}"#,
            r#"{"iss":["a"],"aud":"https://us"}"#,
            r#"{"iss":"a"}"#,
            r#"{"iss":"a","aud":"https://us/"}"#,
            r#"{"iss":"a","aud":[]}"#,
        ] {
            assert!(!admitted(rules, claims), "{claims}");
        }
        assert!(!admitted("", r#"{"aud":"anybody"}"#));
    }

    #[test]
    fn other_claims_have_one_of_their_values() {
        let rules = r#","claims":{"email":["a@x","b@x"],"email_verified":[true]}"#;
        assert!(admitted(rules, r#"{"email":"b@x","email_verified":true}"#));
        for claims in [
            r#"{"email":"c@x","email_verified":true}"#,
            r#"{"email":"a@x","email_verified":false}"#,
            r#"{"email":"a@x"}"#,
            r#"{"email":["a@x"],"email_verified":true}"#,
        ] {
            assert!(!admitted(rules, claims), "{claims}");
        }
    }
}
