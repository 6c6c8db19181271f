//! The bundled plugin `token`: does the sender know a shared secret? It is the value of a header, with
//! or without a prefix such as `Bearer `, or of a query parameter, and the host compares it in constant
//! time with every active key. It proves who calls and not what was said: where a provider can sign,
//! `signature` is better.

pub mod check;

mod judge;

hookgate_sdk::stage!(
    verify: judge::judge,
    check: check::check,
    describe: include_str!("describe.json"),
);
