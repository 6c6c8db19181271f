//! TOML in, a [`Plan`] out, or all that is wrong with it.
pub mod document; pub mod file; pub mod problem; pub mod secrets; pub mod shapes; pub mod signature; pub mod units; pub mod with; pub mod words;
