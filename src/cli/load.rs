//! From the command line to a plan: which file, and what it is compiled with.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use super::Source;
use super::exit::Exit;
use super::run::fail;
use crate::config::{self, Colour, Environment, Fixture, Plan, Provisions, Report, Subject};
use crate::delivery::{Bounds, Buffer};
use crate::plugin::{Catalog, Engine, EngineError, Settings};
use crate::telemetry::Telemetry;

/// Where a configuration is looked for, in this order.
const PLACES: &[&str] = &["config.toml", "/etc/hookgate/config.toml"];

/// Sandboxes of a command that runs one guest after another; a chain has at most a handful.
const SMALL: usize = 8;

/// What plans of this process are compiled with.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) telemetry: Telemetry,
    pub(super) buffer: Buffer,
    catalog: Catalog,
    workers: NonZeroUsize,
}

/// A configuration: a file, or a text of our own.
#[derive(Clone, Debug)]
pub(super) enum Written {
    File(PathBuf),
    Text {
        name: &'static str,
        toml: String,
        /// Looked at before the process's own environment.
        environment: &'static [(&'static str, &'static str)],
    },
}

impl Workshop {
    /// # Errors
    /// A machine that cannot run plugins.
    pub(super) fn new() -> Result<Self, EngineError> {
        Self::with(&Settings {
            cache: cache(),
            ..Settings::default()
        })
    }

    /// For a command that judges one webhook at a time: reserving sandboxes takes time.
    ///
    /// # Errors
    /// A machine that cannot run plugins.
    pub(super) fn small() -> Result<Self, EngineError> {
        Self::with(&Settings {
            cache: cache(),
            instances_max: SMALL,
        })
    }

    /// The same with compiled plugins in a folder of its own.
    ///
    /// # Errors
    /// A machine that cannot run plugins.
    pub(super) fn with_cache(folder: &Path) -> Result<Self, EngineError> {
        Self::with(&Settings {
            cache: Some(folder.to_owned()),
            instances_max: SMALL,
        })
    }

    fn with(settings: &Settings) -> Result<Self, EngineError> {
        Ok(Self {
            telemetry: Telemetry::new(),
            buffer: Buffer::new(Bounds::default()),
            catalog: Catalog::new(Engine::new(settings)?),
            workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
        })
    }

    /// Reads a fixture of `subject`. Blocking.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn fixture(&self, path: &Path, subject: &Subject) -> Result<Fixture, Report> {
        let environment = |name: &str| std::env::var(name).ok();
        config::fixture(path, subject, &self.provisions(&environment, None))
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn provisions<'a>(
        &'a self,
        environment: Environment<'a>,
        previous: Option<&'a Plan>,
    ) -> Provisions<'a> {
        Provisions {
            catalog: &self.catalog,
            telemetry: &self.telemetry,
            buffer: &self.buffer,
            workers: self.workers,
            environment,
            previous,
        }
    }

    /// Compiles a configuration; `previous` is the plan in force, whose parts are kept where they did
    /// not change. Blocking.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn load(&self, written: &Written, previous: Option<&Plan>) -> Result<Plan, Report> {
        let own = match written {
            Written::File(_) => &[],
            Written::Text { environment, .. } => *environment,
        };
        let environment = |name: &str| match own.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => Some((*value).to_owned()),
            None => std::env::var(name).ok(),
        };
        let provisions = self.provisions(&environment, previous);
        match written {
            Written::File(path) => config::load(path, &provisions),
            Written::Text { name, toml, .. } => {
                config::load_text(name, toml, Path::new(""), &provisions)
            }
        }
    }

    /// Forgets compiled plugins that no plan uses any more.
    pub(super) fn tidy(&self) {
        self.catalog.retain_used();
    }
}

impl Source {
    /// The file to read; none when there is none anywhere.
    pub(super) fn find(&self) -> Option<PathBuf> {
        self.config
            .clone()
            .or_else(|| PLACES.iter().map(PathBuf::from).find(|path| path.exists()))
    }
}

/// The plan of the configuration that is meant, and the workshop, if it could be opened, that made it.
///
/// # Errors
/// What to exit with; why has been said.
pub(super) fn plan(
    source: &Source,
    workshop: Result<Workshop, EngineError>,
) -> Result<(Workshop, Plan), Exit> {
    let Some(path) = source.find() else {
        eprintln!("{NO_FILE}");
        return Err(Exit::Usage);
    };
    let workshop = workshop.map_err(|error| fail(&error))?;
    match workshop.load(&Written::File(path), None) {
        Ok(plan) => Ok((workshop, plan)),
        Err(report) => {
            eprintln!("{}", report.render(Colour::for_stderr()));
            Err(Exit::Config)
        }
    }
}

/// What is said when there is no configuration anywhere.
pub(super) const NO_FILE: &str = "error: there is no configuration\n\n  \
    looked for ./config.toml and /etc/hookgate/config.toml\n  \
    name one with --config FILE, or start without one: hookgate run --to http://localhost:3000";

/// Why a file that was named on the command line cannot be read.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => format!("there is no file `{path}`"),
        io::ErrorKind::IsADirectory => format!("`{path}` is a folder"),
        _ => format!("cannot read `{path}`: {error}"),
    }
}

/// Where compiled plugins are kept: `$HOOKGATE_CACHE`, else the cache folder of systemd or of the user.
fn cache() -> Option<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    from("HOOKGATE_CACHE")
        .or_else(|| from("CACHE_DIRECTORY"))
        .or_else(|| from("XDG_CACHE_HOME").map(|folder| folder.join("hookgate")))
        .or_else(|| from("HOME").map(|folder| folder.join(".cache/hookgate")))
}
