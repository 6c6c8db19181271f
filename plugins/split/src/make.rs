//! The deliveries, from the configuration and the webhook.

use hookgate_sdk::deliveries::Delivery;
use hookgate_sdk::json::{self, Json};
use hookgate_sdk::transform::Failure;
use hookgate_sdk::{body_is_json, header, span, webhook};

use crate::check::ELEMENTS_MAX;

/// The longest id that is believed: the host's bound of a key.
const ID_BYTES_MAX: usize = 1 << 10;

/// The deliveries under the configuration: none for an empty batch.
pub(crate) fn make(table: &Json<'_>) -> Result<Vec<Delivery>, Failure> {
    let plan = Plan::read(table)?;
    let Some(slices) = webhook::json_array_slices(plan.at) else {
        return Err(Failure::Permanent(match (body_is_json(), plan.at) {
            (false, _) => "the body is not JSON, so it has no list".into(),
            (true, "") => "the body is no list".into(),
            (true, at) => format!("there is no list at `{at}`"),
        }));
    };
    if u64::try_from(slices.len()).is_ok_and(|count| count > plan.max) {
        let count = slices.len();
        let text = format!("a batch of {count}; {} are the most (`max`)", plan.max);
        return Err(Failure::Permanent(text));
    }
    // Asked once for all: a thousand elements are a thousand calls of the host for each thing asked.
    let batch = webhook::info().id;
    let body = plan.pointer.and_then(|_| webhook::body_text());
    let is_json = webhook::header("content-type")
        .is_some_and(|media_type| media_type.starts_with("application/json"));
    let deliver = |(index, (offset, length))| {
        let delivery = Delivery::new();
        delivery.set_body_slice(offset, length);
        if !is_json {
            delivery.set_header("content-type", "application/json");
        }
        let element = body.as_deref().and_then(|body| slice(body, offset, length));
        plan.name(&delivery, element, &batch, index);
        delivery
    };
    Ok(slices.into_iter().enumerate().map(deliver).collect())
}

fn slice(body: &str, offset: u32, length: u32) -> Option<&str> {
    let start = usize::try_from(offset).ok()?;
    body.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

/// The configuration, as meant.
struct Plan<'a> {
    at: &'a str,
    max: u64,
    header: Option<&'a str>,
    pointer: Option<&'a str>,
    /// Seconds for which an element's own id is remembered.
    dedupe: Option<u32>,
}

impl<'a> Plan<'a> {
    fn read(table: &'a Json<'_>) -> Result<Self, Failure> {
        let wrong =
            |name: &str| Failure::Permanent(format!("`{name}` is wrong in the configuration"));
        let id = table.get("id");
        let text = |name| id.and_then(|id| id.get(name)).and_then(Json::as_text);
        let dedupe = match table.get("dedupe") {
            None => None,
            Some(text) => Some(
                text.as_text()
                    .and_then(span::seconds)
                    .and_then(|seconds| u32::try_from(seconds).ok())
                    .ok_or_else(|| wrong("dedupe"))?,
            ),
        };
        let max = match table.get("max") {
            None => ELEMENTS_MAX,
            Some(max) => max.as_u64().ok_or_else(|| wrong("max"))?,
        };
        Ok(Self {
            at: table.get("at").and_then(Json::as_text).unwrap_or_default(),
            max,
            header: text("header"),
            pointer: text("pointer"),
            dedupe,
        })
    }

    /// Says which element this is: by its own id, else by its place in the batch. Only its own id is the
    /// same when the sender sends the batch again, so only that is a key.
    fn name(&self, delivery: &Delivery, element: Option<&str>, batch: &str, index: usize) {
        let own = self.pointer.zip(element).and_then(|(pointer, element)| {
            let id = json::find_text(element, pointer)?;
            (id != "null" && !id.is_empty() && id.len() <= ID_BYTES_MAX && header::fits(&id))
                .then_some(id)
        });
        if let (Some(id), Some(seconds)) = (&own, self.dedupe) {
            delivery.set_dedupe_key(id, seconds);
        }
        if let Some(name) = self.header {
            delivery.set_header(name, &own.unwrap_or_else(|| format!("{batch}-{index}")));
        }
    }
}
