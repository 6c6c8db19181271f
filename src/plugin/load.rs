//! Why a plugin cannot be loaded, in sentences with their cure; and which imports may be had.

use std::fmt;
use std::io;

use super::compiled::VERSION;
use super::failure::size;

/// A plugin cannot be loaded. `Display` is the sentence that the operator reads.
#[derive(Debug)]
pub struct LoadError {
    /// By its name in the configuration.
    pub(super) plugin: Box<str>,
    /// The path, or the name of a bundled one.
    pub(super) origin: String,
    pub(super) reason: Reason,
}

impl LoadError {
    /// About a plugin that is loaded already.
    pub(super) fn of_plugin(name: &str, reason: Reason) -> Self {
        Self {
            plugin: name.into(),
            origin: name.into(),
            reason,
        }
    }

    /// Why. For matching; the sentence is `Display`'s.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

/// Its sentence says all: there is no `source` that would say it again.
impl std::error::Error for LoadError {}

/// Why a plugin cannot be loaded.
#[derive(Debug)]
pub enum Reason {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The file has more bytes than a component may.
    TooLarge(usize),
    /// No bundled plugin has this name.
    NotBundled(Vec<&'static str>),
    /// The file is not the one that the configuration pins.
    DigestDiffers {
        /// By the configuration.
        expected: String,
        /// Of the file.
        found: String,
    },
    /// It does not begin as WebAssembly does.
    NotWasm,
    /// It is a core module.
    CoreModule,
    /// wasmtime refuses it.
    DoesNotCompile(Text),
    /// It has more instances, memories or tables than fit into a sandbox.
    TooManyParts(Text),
    /// None of its exports is a stage.
    NoStage(Vec<String>),
    /// It exports a stage of another version of the contract.
    OtherVersion(String),
    /// An export has a stage's name and another type.
    WrongType(Text),
    /// It imports what the configuration can grant and does not.
    NotGranted {
        /// The imported interface.
        import: String,
        /// The word for `grant`.
        grant: &'static str,
    },
    /// It imports what nobody can grant.
    UnknownImport(String),
    /// The imports have the right names and wrong types.
    DoesNotLink(Text),
    /// It needs more memory than it may have.
    NeedsMemory {
        /// Bytes when an instance begins.
        needs: usize,
        /// Bytes by the configuration.
        may: usize,
    },
    /// Its first instance failed.
    DoesNotStart(String),
    /// It failed while it described itself or checked a configuration.
    LifecycleFailed(String),
    /// It does not accept its own golden webhook, and says why.
    RefusesGolden(String, String),
    /// It accepts its golden webhook with this done to it.
    AcceptsForgery(String, &'static str),
}

/// What wasmtime says, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    pub(super) fn of(error: &wasmtime::Error) -> Self {
        let text = format!("{error:#}");
        Self(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            plugin,
            origin,
            reason,
        } = self;
        let it = format_args!("`{origin}`");
        match reason {
            Reason::Unreadable(error) => unreadable(f, origin, error),
            Reason::TooLarge(max) => {
                write!(f, "{it} is too large: a plugin may have {}", size(*max))
            }
            Reason::NotBundled(known) => {
                write!(
                    f,
                    "no plugin named {it} is bundled; there are: {}",
                    known.join(", ")
                )
            }
            Reason::DigestDiffers { expected, found } => write!(
                f,
                "{it} is not the file that `plugins.{plugin}.sha256` pins: it has {found}, pinned is {expected}; if the change is wanted, write the new digest"
            ),
            Reason::NotWasm => write!(
                f,
                "{it} is not WebAssembly; `file` names a built component (.wasm)"
            ),
            Reason::CoreModule => write!(
                f,
                "{it} is a core module and not a component; make one with `hookgate plugin pack`, or build for a target that makes components (wasm32-wasip2)"
            ),
            Reason::DoesNotCompile(text) => write!(f, "{it} does not compile: {text}"),
            Reason::TooManyParts(text) => write!(f, "{it} does not fit into a sandbox: {text}"),
            Reason::NoStage(exports) => {
                let exports = match exports.as_slice() {
                    [] => "nothing".into(),
                    names => names.join(", "),
                };
                write!(
                    f,
                    "{it} has no stage: it exports {exports}; a plugin exports one or more of hookgate:plugin/verify, filter, transform, all @{VERSION}"
                )
            }
            Reason::OtherVersion(export) => write!(
                f,
                "{it} was built for another version of the contract: it exports `{export}`, this Hookgate speaks @{VERSION}; build it against the contract that `hookgate wit` prints"
            ),
            Reason::WrongType(text) => write!(
                f,
                "{it} exports a stage whose type differs from the contract's: {text}; build it against the contract that `hookgate wit` prints"
            ),
            Reason::NotGranted { import, grant } => write!(
                f,
                "{it} imports `{import}`, which it is not granted; if it should have it, say so in `plugins.{plugin}.grant` ({grant})"
            ),
            Reason::UnknownImport(import) => write!(
                f,
                "{it} imports `{import}`, which no plugin can have; plugins may import hookgate:plugin and, without any rights, wasi:cli, wasi:clocks, wasi:filesystem, wasi:io, wasi:random and wasi:sockets @0.2"
            ),
            Reason::DoesNotLink(text) => write!(
                f,
                "{it} does not fit the contract: {text}; build it against the contract that `hookgate wit` prints"
            ),
            Reason::NeedsMemory { needs, may } => write!(
                f,
                "{it} begins with {} of memory and may have {}; raise `plugins.{plugin}.limits.memory`",
                size(*needs),
                size(*may)
            ),
            Reason::DoesNotStart(detail) => write!(f, "{it} does not start: {detail}"),
            Reason::RefusesGolden(golden, said) => write!(
                f,
                "{it} does not accept its golden webhook `{golden}`: {said}; until it does, nothing shows that it refuses forgeries"
            ),
            Reason::AcceptsForgery(golden, how) => write!(
                f,
                "{it} lets forgeries through: it accepts its golden webhook `{golden}` {how}; a verifier rejects what it cannot check"
            ),
            Reason::LifecycleFailed(detail) => write!(f, "{it} failed in lifecycle: {detail}"),
        }
    }
}

fn unreadable(f: &mut fmt::Formatter<'_>, origin: &str, error: &io::Error) -> fmt::Result {
    match error.kind() {
        io::ErrorKind::NotFound => write!(
            f,
            "there is no file `{origin}`; build the component, or name another one"
        ),
        _ => write!(f, "cannot read `{origin}`: {error}"),
    }
}

/// What needs a grant.
pub(super) const SIGNING: &str = "hookgate:plugin/signing@";
pub(super) const KV: &str = "hookgate:plugin/kv@";
/// Whose metrics are in its description.
pub(super) const METRICS: &str = "hookgate:plugin/metrics@";
/// What every plugin has.
const ALWAYS: [&str; 7] = [
    "types",
    "webhook",
    "deliveries",
    "crypto",
    "config",
    "log",
    "metrics",
];
/// What is linked with an empty context.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// Whether each import is one that can be had at all; grants are another question.
pub(super) fn check_imports(imports: &[Box<str>]) -> Result<(), Reason> {
    for import in imports {
        let (path, version) = import.split_once('@').unwrap_or((import, ""));
        let (package, interface) = path.split_once('/').unwrap_or((path, ""));
        let known = match package.split_once(':') {
            Some(("hookgate", "plugin")) => {
                import.starts_with(SIGNING) || import.starts_with(KV) || ALWAYS.contains(&interface)
            }
            Some(("wasi", package)) => WASI.contains(&package) && version.starts_with("0.2."),
            _ => false,
        };
        if !known {
            return Err(Reason::UnknownImport(import.to_string()));
        }
    }
    Ok(())
}
