//! What a stage said, checked: a guest's numbers, names and sizes become ours or a fault.

use bytes::Bytes;
use http::StatusCode;
use wasmtime::component::Resource;

use super::budget::DELIVERIES_MAX;
use super::contract::types::{self, Rejection};
use super::contract::{filter, verify};
use super::failure::{Fault, WORDS_MAX, quote, size};
use super::field;
use super::host::Draft;
use super::{FailureKind, RESPONSE_BYTES_MAX, Response};
use crate::webhook::Overlay;

/// Fields of an answer to a sender; handshakes need two or three.
const RESPONSE_FIELDS_MAX: usize = 32;
/// Names and values of these fields together.
const RESPONSE_FIELD_BYTES_MAX: usize = 8 << 10;
/// For a rejection whose status is no refusal.
const REFUSED: u16 = 403;

/// One stage's say.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Accept or forward.
    Onward,
    Drop(String),
    Reject {
        status: u16,
        reason: String,
    },
    Respond(Response),
    Deliver(Vec<Overlay>),
}

impl Answer {
    pub(super) fn of_verify(said: Result<verify::Verdict, types::Failure>) -> Result<Self, Fault> {
        match said.map_err(own_words)? {
            verify::Verdict::Accept => Ok(Self::Onward),
            verify::Verdict::Reject(rejection) => Ok(Self::of_rejection(rejection)),
            verify::Verdict::Respond(response) => Ok(Self::Respond(sanitise(response)?)),
        }
    }

    pub(super) fn of_filter(said: Result<filter::Verdict, types::Failure>) -> Result<Self, Fault> {
        match said.map_err(own_words)? {
            filter::Verdict::Forward => Ok(Self::Onward),
            filter::Verdict::Drop(reason) => Ok(Self::Drop(shorten(reason))),
            filter::Verdict::Reject(rejection) => Ok(Self::of_rejection(rejection)),
            filter::Verdict::Respond(response) => Ok(Self::Respond(sanitise(response)?)),
        }
    }

    pub(super) fn of_transform(
        said: Result<Vec<Resource<Draft>>, types::Failure>,
        take: impl FnMut(Resource<Draft>) -> wasmtime::Result<Overlay>,
    ) -> Result<Self, Fault> {
        let drafts = said.map_err(own_words)?;
        if drafts.len() > DELIVERIES_MAX {
            return Err(output(format!(
                "it returned more than {DELIVERIES_MAX} deliveries"
            )));
        }
        let overlays: wasmtime::Result<Vec<Overlay>> = drafts.into_iter().map(take).collect();
        overlays
            .map(Self::Deliver)
            .map_err(|error| output(format!("it returned a delivery that is none: {error}")))
    }

    fn of_rejection(rejection: Rejection) -> Self {
        let refuses = (400..=499).contains(&rejection.status);
        let status = if refuses { rejection.status } else { REFUSED };
        Self::Reject {
            status,
            reason: shorten(rejection.reason),
        }
    }
}

fn own_words(failure: types::Failure) -> Fault {
    match failure {
        types::Failure::Temporary(words) => {
            let detail = format!("it asks for a later attempt: {}", quote(&words));
            Fault::new(FailureKind::Temporary, detail)
        }
        types::Failure::Permanent(words) => {
            let detail = format!("it cannot handle this webhook: {}", quote(&words));
            Fault::new(FailureKind::Permanent, detail)
        }
    }
}

fn sanitise(response: types::Response) -> Result<Response, Fault> {
    let types::Response {
        status,
        headers,
        body,
    } = response;
    let (Ok(status), 200..=599) = (StatusCode::from_u16(status), status) else {
        return Err(output(format!(
            "it answered with status {status}; 200 to 599 are allowed"
        )));
    };
    if body.len() > RESPONSE_BYTES_MAX {
        let (is, may) = (body.len(), size(RESPONSE_BYTES_MAX));
        return Err(output(format!(
            "it answered with {is} bytes; {may} are the most"
        )));
    }
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if headers.len() > RESPONSE_FIELDS_MAX || bytes > RESPONSE_FIELD_BYTES_MAX {
        return Err(output(format!(
            "it answered with {} header fields of {bytes} bytes; {RESPONSE_FIELDS_MAX} and {} are the most",
            headers.len(),
            size(RESPONSE_FIELD_BYTES_MAX)
        )));
    }
    let mut fields = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let breach = |breach| output(format!("it {breach}"));
        let name = field::name(&name).map_err(breach)?;
        if !field::is_ours(&name) {
            let value = field::value(&name, value).map_err(breach)?;
            fields.push((name, value));
        }
    }
    Ok(Response {
        status,
        fields,
        body: Bytes::from(body),
    })
}

fn output(detail: String) -> Fault {
    Fault::new(FailureKind::Output, detail)
}

/// A reason is for a log line.
fn shorten(reason: String) -> String {
    match reason.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => reason.get(..end).unwrap_or_default().into(),
        None => reason,
    }
}
