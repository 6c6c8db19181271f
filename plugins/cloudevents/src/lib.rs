//! The bundled plugin `cloudevents`: one delivery that is a CloudEvent 1.0. In the binary mode the body
//! stays as it is and the attributes are headers; in the structured mode both are in one JSON document
//! (`envelope`). The attributes are templates over the webhook (`attributes`).

pub mod attributes;
pub mod check;
pub mod envelope;
pub mod time;

mod make;

hookgate_sdk::stage!(
    transform: make::make,
    check: check::check,
    describe: include_str!("describe.json"),
);
