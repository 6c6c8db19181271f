//! The bundled plugin `dedupe`: what a sender sends again is delivered once. The key is a header, a
//! value of the JSON body or a digest; the host remembers it together with the acceptance and never
//! before, so a repeat of what failed is delivered.

pub mod check;
pub mod key;

mod make;

hookgate_sdk::stage!(
    transform: make::make,
    check: check::check,
    describe: include_str!("describe.json"),
);
