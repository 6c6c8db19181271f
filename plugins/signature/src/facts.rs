//! What the slots of a template say about this webhook.

use std::borrow::Cow;
use std::cell::OnceCell;

use hookgate_sdk::crypto;
use hookgate_sdk::json::escape_into;
use hookgate_sdk::webhook::{self, WebhookInfo};

use crate::body::Body;
use crate::form;
use crate::header::only_item;
use crate::judge::Stop;
use crate::message::{self, Part};
use crate::place;
use crate::scheme::{Condition, Listed, Place, Scheme, Test};

/// Headers that a sender may list as signed. Each is a call to the host before anything is known of
/// the sender; those who list any list two or three.
const MAX_LISTED: usize = 32;

/// How a text is put into a template.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escape {
    /// As it is.
    None,
    /// As the inside of a JSON string.
    Json,
}

/// What is known of one webhook, or of one element of its body.
pub(crate) struct Facts<'a> {
    pub(crate) scheme: &'a Scheme<'a>,
    pub(crate) body: Body<'a>,
    /// As received.
    pub(crate) timestamp: Option<String>,
    /// The URL as it may have been signed, when it is not simply the route's.
    pub(crate) url: Option<String>,
    /// The MAC of a handshake's answer.
    pub(crate) mac: Option<String>,
    info: OnceCell<WebhookInfo>,
}

impl<'a> Facts<'a> {
    /// `document` is where the body's text is kept.
    pub(crate) fn new(scheme: &'a Scheme<'a>, document: &'a OnceCell<String>) -> Self {
        Self {
            scheme,
            body: Body::new(scheme, document),
            timestamp: None,
            url: None,
            mac: None,
            info: OnceCell::new(),
        }
    }

    pub(crate) fn info(&self) -> &WebhookInfo {
        self.info.get_or_init(webhook::info)
    }

    /// The URL under which the sender knows the route.
    pub(crate) fn public_url(&self) -> Result<&str, Stop> {
        self.info()
            .public_url
            .as_deref()
            .ok_or_else(|| Stop::permanent("`signed` names the url: set `public_url` of the route"))
    }

