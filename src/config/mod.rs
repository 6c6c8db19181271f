//! TOML in, a [`Plan`] out, or all that is wrong with it.
//!
//! The file as written (`file.rs`) is read from a tree that knows where everything stands
//! (`document.rs`), then each part gets its meaning: `server.rs`, `upstreams.rs`, `steps.rs`, `routes.rs`.
//! Nothing stops at the first mistake; [`Report`] shows all of them, each with its place and its cure.

mod buffer;
mod document;
mod draft;
mod file;
mod fixture;
mod forgeries;
mod goldens;
mod keys;
mod pattern;
mod plan;
mod problem;
mod retry;
mod routes;
mod secrets;
mod server;
mod shapes;
mod shelf;
mod signature;
mod sources;
mod steps;
mod twice;
mod units;
mod upstreams;
mod with;
mod words;

pub use file::{LogFormat, LogLevel, schema};
pub use fixture::{Expected, ExpectedBody, ExpectedDelivery, Fixture, Subject, fixture};
pub use plan::{Plan, Provisions, RouteSummary, difference, load, load_text};
pub use problem::{Colour, Problem, Report, Severity};
pub use secrets::Environment;
pub use words::meant;
