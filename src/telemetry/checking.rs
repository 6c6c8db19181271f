//! A signature that was checked: for who explains, never for the log or the metrics.

use super::meters::PluginMeters;

/// What was checked, and what came of it: never a key, never a MAC that was computed.
#[derive(Clone, Copy, Debug)]
pub struct Checking<'a> {
    /// Who asked.
    pub plugin: &'a PluginMeters,
    /// The name of the key.
    pub key: &'a str,
    /// As in the contract.
    pub algorithm: &'a str,
    /// What was signed, in order.
    pub message: &'a [Signed<'a>],
    /// As received.
    pub signature: &'a str,
    /// How it is written.
    pub encoding: &'static str,
    /// What came of it.
    pub checked: Checked<'a>,
}

/// One piece of a signed message.
#[derive(Clone, Copy, Debug)]
pub enum Signed<'a> {
    /// Given by the plugin.
    Given(&'a [u8]),
    /// The first value of a header field.
    Header(&'a str, &'a [u8]),
    /// The body as received.
    Body(&'a [u8]),
}

/// What became of a signature.
#[derive(Clone, Copy, Debug)]
pub enum Checked<'a> {
    /// Made by the key of this label.
    Matches(&'a str),
    /// Made by none of so many keys.
    MatchesNone(usize),
    /// Not checked: the word of the contract's error.
    Impossible(&'static str),
}
