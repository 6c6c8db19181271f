//! What an operator reads about a mistake: `tests/config/NAME.toml` holds one, `NAME.err` what is said
//! about it. `UPDATE=1` rewrites the latter.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::string_slice, reason = "a test fails by panicking")]
#![expect(unreachable_pub, reason = "`guest` is shared with other tests")]

#[path = "it/support/guest.rs"]
mod guest;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use hookgate::config::{self, Plan, Provisions, Report};
use hookgate::delivery::{Bounds, Buffer};
use hookgate::plugin::{Catalog, Engine, Settings};
use hookgate::telemetry::Telemetry;
use tempfile::TempDir;

/// The environment of every test in here.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("GITHUB_WEBHOOK_SECRET", "It's a Secret to Everybody"),
    ("STRIPE_WEBHOOK_SECRET", "whsec_test_secret"),
    ("SHOPIFY_CLIENT_SECRET", "0123456789abcdef"),
    ("STANDARD_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ("SLACK_SIGNING_SECRET", "8f742231b10e8888abcd99yyyzzz85a5"),
    (
        "SLACK_WEBHOOK_URL",
        "https://hooks.slack.example/services/T0/B0/X",
    ),
    ("ADMIN_TOKEN", "correct-horse"),
    ("EMPTY", ""),
    ("BLANK", "secret "),
];

/// A filter that does not like `event`.
const PICKY: &str = r#"(module
    (memory (export "memory") 1)
    (data (i32.const 32) "\30\00\00\00\01\00\00\00")
    (data (i32.const 48) "\50\00\00\00\08\00\00\00\60\00\00\00\0d\00\00\00")
    (data (i32.const 80) "/event/0")
    (data (i32.const 96) "no such event ")
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "hookgate:plugin/lifecycle@0.1.0#describe") (result i32) (i32.const 0))
    (func (export "hookgate:plugin/lifecycle@0.1.0#check") (param i32 i32) (result i32)
        (i32.const 32))
    (func (export "hookgate:plugin/filter@0.1.0#filter") (result i32) (i32.const 0)))"#;

fn environment(name: &str) -> Option<String> {
    ENVIRONMENT
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| (*value).to_owned())
}

/// What a plan is built with; kept together, for a plan is compared with what was before.
struct Room {
    folder: TempDir,
    catalog: Catalog,
    telemetry: Telemetry,
    buffer: Buffer,
}

impl Room {
    fn new() -> Self {
        let engine = Engine::new(&Settings::default()).unwrap();
        Self {
            folder: files(),
            catalog: Catalog::new(engine),
            telemetry: Telemetry::new(),
            buffer: Buffer::new(Bounds::default()),
        }
    }

    fn load(&self, name: &str, text: &str, previous: Option<&Plan>) -> Result<Plan, Report> {
        let provisions = Provisions {
            catalog: &self.catalog,
            telemetry: &self.telemetry,
            buffer: &self.buffer,
            workers: NonZeroUsize::MIN,
            environment: &environment,
            previous,
        };
        config::load_text(name, text, self.folder.path(), &provisions)
    }
}

/// The files that configurations name.
fn files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8], mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, host, from, until) in [
        ("hooks", "hooks.example.com", 1975, 4096),
        ("other", "other.example.com", 1975, 4096),
        ("old", "hooks.example.com", 2019, 2020),
        ("early", "hooks.example.com", 4095, 4096),
    ] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut made = rcgen::CertificateParams::new([host.to_owned()]).unwrap();
        made.not_before = rcgen::date_time_ymd(from, 1, 1);
        made.not_after = rcgen::date_time_ymd(until, 1, 1);
        let cert = made.self_signed(&key).unwrap().pem();
        write(&format!("tls/{name}.crt"), cert.as_bytes(), 0o644);
        write(
            &format!("tls/{name}.key"),
            key.serialize_pem().as_bytes(),
            0o600,
        );
    }
    write(
        "tls/hooks.example.com.crt",
        &fs::read(folder.path().join("tls/hooks.crt")).unwrap(),
        0o644,
    );
    write(
        "tls/hooks.example.com.key",
        &fs::read(folder.path().join("tls/hooks.key")).unwrap(),
        0o600,
    );
    write("secrets/good", b"a good secret\n", 0o600);
    write("secrets/stripe-old", b"whsec_before\n", 0o600);
    write("secrets/empty", b"\n", 0o600);
    write("secrets/open", b"everybody reads this\n", 0o644);
    let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    write("sns.pem", rsa.public_key_pem().as_bytes(), 0o644);
    write("notes.txt", b"not a component", 0o644);
    let component = include_bytes!("../plugins/dist/json-template.wasm");
    write("plugins/card.wasm", component, 0o644);
    let memory = include_str!("guests/memory.wat");
    write(
        "plugins/counter.wasm",
        &guest::guest("test:guests/filter-and-kv", memory),
        0o644,
    );
    // It finds fault with every configuration.
    let picky = guest::guest("test:guests/filter-and-lifecycle", PICKY);
    write("plugins/picky.wasm", &picky, 0o644);
    // One accepts on an error; the other vouches for what it does not accept itself.
    let verifier = include_str!("guests/verifier.wat");
    for (name, from, to) in [
        ("gullible", "$reject)))) ;; an error", "$accept))))"),
        ("misled", "Hello, World!", "Hello, World?"),
    ] {
        let verifier = verifier.replace(from, to);
        let component = guest::guest("test:guests/verify-and-golden", &verifier);
        write(&format!("plugins/{name}.wasm"), &component, 0o644);
    }
    write(
        "plugins/core.wasm",
        &wat::parse_str("(module)").unwrap(),
        0o644,
    );
    folder
}

