//! `hookgate plugin new`: writes a plugin that works, in one of five languages.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Language, New};
use crate::cli::exit::Exit;
use crate::plugin::bundled;

/// As long as a name in a configuration may be.
const NAME_CHARS_MAX: usize = 64;

/// Stands for the name in templates: in what people read, and in nothing that a compiler reads. So every
/// name builds, whatever it means in a language.
const NAME: &str = "{{name}}";
/// Stands for the limits in fixtures, where the usual ones are too narrow.
const LIMITS: &str = "{{limits}}";

/// Paths and texts.
type Files = &'static [(&'static str, &'static str)];

macro_rules! files {
    ($folder:literal, $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../templates/", $folder, "/", $path)))),+]
    };
}

/// What the plugins of all languages have.
const ALL: Files = files!(
    "all",
    "wit/plugin.wit",
    "fixtures/accepted.toml",
    "fixtures/forged.toml",
    "fixtures/garbled.toml",
    "fixtures/old-key.toml",
    "fixtures/ping.toml",
    "fixtures/shapeless.toml",
    "fixtures/unsigned.toml",
);
/// The contract itself, as it is served.
const CONTRACT: (&str, &str) = (
    "wit/deps/hookgate.wit",
    include_str!("../../../wit/hookgate.wit"),
);
/// What a build leaves, in all languages.
const IGNORE: (&str, &str) = (
    ".gitignore",
    "/plugin.wasm\n/plugin.core.wasm\n/target\n/node_modules\n/.venv\n__pycache__\n",
);

impl Language {
    /// What an interpreter needs beyond the usual.
    fn limits(self) -> &'static str {
        match self {
            Self::Rust | Self::C | Self::Go => "",
            Self::Js => "limits = { time = \"50ms\" }\n\n",
            Self::Python => "limits = { time = \"100ms\", memory = \"32 MiB\" }\n\n",
        }
    }

    fn files(self) -> Files {
        match self {
            Self::Rust => files!(
                "rust",
                "README.md",
                "Cargo.toml",
                "build",
                "build.rs",
                "src/lib.rs"
            ),
            Self::C => files!("c", "README.md", "build", "hookgate.h", "plugin.c"),
            Self::Js => files!("js", "README.md", "build", "package.json", "plugin.js"),
            Self::Python => files!(
                "python",
                "README.md",
                "build",
                "plugin.py",
                "requirements.txt"
            ),
            Self::Go => files!(
                "go",
                "README.md",
                "build",
                "go.mod",
                "hookgate/exports.go",
                "hookgate/hookgate.go",
                "hookgate/imports.go",
                "plugin.go",
            ),
        }
    }
}

pub(super) fn new(options: &New) -> Exit {
    let name = options.name.as_str();
    if !is_name(name) {
        eprintln!(
            "error: `{}` cannot be the name of a plugin\n\n  names are words of small letters and digits with `-` between them, like `slack-card`;\n  each word begins with a letter, and the whole has {NAME_CHARS_MAX} characters at most",
            name.escape_debug()
        );
        return Exit::Usage;
    }
    if bundled().contains(&name) {
        eprintln!(
            "error: `{name}` is the name of a bundled plugin\n\n  choose another name: no configuration could use a second one"
        );
        return Exit::Usage;
    }
    let folder = Path::new(name);
    if folder.exists() {
        eprintln!("error: `{name}` is there already; choose another name, or remove it");
        return Exit::Usage;
    }
    let files = [CONTRACT, IGNORE];
    let files = files.iter().chain(ALL).chain(options.lang.files());
    for (path, text) in files {
        let text = text
            .replace(NAME, name)
            .replace(LIMITS, options.lang.limits());
        if let Err(error) = write(&folder.join(path), &text) {
            eprintln!("error: cannot write `{name}/{path}`: {error}");
            return Exit::Failure;
        }
    }
    println!("{name}/ has a plugin that works. Build it, then try it:\n");
    println!("  cd {name}");
    println!("  ./build");
    println!("  hookgate plugin test\n");
    println!("README.md says what the build needs.");
    Exit::Ok
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)?;
    if path.ends_with("build") {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// What is a name everywhere: of a folder, of a table in TOML, of a label.
pub(super) fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    name.len() <= NAME_CHARS_MAX && name.split('-').all(is_word)
}
