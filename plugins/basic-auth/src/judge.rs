//! The verdict on one webhook.

use hookgate_sdk::json::Json;
use hookgate_sdk::verify::{Failure, Verdict};
use hookgate_sdk::{header, key};

use crate::credentials;

/// The verdict under the configuration.
pub(crate) fn judge(table: &Json<'_>) -> Result<Verdict, Failure> {
    let value = match header::only("authorization") {
        Ok(value) => value,
        Err(why) => {
            return Ok(key::unauthorized(format!(
                "the header `authorization` {why}"
            )));
        }
    };
    let Some((name, password)) = credentials::read(&value) else {
        return Ok(key::unauthorized(
            "the header `authorization` holds no name and password",
        ));
    };
    let users = table.get("users").map(Json::members).unwrap_or_default();
    let known = users.iter().find(|(user, _)| *user == name);
    let Some((_, named)) = known.or(users.first()) else {
        return Err(Failure::Permanent(
            "`users` is empty in the configuration".into(),
        ));
    };
    // The empty password is nobody's.
    let candidate = if known.is_some() {
        password.as_str()
    } else {
        ""
    };
    Ok(
        match key::equals(named.as_text().unwrap_or_default(), candidate)? {
            true => Verdict::Accept,
            false => key::unauthorized("name and password are not ours"),
        },
    )
}