fn golden_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn goldens() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(golden_folder())
        .unwrap()
        .filter_map(|entry| {
            Some(
                entry
                    .unwrap()
                    .file_name()
                    .to_str()?
                    .strip_suffix(".toml")?
                    .to_owned(),
            )
        })
        .collect();
    names.sort();
    names
}

#[test]
fn every_mistake_is_told_with_its_place_and_its_cure() {
    let room = Room::new();
    let mut wrong = Vec::new();
    for name in goldens() {
        let text = fs::read_to_string(golden_folder().join(format!("{name}.toml"))).unwrap();
        let report = match room.load(&format!("{name}.toml"), &text, None) {
            Ok(plan) => plan.warnings,
            Err(report) => report,
        };
        let said = report
            .to_string()
            .replace(&*room.folder.path().to_string_lossy(), "FOLDER");
        let path = golden_folder().join(format!("{name}.err"));
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &said).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != said {
            wrong.push(format!("── {name}\n{said}"));
        }
    }

    assert!(
        wrong.is_empty(),
        "run with UPDATE=1 and look at the difference\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_golden_is_about_something() {
    let names = goldens();

    assert!(names.len() >= 35, "{}", names.len());
    for name in names {
        let said = fs::read_to_string(golden_folder().join(format!("{name}.err"))).unwrap();
        assert!(
            said.starts_with("error: ") || said.starts_with("warning: "),
            "{name}: {said}"
        );
    }
}

#[test]
fn no_report_shows_a_secret() {
    let room = Room::new();
    let text = r#"
        [routes.r]
        path = "/r"
        plugins = [{ use = "signature", with = { preset = "github", keys = ["hunter2"] } }]
        forward = "u"
        [upstreams.u]
        url = "https://joe:hunter2@billing.internal"
        [admin]
        token = "hunter2"
    "#;

    let report = room.load("config.toml", text, None).unwrap_err();

    assert!(!report.to_string().contains("hunter2"), "{report}");
    assert!(!report.to_json().contains("hunter2"));
    assert_eq!(report.errors(), 3, "{report}");
}

#[test]
fn a_problem_is_machine_readable() {
    let room = Room::new();

    let report = room
        .load(
            "config.toml",
            "[log]\nlevel = \"loud\"\n[server]\nmax_body = 3\n",
            None,
        )
        .unwrap_err();
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();

    assert_eq!(json[1]["line"], 2);
    assert_eq!(json[1]["column"], 9);
    assert_eq!(json[1]["end_column"], 15);
    assert_eq!(json[1]["severity"], "error");
    assert_eq!(json[1]["message"], "`loud` is not a choice of `level`");
    assert_eq!(
        json[1]["help"],
        "the choices are: `debug`, `error`, `info`, `trace` and `warn`"
    );
}

#[test]
fn the_shipped_example_is_a_plan() {
    let room = Room::new();
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap();

    let plan = room.load("config.toml", &text, None).unwrap();

    let names: Vec<&str> = plan
        .summary
        .iter()
        .map(|route| route.name.as_str())
        .collect();
    assert_eq!(names, ["github", "shop", "stripe"]);
    assert_eq!(plan.warnings.errors(), 0);
}

#[test]
fn what_the_shipped_example_only_mentions_is_right_too() {
    let room = Room::new();
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap();
    let is_setting = |line: &str| {
        let key = line
            .strip_prefix("# ")
            .and_then(|line| line.split(" = ").next());
        key.is_some_and(|key| !key.trim().is_empty() && !key.trim().contains([' ', '`', ':']))
            && line.contains(" = ")
    };
    // Those of a plugin that is only mentioned itself have no table to stand in.
    let end = text.find("# [plugins.").unwrap();
    let mut settings = 0;
    for line in text[..end].lines().filter(|line| is_setting(line)) {
        settings += 1;
        let meant = text.replacen(line, &line[2..], 1);

        // What it needs may not be here: the file of `ca`, the spool of `key`.
        let said = match room.load("config.toml", &meant, None) {
            Ok(_) => continue,
            Err(report) => report.to_string(),
        };
        let is_alone = said.contains("there is no such file") || said.contains("nothing to seal");
        assert!(is_alone, "{line}\n{said}");
    }
    assert!(settings >= 18, "{settings}");
}

