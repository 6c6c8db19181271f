//! What the operator reads when a plugin cannot be loaded.

use std::path::PathBuf;

use hookgate::plugin::{Compiled, Grants, Keyring, Limits, Settings, Source, Stage, bundled};

use super::world::{LIMITS, World, accepted, chain, component, judge};

fn refusal(world: &World, guest: &str) -> String {
    world.error(&world.load(guest, LIMITS, &Grants::default()).unwrap_err())
}

fn refusal_of_file(world: &World, bytes: &[u8]) -> String {
    let path = world.file("x.wasm", bytes);
    let source = Source::File { path, sha256: None };
    world.error(
        &world
            .catalog
            .load("x", &source, LIMITS, &Grants::default())
            .unwrap_err(),
    )
}

#[test]
fn a_file_that_is_not_there() {
    let source = Source::File {
        path: PathBuf::from("no/such.wasm"),
        sha256: None,
    };
    let error = World::new()
        .catalog
        .load("x", &source, LIMITS, &Grants::default())
        .unwrap_err();

    assert_eq!(
        error.to_string(),
        "there is no file `no/such.wasm`; build the component, or name another one"
    );
}

#[test]
fn a_file_of_something_else() {
    assert_eq!(
        refusal_of_file(&World::new(), b"#!/bin/sh"),
        "`x.wasm` is not WebAssembly; `file` names a built component (.wasm)"
    );
}

#[test]
fn a_core_module() {
    assert_eq!(
        refusal_of_file(&World::new(), &wat::parse_str("(module)").unwrap()),
        "`x.wasm` is a core module and not a component; make one with `hookgate plugin pack`, or build for a target that makes components (wasm32-wasip2)"
    );
}

#[test]
fn a_damaged_component() {
    let whole = component("accept");

    let text = refusal_of_file(&World::new(), &whole[..whole.len() / 2]);

    assert!(text.starts_with("`x.wasm` does not compile: "), "{text}");
    assert!(!text.contains('\n'), "{text}");
}

#[test]
fn another_file_than_the_pinned_one() {
    let world = World::new();
    let path = world.file("x.wasm", &component("accept"));
    let source = Source::File {
        path,
        sha256: Some([0xab; 32]),
    };

    let text = world.error(
        &world
            .catalog
            .load("x", &source, LIMITS, &Grants::default())
            .unwrap_err(),
    );

    let pinned = "ab".repeat(32);
    assert!(
        text.starts_with("`x.wasm` is not the file that `plugins.x.sha256` pins: it has "),
        "{text}"
    );
    assert!(
        text.ends_with(&format!(
            ", pinned is {pinned}; if the change is wanted, write the new digest"
        )),
        "{text}"
    );
}

#[test]
fn a_component_without_a_stage() {
    assert_eq!(
        refusal(&World::new(), "no-stage"),
        "`no-stage.wasm` has no stage: it exports greet; a plugin exports one or more of hookgate:plugin/verify, filter, transform, all @0.1.0"
    );
}

#[test]
fn an_import_that_is_not_granted() {
    assert_eq!(
        refusal(&World::new(), "signing"),
        "`signing.wasm` imports `hookgate:plugin/signing@0.1.0`, which it is not granted; if it should have it, say so in `plugins.signing.grant` (`signing` and the names of the keys)"
    );
}

#[test]
fn remembering_is_granted_too() {
    let world = World::new();

    assert_eq!(
        refusal(&world, "kv"),
        "`kv.wasm` imports `hookgate:plugin/kv@0.1.0`, which it is not granted; if it should have it, say so in `plugins.kv.grant` (`kv`)"
    );
    let kv = Grants {
        kv: true,
        ..Grants::default()
    };
    assert!(world.load("kv", LIMITS, &kv).is_ok());
    assert!(world.load("signing", LIMITS, &kv).is_err());
}

#[test]
fn an_import_that_nobody_has() {
    assert_eq!(
        refusal(&World::new(), "telepathy"),
        "`telepathy.wasm` imports `test:guests/telepathy`, which no plugin can have; plugins may import hookgate:plugin and, without any rights, wasi:cli, wasi:clocks, wasi:filesystem, wasi:io, wasi:random and wasi:sockets @0.2"
    );
}

