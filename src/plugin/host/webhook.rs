//! `webhook`: the facts, the bytes, the JSON and the notes of the webhook at hand.

use std::sync::Arc;

use wasmtime::Result;

use super::{Guest, Note, query};
use crate::plugin::budget::{Breach, NOTE_BYTES_MAX, NOTES_MAX};
use crate::plugin::contract::types;
use crate::plugin::contract::webhook::{Host, WebhookInfo};
use crate::plugin::json;

impl types::Host for Guest {}

impl Host for Guest {
    fn info(&mut self) -> Result<WebhookInfo> {
        let webhook = &self.case.webhook;
        Ok(WebhookInfo {
            id: webhook.id.to_string(),
            route: webhook.route.as_ref().into(),
            method: webhook.method.as_str().into(),
            path: webhook.target.path().into(),
            query: webhook.target.query().map(Into::into),
            received_at_ms: webhook.arrival.unix_ms(),
            sender: webhook.sender.to_string(),
            public_url: webhook.public_url.as_deref().map(Into::into),
            body_length: u32::try_from(webhook.body.len()).unwrap_or(u32::MAX),
        })
    }

    fn header(&mut self, name: String) -> Result<Option<String>> {
        let value = self.case.webhook.fields.first(&name);
        Ok(value
            .and_then(|value| std::str::from_utf8(value).ok())
            .map(Into::into))
    }

    fn received_at_ms(&mut self) -> Result<u64> {
        Ok(self.case.webhook.arrival.unix_ms())
    }

    fn only_header(&mut self, name: String) -> Result<Option<String>> {
        let mut values = self.case.webhook.fields.all(&name);
        Ok(match (values.next(), values.next()) {
            (Some(only), None) => std::str::from_utf8(only).ok().map(Into::into),
            _ => None,
        })
    }

    fn header_values(&mut self, name: String) -> Result<Vec<Vec<u8>>> {
        Ok(self
            .case
            .webhook
            .fields
            .all(&name)
            .map(<[u8]>::to_vec)
            .collect())
    }

    fn headers(&mut self) -> Result<Vec<(String, Vec<u8>)>> {
        let fields = self.case.webhook.fields.iter();
        Ok(fields
            .map(|(name, value)| (name.into(), value.to_vec()))
            .collect())
    }

    fn query_param(&mut self, name: String) -> Result<Option<String>> {
        let query = self.case.webhook.target.query().unwrap_or_default();
        Ok(query::first(query, &name))
    }

    fn body(&mut self) -> Result<Vec<u8>> {
        let body = &self.case.webhook.body;
        self.budget.work(body.len())?;
        Ok(body.to_vec())
    }

    fn body_text(&mut self) -> Result<Option<String>> {
        let body = &self.case.webhook.body;
        self.budget.work(body.len())?;
        Ok(std::str::from_utf8(body).ok().map(Into::into))
    }

    fn body_range(&mut self, offset: u32, length: u32) -> Result<Vec<u8>> {
        let body = &self.case.webhook.body;
        let start = body.len().min(usize::try_from(offset)?);
        let end = body
            .len()
            .min(start.saturating_add(usize::try_from(length)?));
        self.budget.work(end - start)?;
        Ok(body.get(start..end).unwrap_or_default().to_vec())
    }

    fn json(&mut self, pointer: String) -> Result<Option<String>> {
        Ok(self
            .text()?
            .and_then(|text| json::read(text, &pointer))
            .map(Into::into))
    }

    fn json_string(&mut self, pointer: String) -> Result<Option<String>> {
        Ok(self
            .text()?
            .and_then(|text| json::read_string(text, &pointer)))
    }

    fn json_values(&mut self, pointers: Vec<String>) -> Result<Vec<Option<String>>> {
        let case = Arc::clone(&self.case);
        let body = &case.webhook.body;
        // Each may make the walk longer.
        self.budget
            .work(body.len().saturating_mul(pointers.len()))?;
        let found = match case.json.get() {
            Some(true) => Some(json::values(std::str::from_utf8(body)?, &pointers)),
            Some(false) => None,
            None => {
                let found = json::check_and_values(body, &pointers);
                case.json.get_or_init(|| found.is_some());
                found
            }
        };
        Ok(found.unwrap_or_else(|| vec![None; pointers.len()]))
    }

    fn json_array_slices(&mut self, pointer: String) -> Result<Option<Vec<(u32, u32)>>> {
        let Some(slices) = self.text()?.and_then(|text| json::slices(text, &pointer)) else {
            return Ok(None);
        };
        let slices = slices
            .into_iter()
            .map(|slice| Ok((u32::try_from(slice.start)?, u32::try_from(slice.len())?)));
        Ok(Some(slices.collect::<Result<_>>()?))
    }

    fn note(&mut self, key: String) -> Result<Option<String>> {
        if let Some(note) = self.notes.iter().rev().find(|note| *note.key == *key) {
            return Ok(Some(note.value.as_ref().into()));
        }
        Ok(self.case.note(&key).map(Into::into))
    }

    fn set_note(&mut self, key: String, value: String) -> Result<()> {
        let bytes = key.len() + value.len();
        if bytes > NOTE_BYTES_MAX {
            let text = format!("left a note of {bytes} bytes; {NOTE_BYTES_MAX} are the most");
            return Err(Breach::new(text).into());
        }
        self.budget.output(bytes)?;
        let (key, value) = (key.into_boxed_str(), value.into_boxed_str());
        if let Some(note) = self.notes.iter_mut().find(|note| note.key == key) {
            note.value = value;
        } else if self.notes.len() < NOTES_MAX {
            self.notes.push(Note { key, value });
        } else {
            return Err(Breach::new(format!("left more than {NOTES_MAX} notes")).into());
        }
        Ok(())
    }
}

impl Guest {
    /// The body as checked JSON text; each reading of it is charged.
    fn text(&mut self) -> Result<Option<&str>> {
        let body = &self.case.webhook.body;
        self.budget.work(body.len())?;
        let is_json = *self.case.json.get_or_init(|| json::check(body).is_some());
        Ok(if is_json {
            std::str::from_utf8(body).ok()
        } else {
            None
        })
    }
}
