//! The bundled plugin `jwt`: did the sender come with a token (RFC 7519) that one of our keys signed,
//! for us, and not long ago? Where the token has a digest of the body (Plaid, Netlify), it must be the
//! body's.
//!
//! The configuration says which algorithm there is; a token that names another one is refused and never
//! obeyed (RFC 8725, section 3.1). Keys are in the configuration, by the name that the token gives (`kid`)
//! or all of them; a token's own key, or its URL of one, is never looked at.

pub mod check;
pub mod claims;
pub mod rules;
pub mod token;

mod judge;

hookgate_sdk::stage!(
    verify: judge::judge,
    check: check::check,
    describe: include_str!("describe.json"),
);
