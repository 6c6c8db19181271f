//! To the upstream, sooner or later.
