//! Every way in which a bundled verifier can be configured has its golden webhooks, and a verifier that
//! takes their forgeries is found.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Goldens, Subject, of};
use crate::plugin::{
    Catalog, Engine, Golden, Grants, Limits, Plugin, Reason, Settings, Source, Stage, bundled,
};
use crate::preset::{self, Scheme};

#[path = "../../../tests/it/support/guest.rs"]
#[expect(unreachable_pub, reason = "it is shared with other tests")]
mod guest;

fn load(catalog: &Catalog, name: &'static str) -> Arc<Plugin> {
    let grants = Grants {
        signing: vec!["keys".into()],
        ..Grants::default()
    };
    let source = Source::Bundled(name);
    catalog
        .load(name, &source, Limits::default(), &grants)
        .unwrap()
}

pub(in crate::config) fn catalog() -> Catalog {
    Catalog::new(Engine::new(&Settings::default()).unwrap())
}

/// What the guest reads of a scheme.
fn config(scheme: &Scheme) -> Value {
    let mut config = serde_json::to_value(scheme).unwrap();
    config["keys"] = "keys".into();
    config
}

fn goldens(preset: Option<&'static preset::Preset>, scheme: &Scheme) -> Goldens {
    of(&Subject {
        name: "signature",
        config: &Value::Null,
        scheme: Some(scheme),
        preset,
    })
}

fn refused(plugin: &Plugin, config: &Value, golden: &Golden) -> Result<usize, String> {
    plugin
        .refuses_forgeries(&config.to_string(), std::slice::from_ref(golden))
        .map_err(|error| error.to_string())
}

#[test]
fn every_preset_refuses_forgeries_in_every_way_of_signing_but_one() {
    let catalog = catalog();
    let signature = load(&catalog, "signature");
    let mut untried = Vec::new();
    for preset in preset::all() {
        let mut scheme = preset.scheme.clone();
        for name in preset.scheme.missing_values() {
            scheme.values.insert(name.to_owned(), "value".to_owned());
        }
        let goldens = goldens(Some(preset), &scheme);
        let config = config(&scheme);
        for golden in &goldens.made {
            let refused = refused(&signature, &config, golden);
            assert!(
                refused.is_ok_and(|count| count > 6),
                "{} {golden:?}",
                preset.name
            );
        }
        assert!(!goldens.made.is_empty(), "{}", preset.name);
        untried.extend(
            goldens
                .untried
                .into_iter()
                .map(|way| (preset.name, way.what)),
        );
    }
    let sha1 = "no forgery of `rsa-v1_5-sha1` is tried at load: nobody makes RSA signatures over SHA-1 any more";
    assert_eq!(untried, [("sns", sha1.to_owned())]);
}

/// A verifier that takes everything.
pub(in crate::config) fn careless(catalog: &Catalog) -> Arc<Plugin> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accept.wasm");
    let text = include_str!("../../../tests/guests/accept.wat");
    std::fs::write(
        &path,
        guest::guest("hookgate:plugin/verify-plugin@0.1.0", text),
    )
    .unwrap();
    let source = Source::File { path, sha256: None };
    catalog
        .load("careless", &source, Limits::default(), &Grants::default())
        .unwrap()
}

#[test]
fn a_verifier_that_takes_forgeries_of_any_preset_is_found() {
    let catalog = catalog();
    let careless = careless(&catalog);
    for preset in preset::all() {
        for golden in goldens(Some(preset), &preset.scheme).made {
            let found = careless.refuses_forgeries("{}", &[golden]).unwrap_err();
            assert!(
                matches!(found.reason(), Reason::AcceptsForgery(..)),
                "{} {found}",
                preset.name
            );
        }
    }
}

/// How the other bundled verifiers can be configured.
fn others() -> Vec<(&'static str, Value)> {
    let mut all = vec![
        ("token", json!({"keys": "keys", "header": "X-Token"})),
        (
            "token",
            json!({"keys": "keys", "header": "Authorization", "prefix": "Bearer "}),
        ),
        ("token", json!({"keys": "keys", "query": "t ken"})),
        (
            "basic-auth",
            json!({"users": {"a": "users.a", "b": "users.b"}}),
        ),
    ];
    for algorithm in ["HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA"] {
        all.push((
            "jwt",
            json!({"header": "Authorization", "prefix": "Bearer ", "algorithm": algorithm, "keys": "keys",
                "issuer": ["a", "b"], "audience": "c", "claims": {"verified": [true, 1]}, "max_age": "5m"}),
        ));
        for encoding in ["hex", "base64", "base64url"] {
            all.push((
                "jwt",
                json!({"header": "X", "algorithm": algorithm, "keys": {"one": "keys.one"},
                    "body": {"claim": "h", "algorithm": "sha512", "encoding": encoding}}),
            ));
        }
    }
    all
}

