//! The bundled plugin `split`: one delivery for each element of a batch. The bytes of the elements stay
//! in the host; a delivery is a range of the body. All are taken, or none is and the sender is told to
//! try again.

pub mod check;

mod make;

hookgate_sdk::stage!(
    transform: make::make,
    check: check::check,
    describe: include_str!("describe.json"),
);
