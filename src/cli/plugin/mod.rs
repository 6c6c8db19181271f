//! `hookgate plugin`: what authors of plugins need.

mod bench;
mod diff;
mod inspect;
mod judged;
mod new;
mod pack;
mod test;
mod words;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};

use super::exit::Exit;
use crate::config::Subject;
use crate::plugin::{
    Catalog, Grants, Limits, LoadError, MEMORY_BYTES_MAX, Plugin as Loaded, Source, bundled,
};

/// What can be done with a plugin.
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// Write a plugin that works: source, contract, build command, fixtures, README.
    New(New),
    /// Run fixtures through the host that production uses.
    ///
    /// Tells of each the verdict, the difference to what it expects, the time and the memory of one cold
    /// sandbox. Instructions are not counted: counting changes the code that is compiled, and what is
    /// tested here is what serves.
    Test(Test),
    /// Tell what a plugin exports, imports and would have to be granted.
    Inspect(Inspect),
    /// Measure compiling, loading and judging.
    Bench(Bench),
    /// Make a component of a core module, as compilers of Rust, C and Go write it.
    Pack(Pack),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// Its name, and the folder that is made.
    name: String,
    /// In which language.
    #[arg(long, value_name = "LANGUAGE")]
    lang: Language,
}

/// The languages that there are templates for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// wasm32-unknown-unknown.
    Rust,
    /// By Zig's C compiler.
    C,
    /// JavaScript, on QuickJS.
    Js,
    /// CPython.
    Python,
    /// The usual Go, not TinyGo.
    Go,
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// The component, or the name of a bundled plugin.
    #[arg(default_value = "plugin.wasm", value_name = "PLUGIN")]
    plugin: PathBuf,
    /// Fixtures, or folders of them. Without any: `fixtures` beside the component.
    #[arg(value_name = "FIXTURE")]
    fixtures: Vec<PathBuf>,
    /// Run again whenever the component or a fixture changes.
    #[arg(long)]
    watch: bool,
    /// Print one JSON object for each fixture.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The component, or the name of a bundled plugin.
    #[arg(default_value = "plugin.wasm", value_name = "PLUGIN")]
    plugin: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Components, or names of bundled plugins.
    #[arg(default_value = "plugin.wasm", value_name = "PLUGIN")]
    plugins: Vec<PathBuf>,
    /// The webhook to judge. Without it: the first accepted one in `fixtures` beside the component.
    #[arg(long, value_name = "FILE")]
    fixture: Option<PathBuf>,
    /// How many webhooks are judged, in three seconds at most.
    #[arg(long, default_value_t = 2_000, value_name = "NUMBER")]
    webhooks: usize,
    /// Print one JSON object for each plugin.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Pack {
    /// The core module.
    #[arg(value_name = "MODULE")]
    module: PathBuf,
    /// Where the component goes.
    #[arg(short, long, default_value = "plugin.wasm", value_name = "FILE")]
    output: PathBuf,
    /// The folder of the contract; not looked at when the module says its world itself.
    #[arg(long, default_value = "wit", value_name = "FOLDER")]
    wit: PathBuf,
    /// Its world there. Without it: the only one.
    #[arg(long, value_name = "NAME")]
    world: Option<String>,
}

pub(super) fn plugin(command: &Plugin) -> Exit {
    match command {
        Plugin::New(options) => new::new(options),
        Plugin::Pack(options) => pack::pack(options),
        Plugin::Test(options) => test::test(options),
        Plugin::Inspect(options) => inspect::inspect(options),
        Plugin::Bench(options) => bench::bench(options),
    }
}

/// A plugin as it is named on the command line: a path, or one of the bundled ones.
fn subject(named: &Path) -> Subject {
    let text = named.to_str().unwrap_or_default();
    if let Some(name) = bundled().iter().find(|name| **name == text)
        && !named.exists()
    {
        return Subject {
            name: (*name).to_owned(),
            source: Source::Bundled(name),
        };
    }
    // A fixture names files from its own folder, and this one was named from here.
    let path = std::path::absolute(named).unwrap_or_else(|_| named.to_owned());
    let stem = named.file_stem().unwrap_or_default().to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = stem.replace(|c| !is_plain(c), "-");
    Subject {
        name: match bundled().contains(&name.as_str()) || name.is_empty() {
            true => "plugin".to_owned(),
            false => name,
        },
        source: Source::File { path, sha256: None },
    }
}

/// Loads it with all the memory and all the grants that there are: whether a route gives them is
/// another question.
fn load(catalog: &Catalog, subject: &Subject) -> Result<Arc<Loaded>, LoadError> {
    let limits = Limits {
        memory: MEMORY_BYTES_MAX,
        ..Limits::default()
    };
    let grants = Grants {
        signing: vec![Box::default()],
        kv: true,
        ..Grants::default()
    };
    catalog.load(&subject.name, &subject.source, limits, &grants)
}

/// Fixtures of a folder in the order of their names, and files as they are.
fn fixtures(named: &[PathBuf]) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in named {
        if path.is_dir() {
            let mut inside: Vec<PathBuf> = std::fs::read_dir(path)?
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| {
                    path.extension()
                        .is_some_and(|extension| extension == "toml")
                })
                .collect();
            inside.sort();
            found.append(&mut inside);
        } else {
            found.push(path.clone());
        }
    }
    Ok(found)
}

/// The folder of fixtures that belongs to a component.
fn beside(plugin: &Path) -> PathBuf {
    plugin.with_file_name("fixtures")
}

/// Bytes of the component.
fn bytes(subject: &Subject) -> u64 {
    match &subject.source {
        Source::Bundled(name) => crate::plugin::bundled_bytes(name) as u64,
        Source::File { path, .. } => path.metadata().map_or(0, |file| file.len()),
    }
}
