//! The neighbours of a gate: its process, its senders, its upstreams, its certificates.

mod certs;
mod gate;
mod sender;
mod upstream;

pub use certs::Authority;
pub use gate::Gate;
pub use sender::{Answer, Call, github};
pub use upstream::{Act, Received, Upstream};
