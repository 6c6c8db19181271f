//! What operators asked for, on record: who, from where, about what, and what came of it.

use std::net::IpAddr;

use tracing::info;

use super::metrics::Telemetry;

/// An operator asked for something, and it was done. A field is its name.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "as with all events: the variant says what it is about"
)]
pub enum OperatorEvent<'a> {
    /// Dead letters wait for an attempt again; `kept` found no room.
    Replayed {
        by: Operator<'a>,
        /// Which ones were meant.
        which: &'a str,
        /// Another upstream than theirs.
        to: Option<&'a str>,
        replayed: usize,
        kept: usize,
    },
    /// Dead letters were forgotten.
    Discarded {
        by: Operator<'a>,
        /// Which ones were meant.
        which: &'a str,
        discarded: usize,
    },
    /// Deliveries that waited are due now.
    Hurried {
        by: Operator<'a>,
        /// Which ones were meant.
        which: &'a str,
        /// Another upstream than theirs.
        to: Option<&'a str>,
        hurried: usize,
    },
    /// Deliveries that waited were discarded; those in flight are attempted no more.
    Withdrawn {
        by: Operator<'a>,
        /// Which ones were meant.
        which: &'a str,
        discarded: usize,
        in_flight: usize,
    },
    /// The configuration is to be loaded anew; what came of it is an event of its own.
    ReloadAsked { by: Operator<'a> },
}

/// Who asked.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a> {
    /// Where the question came from.
    pub address: IpAddr,
    /// The name that was given with the token, if one was.
    pub name: Option<&'a str>,
}

impl Telemetry {
    pub(super) fn tell_of_operator(&self, event: &OperatorEvent<'_>) {
        match *event {
            OperatorEvent::Replayed {
                by: Operator { address, name },
                which,
                to,
                replayed,
                kept,
            } => {
                info!(target: "hookgate", operator = name, from = %address, which, to, replayed, kept,
                    "dead letters replayed");
            }
            OperatorEvent::Discarded {
                by: Operator { address, name },
                which,
                discarded,
            } => {
                info!(target: "hookgate", operator = name, from = %address, which, discarded,
                    "dead letters discarded");
            }
            OperatorEvent::Hurried {
                by: Operator { address, name },
                which,
                to,
                hurried,
            } => {
                info!(target: "hookgate", operator = name, from = %address, which, to, hurried,
                    "waiting deliveries hurried");
            }
            OperatorEvent::Withdrawn {
                by: Operator { address, name },
                which,
                discarded,
                in_flight,
            } => {
                info!(target: "hookgate", operator = name, from = %address, which, discarded, in_flight,
                    "waiting deliveries discarded");
            }
            OperatorEvent::ReloadAsked {
                by: Operator { address, name },
            } => {
                info!(target: "hookgate", operator = name, from = %address, "reload asked for");
            }
        }
    }
}
