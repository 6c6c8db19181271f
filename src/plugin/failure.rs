//! What went wrong inside a sandbox, as a kind for machines and a sentence for the operator.

use std::time::Duration;

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::budget::Breach;
use super::engine::STACK_BYTES;
use super::host::Guest;
use super::{FailureKind, Limits};

/// Of what a guest says about its own failure, in characters.
pub(super) const WORDS_MAX: usize = 1_000;

/// A failure before it is known whose and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FailureKind,
    pub(super) detail: String,
    /// What the guest wrote before, as written.
    pub(super) words: String,
}

impl Fault {
    pub(super) fn new(kind: FailureKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            words: String::new(),
        }
    }

    /// From an error of wasmtime; `guest` remembers what the error does not tell.
    pub(super) fn from_error(error: &wasmtime::Error, guest: &Guest, limits: Limits) -> Self {
        let (kind, mut detail) = classify(error, guest, limits);
        let words = guest.output();
        if !words.trim().is_empty() {
            detail.push_str("; it wrote: ");
            detail.extend(words.trim().escape_debug());
        }
        Self {
            kind,
            detail,
            words,
        }
    }

    pub(super) fn waited(longest: Duration) -> Self {
        Self::new(
            FailureKind::Time,
            format!(
                "it waited for more than {} s, for a clock or the like",
                longest.as_secs()
            ),
        )
    }

    /// Ours, not the guest's.
    pub(super) fn host_panicked() -> Self {
        Self::new(
            FailureKind::Trap,
            "a function of the host panicked: this is a defect of Hookgate, please report it",
        )
    }
}

fn classify(error: &wasmtime::Error, guest: &Guest, limits: Limits) -> (FailureKind, String) {
    if let Some(breach) = error.downcast_ref::<Breach>() {
        return (FailureKind::Output, format!("it {breach}"));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return (
            FailureKind::Overload,
            "all sandboxes of its size were busy".into(),
        );
    }
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return (
            FailureKind::Trap,
            format!("it ended itself with exit code {code}"),
        );
    }
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::Interrupt) {
        let time = limits.time.as_millis();
        let text = format!(
            "it used up its {time} ms of computing time; raise `limits.time` if it needs more"
        );
        return (FailureKind::Time, text);
    }
    if guest.memory.was_refused() {
        let text = format!(
            "it asked for more than its {} of memory; raise `limits.memory` if it needs more",
            size(limits.memory)
        );
        return (FailureKind::Memory, text);
    }
    if let Some(trap) = trap {
        return (FailureKind::Trap, describe(trap) + &place(error));
    }
    // Neither a trap nor ours: hostcall fuel, handle limits, values that break the canonical ABI. They
    // have no types in wasmtime 48, but their sentences are good ones.
    (
        FailureKind::Output,
        format!("it broke a rule of the sandbox: {}", error.root_cause()),
    )
}

fn describe(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => "it panicked or aborted (wasm `unreachable`)".into(),
        Trap::StackOverflow => format!(
            "it overflowed its stack of {}: a recursion without an end?",
            size(STACK_BYTES)
        ),
        Trap::MemoryOutOfBounds => {
            "it reached outside of its memory: a defect, or a recursion without an end".into()
        }
        other => format!("it trapped: {other}"),
    }
}

/// The innermost function, where its name is known.
fn place(error: &wasmtime::Error) -> String {
    let name = error
        .downcast_ref::<WasmBacktrace>()
        .and_then(|trace| trace.frames().first())
        .and_then(wasmtime::FrameInfo::func_name);
    match name {
        Some(name) => {
            let name: String = name.escape_debug().take(200).collect();
            format!(", in `{name}`")
        }
        None => String::new(),
    }
}

/// A guest's own words on one line.
pub(super) fn quote(words: &str) -> String {
    words.escape_debug().take(WORDS_MAX).collect()
}

/// Bytes in the largest unit that divides them.
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}