#[test]
fn an_import_of_wasi_that_nobody_has() {
    let text = refusal(&World::new(), "http");

    assert!(
        text.starts_with(
            "`http.wasm` imports `wasi:http/outgoing-handler@0.2.0`, which no plugin can have; "
        ),
        "{text}"
    );
}

#[test]
fn more_memory_than_allowed() {
    assert_eq!(
        refusal(&World::new(), "heavy"),
        "`heavy.wasm` begins with 17 MiB of memory and may have 16 MiB; raise `plugins.heavy.limits.memory`"
    );
}

#[test]
fn a_guest_that_does_not_start() {
    assert_eq!(
        refusal(&World::new(), "start-panic"),
        "`start-panic.wasm` does not start: it panicked or aborted (wasm `unreachable`), in `start`"
    );
}

#[tokio::test]
async fn a_heavy_guest_with_enough_memory_runs() {
    let world = World::new();
    let limits = Limits {
        memory: 32 << 20,
        ..LIMITS
    };

    let heavy = world.load("heavy", limits, &Grants::default()).unwrap();

    accepted(judge(&chain(&[&heavy, &world.guest("accept")])).await);
}

#[test]
fn what_checks_for_ever_is_stopped() {
    let world = World::new();
    let guest = world.guest("lifecycle-loop");

    assert_eq!(guest.describe().unwrap().as_deref(), Some(""));
    assert_eq!(
        guest.check("{}", &Keyring::new()).unwrap_err().to_string(),
        "`lifecycle-loop` failed in lifecycle: it used up its 1000 ms of computing time; raise `limits.time` if it needs more"
    );
    assert_eq!(
        world.guest("accept").check("{}", &Keyring::new()).unwrap(),
        []
    );
}

#[tokio::test]
async fn loading_works_from_inside_a_runtime() {
    let world = World::new();

    assert_eq!(world.bundled("signature").stages(), [Stage::Verify]);
}

#[test]
fn all_bundled_plugins_load_and_describe_themselves() {
    let world = World::new();

    for name in bundled() {
        let description = world.bundled(name).describe().unwrap().unwrap();
        let description: serde_json::Value = serde_json::from_str(&description).unwrap();
        assert_eq!(description["name"], *name);
    }
}

#[test]
fn a_problem_in_the_configuration_is_found_by_the_plugin() {
    let world = World::new();

    assert_ne!(
        world
            .bundled("signature")
            .check("{}", &Keyring::new())
            .unwrap(),
        []
    );
}

#[test]
fn an_equal_component_is_compiled_once_and_forgotten_when_unused() {
    let world = World::new();
    let (one, two) = (world.guest("accept"), world.guest("accept"));
    drop(world.guest("reject"));
    assert_eq!(world.catalog.len(), 2);

    world.catalog.retain_used();
    assert_eq!(world.catalog.len(), 1);

    assert_eq!(one.digest(), two.digest());
    drop((one, two));
    world.catalog.retain_used();
    assert!(world.catalog.is_empty());
}

#[tokio::test]
async fn a_cached_plugin_runs_and_a_tampered_one_is_compiled_anew() {
    let home = tempfile::tempdir().unwrap();
    let settings = Settings {
        instances_max: 8,
        cache: Some(home.path().join("cache")),
    };
    let load = || {
        let world = World::with(&settings);
        let guest = world.guest("reject");
        (world, guest)
    };

    assert!(matches!(load().1.compiled_in(), Compiled::Fresh(_)));
    let (_world, cached) = load();
    assert!(matches!(cached.compiled_in(), Compiled::FromCache(_)));
    judge(&chain(&[&cached])).await.unwrap();

    for entry in std::fs::read_dir(home.path().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some() {
            let mut bytes = std::fs::read(&path).unwrap();
            *bytes.last_mut().unwrap() ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
    }
    assert!(matches!(load().1.compiled_in(), Compiled::Fresh(_)));
    assert!(matches!(load().1.compiled_in(), Compiled::FromCache(_)));
}
