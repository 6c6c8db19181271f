//! The bundled plugin `standard-sign`: the upstream gets Standard Webhooks, whoever the sender is, and so
//! an application verifies one scheme only. The host signs when an attempt is made, so the timestamp is
//! fresh however often it is tried; neither key nor signature is ever in here.

pub mod check;

mod make;

hookgate_sdk::stage!(
    transform: make::make,
    check: check::check,
    describe: include_str!("describe.json"),
);