#[test]
fn every_other_bundled_verifier_refuses_forgeries() {
    let catalog = catalog();
    let careless = careless(&catalog);
    let mut seen = vec!["signature"];
    for (name, config) in others() {
        let plugin = load(&catalog, name);
        let subject = Subject {
            name,
            config: &config,
            scheme: None,
            preset: None,
        };
        let goldens = of(&subject);
        assert!(
            goldens.untried.is_empty() && goldens.made.len() == 1,
            "{config}"
        );
        let golden = goldens.made.first().unwrap();
        let count = refused(&plugin, &config, golden);
        assert!(
            count.as_ref().is_ok_and(|count| *count > 6),
            "{count:?} {config}"
        );
        assert!(refused(&careless, &config, golden).is_err(), "{config}");
        seen.push(name);
    }
    for name in bundled() {
        let verifies = load(&catalog, name).stages().contains(&Stage::Verify);
        assert_eq!(verifies, seen.contains(name), "{name}");
    }
}

/// A scheme of the operator's own, as `with` has it.
fn own(scheme: &str) -> Scheme {
    toml::from_str(scheme).unwrap()
}

#[test]
fn a_scheme_of_ones_own_is_tried_wherever_its_parts_are() {
    let catalog = catalog();
    let signature = load(&catalog, "signature");
    for scheme in [
        r#"algorithm = "hmac-sha256"
           encoding = "hex"
           signature = { header = "x-sig", separator = ",", prefix = "v1=" }
           timestamp = { header = "x-sig", separator = ",", prefix = "t=", unit = "s", tolerance_s = 60, direction = "both" }
           signed = "{timestamp}.{header:x-id}.{body}"
           require = [{ header = "x-kind", equals = "push" }, { pointer = "/team/0/id", equals = "7" }]"#,
        r#"algorithm = "ed25519"
           encoding = "base64"
           signature = { query = "sig nature" }
           signed = "{method}{path}{query:at}{body}""#,
        r#"algorithm = "hmac-sha512"
           encoding = "base64url"
           signature = { pointer = "/proof/mac", prefix = "v0=" }
           timestamp = { pointer = "/proof/at", unit = "rfc3339", tolerance_s = 60, direction = "past" }
           signed = "{timestamp}{json:/id}{json?:/none}"
           body_unsigned = true"#,
        r#"algorithm = "ecdsa-p256-sha256"
           encoding = "base64"
           signature = { header = "x-sig" }
           timestamp = { header = "x-time", unit = "ms", tolerance_s = 60, direction = "both" }
           listed = { header = "x-signed", split = ",", join = ";", named = true }
           signed = "{listed-names}{listed}{sha256}"
           require = [{ header = "x-cert", host = "*.example.com" }]"#,
        r#"algorithm = "rsa-v1_5-sha256"
           encoding = "hex"
           items = "/events"
           signature = { pointer = "/mac" }
           signed = "{json:/a/b}"
           body_unsigned = true"#,
        r#"algorithm = "token"
           signature = { query = "key" }"#,
    ] {
        let scheme = own(scheme);
        let goldens = goldens(None, &scheme);
        let golden = goldens.made.first().unwrap();
        let count = refused(&signature, &config(&scheme), golden);
        assert!(
            count.as_ref().is_ok_and(|count| *count > 6),
            "{count:?} {golden:?}"
        );
    }
}

#[test]
fn what_no_call_of_ours_can_have_is_said() {
    let scheme = own(r#"algorithm = "hmac-sha256"
           encoding = "hex"
           signature = { header = "x-sig" }
           signed = "{escaped-query}{query:a}{body}""#);

    let goldens = goldens(None, &scheme);

    assert!(goldens.made.is_empty());
    assert_eq!(
        goldens.untried.first().unwrap().what,
        "no forgery of `hmac-sha256` is tried at load: the scheme signs `escaped-query`, which a sample does not have"
    );
}
