//! The conditions of `when`: a tree of `all`, `any` and `not` over tests of single values. Where values
//! come from is an argument, so that nothing here knows a host.

use std::cmp::Ordering;

use hookgate_sdk::json::Json;

use crate::number::compare;
use crate::rules::{is_one_of, shown};

/// What a condition may look at, by the name of its field.
pub const SUBJECTS: [&str; 4] = ["json", "header", "query", "note"];
/// What may be asked about it; all that are given must hold.
pub const TESTS: [&str; 10] = [
    "eq", "ne", "in", "prefix", "suffix", "contains", "lt", "le", "gt", "ge",
];
/// Whether it is there at all.
pub const EXISTS: &str = "exists";
/// What conditions are combined with.
pub const COMBINED: [&str; 3] = ["all", "any", "not"];

/// A part of the webhook that a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The value at a pointer of the JSON body.
    Json(&'a str),
    /// The first value of a header.
    Header(&'a str),
    /// A query parameter, decoded.
    Query(&'a str),
    /// A note of an earlier plugin.
    Note(&'a str),
}

impl Subject<'_> {
    /// As an operator reads it.
    fn name(self) -> String {
        match self {
            Self::Json(pointer) => format!("`{pointer}`"),
            Self::Header(name) => format!("the header `{name}`"),
            Self::Query(name) => format!("the query parameter `{name}`"),
            Self::Note(key) => format!("the note `{key}`"),
        }
    }
}

/// Why a webhook is not wanted, or none when the condition holds.
///
/// # Errors
/// What `find` could not say, or what `check` would have refused.
pub fn unmet<F>(condition: &Json<'_>, find: &F) -> Result<Option<String>, String>
where
    F: Fn(Subject<'_>) -> Result<Option<String>, String>,
{
    if let Some(all) = condition.get("all") {
        for one in all.elements() {
            if let Some(reason) = unmet(one, find)? {
                return Ok(Some(reason));
            }
        }
        return Ok(None);
    }
    if let Some(any) = condition.get("any") {
        let mut first = None;
        for one in any.elements() {
            match unmet(one, find)? {
                None => return Ok(None),
                Some(reason) => first = first.or(Some(reason)),
            }
        }
        return Ok(Some(match first {
            Some(reason) => format!("none of `any` holds; of the first, {reason}"),
            None => "none of `any` holds".into(),
        }));
    }
    if let Some(not) = condition.get("not") {
        return Ok(match unmet(not, find)? {
            Some(_) => None,
            None => Some("what `not` excludes holds".into()),
        });
    }
    let subject = subject(condition).ok_or("`when` is wrong in the configuration")?;
    Ok(failing(condition, subject, find(subject)?.as_deref()))
}

/// What the condition looks at.
fn subject<'a>(condition: &'a Json<'_>) -> Option<Subject<'a>> {
    let text = |name| condition.get(name).and_then(Json::as_text);
    None.or_else(|| text("json").map(Subject::Json))
        .or_else(|| text("header").map(Subject::Header))
        .or_else(|| text("query").map(Subject::Query))
        .or_else(|| text("note").map(Subject::Note))
}

/// The reason why a single value is not as wanted.
fn failing(condition: &Json<'_>, subject: Subject<'_>, value: Option<&str>) -> Option<String> {
    let name = subject.name();
    let wanted = !matches!(condition.get(EXISTS), Some(Json::Bool(false)));
    let value = match (value, wanted) {
        (None, true) => return Some(format!("{name} is absent")),
        (None, false) => return None,
        (Some(_), false) => return Some(format!("{name} is there")),
        (Some(value), true) => value,
    };
    let (test, _) = condition
        .members()
        .iter()
        .find(|(test, wanted)| TESTS.contains(&test.as_ref()) && !holds(test, value, wanted))?;
    Some(match subject {
        // It may be a credential.
        Subject::Header(_) | Subject::Query(_) => format!("{name} fails `{test}`"),
        Subject::Json(_) | Subject::Note(_) => {
            format!("{name} is `{}`, which fails `{test}`", shown(value))
        }
    })
}

fn holds(test: &str, value: &str, wanted: &Json<'_>) -> bool {
    let text = wanted.scalar().unwrap_or_default();
    let order = || compare(value, text);
    match test {
        "eq" => value == text,
        "ne" => value != text,
        "in" => is_one_of(value, wanted),
        "prefix" => value.starts_with(text),
        "suffix" => value.ends_with(text),
        "contains" => contains(value, text),
        "lt" => order() == Some(Ordering::Less),
        "le" => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        "gt" => order() == Some(Ordering::Greater),
        "ge" => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        _ => false,
    }
}

/// A list contains an element, a text a part of it.
fn contains(value: &str, wanted: &str) -> bool {
    if value.starts_with('[')
        && let Ok(list) = Json::read(value)
    {
        let elements = list.elements().iter();
        return elements
            .filter_map(Json::scalar)
            .any(|element| element == wanted);
    }
    value.contains(wanted)
}

#[cfg(test)]
mod tests {
    use super::{Json, Subject, unmet};

    /// What a webhook with these parts holds.
    #[expect(clippy::unnecessary_wraps, reason = "the form of a finder")]
    fn find(subject: Subject<'_>) -> Result<Option<String>, String> {
        let value = match subject {
            Subject::Json("/action") => "opened",
            Subject::Json("/amount") => "250",
            Subject::Json("/labels") => r#"["bug","p1",3]"#,
            Subject::Json("/flag") => "true",
            Subject::Json("/nothing") => "null",
            Subject::Header("x-tenant") => "acme-eu",
            Subject::Query("dry") => "1",
            Subject::Note("event") => "issues",
            _ => return Ok(None),
        };
        Ok(Some(value.into()))
    }

    fn reason(condition: &str) -> Option<String> {
        unmet(&Json::read(condition).unwrap(), &find).unwrap()
    }

    #[test]
    fn each_test_has_what_it_takes_and_what_it_refuses() {
        for (takes, refuses) in [
            (
                r#"{"json":"/action","eq":"opened"}"#,
                r#"{"json":"/action","eq":"open"}"#,
            ),
            (
                r#"{"json":"/action","ne":"closed"}"#,
                r#"{"json":"/action","ne":"opened"}"#,
            ),
            (
                r#"{"json":"/action","in":["a","open*"]}"#,
                r#"{"json":"/action","in":["a","Open*"]}"#,
            ),
            (
                r#"{"header":"x-tenant","prefix":"acme-"}"#,
                r#"{"header":"x-tenant","prefix":"cme"}"#,
            ),
            (
                r#"{"header":"x-tenant","suffix":"-eu"}"#,
                r#"{"header":"x-tenant","suffix":"-e"}"#,
            ),
            (
                r#"{"header":"x-tenant","contains":"me-e"}"#,
                r#"{"header":"x-tenant","contains":"us"}"#,
            ),
            (
                r#"{"json":"/labels","contains":"bug"}"#,
                r#"{"json":"/labels","contains":"bu"}"#,
            ),
            (
                r#"{"json":"/labels","contains":3}"#,
                r#"{"json":"/labels","contains":"3\""}"#,
            ),
            (
                r#"{"json":"/amount","lt":251}"#,
                r#"{"json":"/amount","lt":250}"#,
            ),
            (
                r#"{"json":"/amount","le":250}"#,
                r#"{"json":"/amount","le":249.9}"#,
            ),
            (
                r#"{"json":"/amount","gt":99}"#,
                r#"{"json":"/amount","gt":250}"#,
            ),
            (
                r#"{"json":"/amount","ge":250}"#,
                r#"{"json":"/amount","ge":1e3}"#,
            ),
            (
                r#"{"json":"/amount","ge":100,"lt":1000}"#,
                r#"{"json":"/amount","ge":100,"lt":200}"#,
            ),
            (
                r#"{"json":"/flag","eq":true}"#,
                r#"{"json":"/flag","eq":false}"#,
            ),
            (r#"{"query":"dry","eq":1}"#, r#"{"query":"wet","eq":1}"#),
            (
                r#"{"note":"event","eq":"issues"}"#,
                r#"{"note":"events","eq":"issues"}"#,
            ),
            (
                r#"{"query":"dry","exists":true}"#,
                r#"{"query":"dry","exists":false}"#,
            ),
            (
                r#"{"json":"/none","exists":false}"#,
                r#"{"json":"/none","exists":true}"#,
            ),
            (
                r#"{"json":"/nothing","exists":true}"#,
                r#"{"json":"/nothing","exists":false}"#,
            ),
        ] {
            assert_eq!(reason(takes), None, "{takes}");
            assert!(reason(refuses).is_some(), "{refuses}");
        }
    }

    #[test]
    fn what_is_absent_or_no_number_passes_no_test() {
        for condition in [
            r#"{"json":"/none","ne":"x"}"#,
            r#"{"json":"/none","lt":1}"#,
            r#"{"json":"/action","lt":1}"#,
            r#"{"json":"/action","ge":0}"#,
        ] {
            assert!(reason(condition).is_some(), "{condition}");
        }
    }

    #[test]
    fn conditions_combine() {
        let yes = r#"{"json":"/action","eq":"opened"}"#;
        let no = r#"{"json":"/amount","gt":1000}"#;
        for (condition, holds) in [
            (format!(r#"{{"all":[{yes},{yes}]}}"#), true),
            (format!(r#"{{"all":[{yes},{no}]}}"#), false),
            (format!(r#"{{"any":[{no},{yes}]}}"#), true),
            (format!(r#"{{"any":[{no},{no}]}}"#), false),
            (format!(r#"{{"not":{no}}}"#), true),
            (format!(r#"{{"not":{yes}}}"#), false),
            (
                format!(r#"{{"all":[{{"any":[{no},{{"not":{no}}}]}},{yes}]}}"#),
                true,
            ),
        ] {
            assert_eq!(reason(&condition).is_none(), holds, "{condition}");
        }
    }

    #[test]
    fn a_reason_names_the_place_and_hides_what_may_be_a_credential() {
        assert_eq!(
            reason(r#"{"all":[{"json":"/amount","gt":1000}]}"#).unwrap(),
            "`/amount` is `250`, which fails `gt`"
        );
        assert_eq!(
            reason(r#"{"header":"x-tenant","eq":"x"}"#).unwrap(),
            "the header `x-tenant` fails `eq`"
        );
        assert_eq!(
            reason(r#"{"any":[{"query":"q","eq":"x"}]}"#).unwrap(),
            "none of `any` holds; of the first, the query parameter `q` is absent"
        );
    }

    #[test]
    fn what_cannot_be_judged_is_an_error_and_what_need_not_be_is_not_asked() {
        let broken = |subject: Subject<'_>| match subject {
            Subject::Json(_) => Err("no JSON".to_owned()),
            _ => Ok(Some("x".to_owned())),
        };
        let of = |text: &str| unmet(&Json::read(text).unwrap(), &broken);
        let (header, json) = (
            r#"{"header":"h","eq":"x"}"#,
            r#"{"json":"/a","exists":false}"#,
        );
        assert_eq!(of(json), Err("no JSON".into()));
        assert_eq!(of(&format!(r#"{{"not":{json}}}"#)), Err("no JSON".into()));
        assert_eq!(of(&format!(r#"{{"any":[{header},{json}]}}"#)), Ok(None));
    }
}
