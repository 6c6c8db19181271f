//! The neighbours of a gate: its process, its senders, its upstreams, its certificates, its guests.

mod certs;
mod disk;
pub mod frames;
mod gate;
mod guest;
mod h2;
mod sender;
mod streams;
mod tool;
mod upstream;
pub mod webhooks;

pub use certs::{Authority, acceptor, params};
pub use disk::Disk;
pub use gate::{Gate, cache, check, folder, free_port, passing};
pub use guest::guest;
pub use h2::H2;
pub use sender::{Answer, Call, Connection, base64, github, hex, mac};
pub use streams::Streams;
pub use tool::{Said, tool};
pub use upstream::{Absent, Act, Received, Upstream};

use std::time::Duration;

/// A test that waits longer than this waits for something that does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A route `hook` at `/hook` that takes anything from anybody to one upstream. It is the last table, so
/// a test may go on with settings of its own.
pub fn hook(upstream: &Upstream) -> String {
    hook_to(&upstream.url())
}

/// The same to any URL.
pub fn hook_to(url: &str) -> String {
    format!(
        "[upstreams.app]\nurl = \"{url}\"\n\
         [routes.hook]\npath = \"/hook\"\npublic = true\nforward = \"app\"\n"
    )
}