    /// Whether all of them hold.
    pub(crate) fn hold(&self, conditions: &[Condition<'a>]) -> Result<bool, Stop> {
        for condition in conditions {
            if !self.holds(condition)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Passes when all of them hold.
    pub(crate) fn require(&self, conditions: &[Condition<'a>]) -> Result<(), Stop> {
        for condition in conditions {
            if !self.holds(condition)? {
                return Err(Stop::Reject(format!(
                    "{} is not what it has to be",
                    condition.place
                )));
            }
        }
        Ok(())
    }

    fn holds(&self, condition: &Condition<'a>) -> Result<bool, Stop> {
        if let (Place::Method, Test::Equals(method)) = (condition.place, condition.test) {
            return Ok(self.info().method == method);
        }
        let Some(text) = place::text(condition.place, &self.body) else {
            return Ok(false);
        };
        Ok(match condition.test {
            Test::Present => true,
            Test::Host(pattern) => place::is_of_host(&text, pattern),
            Test::Equals(template) => text == self.render(template, Escape::None)?,
        })
    }

    /// The template with its slots filled.
    pub(crate) fn render(&self, template: &str, escape: Escape) -> Result<String, Stop> {
        let mut out = String::new();
        for part in message::parts(template) {
            let part = part.map_err(|_| Stop::permanent("a template is wrong"))?;
            let text = self
                .text(part)?
                .ok_or_else(|| Stop::permanent("a template that is not signed names the body"))?;
            match (part, escape) {
                (Part::Text(_), _) | (_, Escape::None) => out.push_str(&text),
                (_, Escape::Json) => escape_into(&mut out, &text),
            }
        }
        Ok(out)
    }

    /// The parts of the signed message: texts, and none where the body stands.
    pub(crate) fn message<'f>(&'f self, signed: &'f str) -> Result<Message<'f>, Stop> {
        let mut message = Vec::with_capacity(8);
        for part in message::parts(signed) {
            let part =
                part.map_err(|_| Stop::permanent("`signed` is wrong in the configuration"))?;
            message.push(self.text(part)?);
        }
        Ok(message)
    }

    /// What a part says; none for the body, which stays in the host.
    fn text<'f>(&'f self, part: Part<'f>) -> Result<Option<Cow<'f, str>>, Stop> {
        Ok(Some(match part {
            Part::Body => return Ok(None),
            Part::Text(text) => text.into(),
            Part::Timestamp => known(
                self.timestamp.as_deref(),
                "`{timestamp}` is used and the configuration has none",
            )?,
            Part::Mac => known(
                self.mac.as_deref(),
                "`{mac}` is used and the configuration has none",
            )?,
            Part::Value(name) => known(
                self.scheme.value(name),
                "`{value:NAME}` is used and `values` has no such name",
            )?,
            Part::Method => self.info().method.as_str().into(),
            Part::Path => self.info().path.as_str().into(),
            Part::Url => {
                let url = match &self.url {
                    Some(url) => url,
                    None => self.public_url()?,
                };
                self.decoded(url.into())
            }
            Part::RawQuery => self.decoded(match &self.info().query {
                Some(query) => ["?", query].concat().into(),
                None => "".into(),
            }),
            Part::EscapedQuery => match self.info().query.as_deref() {
                Some(query) if !query.is_empty() => {
                    ["?", &form::escape_twice(query)].concat().into()
                }
                _ => "".into(),
            },
            Part::Header(name) => place::header(name, &self.body)
                .map_err(Stop::reject)?
                .into(),
            Part::Query(name) => self.required(Place::Query(name))?,
            Part::Json(pointer) => self.required(Place::Pointer(pointer))?,
            Part::Maybe(pointer) => self.body.text(pointer).unwrap_or_default().into(),
            Part::Form => webhook::body_text()
                .and_then(|body| form::canonical(&body))
                .ok_or_else(|| Stop::reject("the form is not text"))?
                .into(),
            Part::Lines(names) => self.body.lines(names).into(),
            Part::Listed => match &self.scheme.listed {
                Some(listed) => self.listed(listed)?.into(),
                None => return Err(Stop::permanent("`{listed}` is used without `listed`")),
            },
            Part::ListedNames => match &self.scheme.listed {
                Some(listed) => self.names(listed)?.into(),
                None => return Err(Stop::permanent("`{listed-names}` is used without `listed`")),
            },
            Part::Crc32 => {
                let digits = digest("crc32")?;
                let digits = digits.chars().filter_map(|digit| digit.to_digit(16));
                let sum = digits.fold(0_u32, |sum, digit| sum << 4 | digit);
                sum.to_string().into()
            }
            Part::Sha256 => digest("sha256")?.into(),
        }))
    }

    #[inline(never)]
    fn required(&self, place: Place<'_>) -> Result<Cow<'_, str>, Stop> {
        place::text(place, &self.body)
            .map(Cow::Owned)
            .ok_or_else(|| Stop::Reject(format!("{place} is absent")))
    }

    #[inline(never)]
    fn decoded<'f>(&self, url: Cow<'f, str>) -> Cow<'f, str> {
        match self.scheme.url_decode {
            "" => url,
            plain => form::undo_escapes(&url, plain).into(),
        }
    }

    /// The names that the sender lists as signed, as it wrote them.
    #[inline(never)]
    fn names(&self, listed: &Listed<'_>) -> Result<String, Stop> {
        let lines = place::lines(&listed.source, &self.body).map_err(Stop::reject)?;
        let names = only_item(&listed.source, &lines).map_err(Stop::reject)?;
        Ok(names.to_owned())
    }

    /// The values of the headers that the sender lists. The time of signing has to be one of them,
    /// unless it stands elsewhere in the message.
    fn listed(&self, listed: &Listed<'_>) -> Result<String, Stop> {
        let names = self.names(listed)?;
        let mut out = String::new();
        let time = self.scheme.timestamp.as_ref().map(|time| time.source.place);
        let mut timed =
            message::parts(self.scheme.how.signed).any(|part| part == Ok(Part::Timestamp));
        for (index, name) in names.split(listed.split).enumerate() {
            if index == MAX_LISTED {
                return Err(Stop::reject("too many headers are listed as signed"));
            }
            if index > 0 {
                out.push_str(listed.join);
            }
            if listed.named {
                out.push_str(name);
                out.push(':');
            }
            timed |= matches!(time, Some(Place::Header(time)) if time.eq_ignore_ascii_case(name));
            out.push_str(&place::header(name, &self.body).map_err(Stop::reject)?);
        }
        if time.is_some() && !timed {
            return Err(Stop::reject("the timestamp is not listed as signed"));
        }
        Ok(out)
    }
}

/// The parts of a signed message; none stands for the body.
pub(crate) type Message<'f> = Vec<Option<Cow<'f, str>>>;

#[inline(never)]
fn known<'f>(text: Option<&'f str>, problem: &str) -> Result<Cow<'f, str>, Stop> {
    text.map(Cow::Borrowed)
        .ok_or_else(|| Stop::permanent(problem))
}

#[inline(never)]
fn digest(algorithm: &str) -> Result<String, Stop> {
    crypto::digest(algorithm, &[crypto::Part::Body], crypto::Encoding::Hex)
        .map_err(|_| Stop::permanent("the host has no such digest"))
}
