//! A catalog, guests made of text, and one webhook.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookgate::plugin::{
    Catalog, Chain, Engine, Failure, Grants, Key, Keyring, Limits, LoadError, OnFailure, Plugin,
    Settings, Source, Step, Verdict,
};
use hookgate::secret::Secret;
use hookgate::telemetry::Telemetry;
use hookgate::webhook::{Arrival, Scheme, Webhook, WebhookId};
use http::Method;
use http::uri::PathAndQuery;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

pub(crate) const LIMITS: Limits = Limits {
    time: Duration::from_millis(10),
    memory: 16 << 20,
};
pub(crate) const SECRET: &str = "It's a Secret to Everybody";
/// The body that GitHub's documentation signs with [`SECRET`], and its signature.
pub(crate) const BODY: &str = "Hello, World!";
pub(crate) const MAC: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

const GUESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guests");

pub(crate) struct World {
    pub(crate) catalog: Catalog,
    home: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let settings = Settings {
            instances_max: 8,
            cache: None,
        };
        Self::with(&settings)
    }

    pub(crate) fn with(settings: &Settings) -> Self {
        let catalog = Catalog::new(Engine::new(settings).unwrap());
        Self {
            catalog,
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Writes a file, and names it by a path that is the same in every run.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Builds and loads the guest `tests/guests/{name}.wat`.
    pub(crate) fn guest(&self, name: &str) -> Arc<Plugin> {
        self.load(name, LIMITS, &Grants::default()).unwrap()
    }

    /// Loads a guest from its text.
    pub(crate) fn guest_of(&self, name: &str, text: &str) -> Arc<Plugin> {
        let path = self.file(&format!("{name}.wasm"), &component_of(text));
        let source = Source::File { path, sha256: None };
        self.catalog
            .load(name, &source, LIMITS, &Grants::default())
            .unwrap()
    }

    pub(crate) fn load(
        &self,
        name: &str,
        limits: Limits,
        grants: &Grants,
    ) -> Result<Arc<Plugin>, LoadError> {
        let path = self.file(&format!("{name}.wasm"), &component(name));
        self.catalog
            .load(name, &Source::File { path, sha256: None }, limits, grants)
    }

    /// The error, with the directory of this run taken out.
    pub(crate) fn error(&self, error: &LoadError) -> String {
        let home = format!("{}/", self.home.path().display());
        error.to_string().replace(&home, "")
    }

    /// With the grants that a configuration gives it.
    pub(crate) fn bundled(&self, name: &'static str) -> Arc<Plugin> {
        let grants = Grants {
            signing: vec!["keys".into()],
            ..Grants::default()
        };
        self.catalog
            .load(name, &Source::Bundled(name), LIMITS, &grants)
            .unwrap()
    }
}

pub(crate) fn component(name: &str) -> Vec<u8> {
    component_of(&text(name))
}

/// The text of a guest.
pub(crate) fn text(name: &str) -> String {
    let path = Path::new(GUESTS).join(name).with_extension("wat");
    std::fs::read_to_string(path).unwrap()
}

/// The component of a guest's text, whose first line names its world.
pub(crate) fn component_of(text: &str) -> Vec<u8> {
    let world = text
        .lines()
        .next()
        .unwrap()
        .strip_prefix(";; world: ")
        .unwrap();
    let mut resolve = Resolve::default();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let (ours, _) = resolve.push_path(&contract).unwrap();
    let tests = std::fs::read_to_string(Path::new(GUESTS).join("worlds.wit")).unwrap();
    let tests = resolve.push_str("worlds.wit", &tests).unwrap();
    let (package, world) = world.split_once('/').unwrap();
    let package = if package == "test:guests" {
        tests
    } else {
        ours
    };
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}

pub(crate) fn step(plugin: &Arc<Plugin>) -> Step {
    Step {
        plugin: Arc::clone(plugin),
        config: "{}".into(),
        keys: keys(),
        signing: Vec::new(),
        on_failure: OnFailure::Refuse,
        meters: Telemetry::new().plugin(plugin.name(), "github"),
    }
}

pub(crate) fn keys() -> Keyring {
    let key = Key::new("env:SECRET", Secret::new(SECRET.into()));
    Keyring::from([("main".into(), vec![Arc::new(key)])])
}

pub(crate) fn chain(plugins: &[&Arc<Plugin>]) -> Chain {
    Chain::new(plugins.iter().map(|plugin| step(plugin)).collect())
}

pub(crate) fn webhook() -> Arc<Webhook> {
    webhook_with(&[("x-hub-signature-256", &format!("sha256={MAC}"))], BODY)
}

pub(crate) fn webhook_with(fields: &[(&'static str, &str)], body: &str) -> Arc<Webhook> {
    let arrival = Arrival::now();
    Arc::new(Webhook {
        id: WebhookId::new(arrival),
        route: "github".into(),
        method: Method::POST,
        target: PathAndQuery::from_static("/github?a=b"),
        authority: None,
        scheme: Scheme::Https,
        fields: fields.iter().copied().collect(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        arrival,
        sender: "192.0.2.1".parse().unwrap(),
        public_url: None,
    })
}

pub(crate) async fn judge(chain: &Chain) -> Result<Verdict, Failure> {
    let upstreams = ["ci".into(), "audit".into()];
    chain.judge(&webhook(), &upstreams, &Telemetry::new()).await
}

pub(crate) fn accepted(verdict: Result<Verdict, Failure>) -> hookgate::plugin::Accepted {
    match verdict {
        Ok(Verdict::Accepted(accepted)) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}
