//! The bundled plugin `basic-auth`: does the sender know a name and its password (RFC 7617)? The host
//! compares the password in constant time with every active key of that name; for a name that nobody has
//! it compares as well, so that time does not tell which names there are.

pub mod check;
pub mod credentials;

mod judge;

hookgate_sdk::stage!(
    verify: judge::judge,
    check: check::check,
    describe: include_str!("describe.json"),
);
