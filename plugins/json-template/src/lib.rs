//! The bundled plugin `json-template`: one delivery with a JSON body made from parts of the
//! webhook. The body in the configuration is JSON itself; its strings are templates, and what is put
//! into them is escaped for the place where it lands (`render`, `path`), so a sender cannot break out
//! of a string, a header or a path segment.

pub mod check;
pub mod path;
pub mod render;

mod make;

hookgate_sdk::stage!(
    transform: make::make,
    check: check::check,
    describe: include_str!("describe.json"),
);
