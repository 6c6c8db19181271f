//! Plugins that were built against earlier versions of the contract: `wit/compat` has one of each.

use std::fs;
use std::path::Path;

use hookgate::plugin::{Chain, Grants, Source, Stage};
use hookgate::telemetry::Telemetry;
use hookgate::webhook::Change;

use super::world::{LIMITS, World, accepted, keys, step, webhook_with};

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/wit");

#[test]
fn there_is_a_plugin_of_the_present_contract() {
    let contract = fs::read_to_string(Path::new(WIT).join("hookgate.wit")).unwrap();
    let package = contract
        .lines()
        .find_map(|line| line.strip_prefix("package hookgate:plugin@"));

    let version = package.unwrap().trim_end_matches(';');

    let text = fs::read_to_string(Path::new(WIT).join(format!("compat/{version}.wat"))).unwrap();
    // Whatever a guest may import or export is in it, so that none of it can change unnoticed.
    let named = contract.lines().map(str::trim_start);
    for interface in named.filter_map(|line| line.strip_prefix("interface ")) {
        let interface = interface.split(' ').next().unwrap();
        assert!(
            text.contains(&format!("hookgate:plugin/{interface}@{version}")),
            "{interface}"
        );
    }
    let functions = contract
        .lines()
        .filter_map(|line| line.split_once(": func("));
    for (name, _) in functions {
        let name = name.trim();
        assert!(text.contains(&format!("{name}\"")), "{name}");
    }
}

#[tokio::test]
async fn a_plugin_of_every_version_loads_and_does_all_that_it_did() {
    let world = World::new();
    let grants = Grants {
        signing: vec!["a".into()],
        kv: true,
        ..Grants::default()
    };
    for entry in fs::read_dir(Path::new(WIT).join("compat")).unwrap() {
        let text = entry.unwrap().path();
        let bytes = wat::parse_file(&text).unwrap();
        let path = world.file("compat.wasm", &bytes);
        let source = Source::File { path, sha256: None };

        let plugin = world
            .catalog
            .load("compat", &source, LIMITS, &grants)
            .unwrap();

        assert_eq!(
            plugin.stages(),
            [Stage::Verify, Stage::Filter, Stage::Transform]
        );
        assert!(plugin.describe().unwrap().unwrap().contains("compat"));
        assert_eq!(plugin.check("{}", &keys()).unwrap(), []);
        // It accepts everything, so it is asked for its golden webhook and found.
        let found = plugin.refuses_forgeries("{}", &[]).unwrap_err().to_string();
        assert!(found.contains("its golden webhook `compat`"), "{found}");
        let chain = Chain::new(vec![step(&plugin)]);
        let webhook = webhook_with(&[("a", "b")], "{\"a\":[1]}");
        let verdict = chain.judge(&webhook, &[], &Telemetry::new()).await;
        let accepted = accepted(verdict);
        let [overlay] = accepted.overlays() else {
            panic!("{accepted:?}")
        };
        assert!(matches!(
            overlay.changes[..],
            [Change::Set(..), Change::Add(..), Change::Remove(_)]
        ));
        assert_eq!(overlay.body.as_deref(), Some(&b"abcde"[..]));
        assert_eq!(&*overlay.dedupe.as_ref().unwrap().key, "a");
        assert!(accepted.into_parts().2.is_some(), "it remembers something");
    }
}
