//! HTTP/1.1 as bytes (RFC 9112): heads, framing, chunks. No sockets and no time limits: who
//! owns a connection calls this with what came and writes what this makes.
//!
//! Both hops use it: the listener reads requests and writes responses, delivery writes requests and
//! reads responses. What one side of a hop could read in another way than we do is refused, not
//! repaired: that is how requests are smuggled.

mod chunked;
mod parse;
mod scratch;
mod send;
mod write;

pub use chunked::{Chunks, Decoded};
pub use parse::{Answered, Arrived, FIELDS_MAX, Framing, Limits, request, response};
pub use scratch::{SCRATCH_BYTES, with_scratch};
pub use send::Sending;
pub use write::{begin_request, begin_response, date, end, field, length};

#[cfg(test)]
mod tests;