#[test]
fn the_shipped_schema_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("hookgate.schema.json");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, config::schema()).unwrap();
    }

    assert_eq!(
        fs::read_to_string(path).unwrap(),
        config::schema(),
        "run with UPDATE=1"
    );
}

const RELOADED: &str = r#"
    [upstreams.same]
    url = "http://127.0.0.1:1/"
    [upstreams.other]
    url = "http://127.0.0.1:2/"
    [routes.r]
    path = "/r"
    public = true
    forward = ["same", "other"]
"#;

#[test]
fn a_reload_keeps_the_upstreams_that_did_not_change() {
    let room = Room::new();
    let before = room.load("config.toml", RELOADED, None).unwrap();

    let after = room
        .load(
            "config.toml",
            &RELOADED.replace(":2/", ":3/"),
            Some(&before),
        )
        .unwrap();

    assert!(std::sync::Arc::ptr_eq(
        &before.upstreams["same"],
        &after.upstreams["same"]
    ));
    assert!(!std::sync::Arc::ptr_eq(
        &before.upstreams["other"],
        &after.upstreams["other"]
    ));
}

#[test]
fn a_secret_that_changes_is_a_change_of_its_route() {
    let room = Room::new();
    let text = r#"
        [upstreams.u]
        url = "http://127.0.0.1:1/"
        [routes.changed]
        path = "/changed"
        forward = "u"
        plugins = [{ use = "token", with = { header = "x", keys = { file = "secrets/good" } } }]
        [routes.same]
        path = "/same"
        forward = "u"
        plugins = [{ use = "token", with = { header = "x", keys = { file = "secrets/stripe-old" } } }]
    "#;
    let before = room.load("config.toml", text, None).unwrap();
    fs::write(room.folder.path().join("secrets/good"), "another").unwrap();

    let after = room.load("config.toml", text, Some(&before)).unwrap();

    assert_eq!(config::difference(&before, &after), "~ route changed");
    let same = room.load("config.toml", text, Some(&after)).unwrap();
    assert_eq!(
        config::difference(&after, &same),
        "routes and upstreams are as before"
    );
}

#[test]
fn the_verifiers_of_a_plan_are_asked_about_forgeries() {
    let room = Room::new();
    let text = r#"
        [upstreams.u]
        url = "http://127.0.0.1:1/"
        [routes.signed]
        path = "/signed"
        forward = "u"
        plugins = [{ use = "signature", with = { preset = "stripe", keys = [{ env = "STRIPE_WEBHOOK_SECRET" }] } },
            { use = "token", with = { header = "x-token", keys = { env = "ADMIN_TOKEN" } } }]
        [routes.open]
        path = "/open"
        forward = "u"
        public = true
        plugins = [{ use = "json-filter", with = { event = ["push"] } }]
    "#;
    let asked =
        |plan: &Plan| -> Vec<usize> { plan.summary.iter().map(|route| route.forgeries).collect() };

    let before = room.load("config.toml", text, None).unwrap();
    let after = room.load("config.toml", text, Some(&before)).unwrap();

    // A token covers nothing but itself; Stripe's signature covers the body and its age.
    assert_eq!(asked(&before), [0, 8 + 12]);
    assert_eq!(asked(&after), asked(&before));
}

#[test]
fn what_the_sender_does_decides_what_its_2xx_means() {
    let room = Room::new();
    let summary = |preset: &str, variable: &str, more: &str| {
        let text = format!(
            r#"
            [upstreams.u]
            url = "http://127.0.0.1:1/"
            [routes.r]
            path = "/r"
            forward = "u"
            {more}
            plugins = [{{ use = "signature", with = {{ preset = "{preset}", keys = [{{ env = "{variable}" }}] }} }}]
            "#
        );
        let route = room
            .load("config.toml", &text, None)
            .unwrap()
            .summary
            .remove(0);
        (route.ack, route.deadline.as_millis())
    };

    assert_eq!(
        summary("github", "GITHUB_WEBHOOK_SECRET", ""),
        ("buffered", 9_000)
    );
    assert_eq!(
        summary("slack", "SLACK_SIGNING_SECRET", ""),
        ("buffered", 2_500)
    );
    assert_eq!(
        summary("stripe", "STRIPE_WEBHOOK_SECRET", ""),
        ("upstream", 10_000)
    );
    assert_eq!(
        summary(
            "github",
            "GITHUB_WEBHOOK_SECRET",
            "ack = \"upstream\"\ndeadline = \"1s\""
        ),
        ("upstream", 1_000)
    );
}
