//! The process: command line in, exit code out.

use std::process::ExitCode;

/// Freed memory is reused without asking the kernel, and per-thread heaps fit one worker a core.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    hookgate::cli::main()
}
