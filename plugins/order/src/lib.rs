//! The bundled plugin `order`: webhooks about the same thing (an invoice, a pull request) are delivered in
//! the order in which they were accepted, each after the one before has ended. What is the same thing says
//! a header, or a value of the JSON body.

pub mod check;

mod make;

hookgate_sdk::stage!(
    transform: make::make,
    check: check::check,
    describe: include_str!("describe.json"),
);
