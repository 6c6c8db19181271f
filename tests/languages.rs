//! The five languages, from their templates: one behaviour for all, told by the fixtures that every
//! template has, and what is told about a plugin that ignores the contract.
//!
//! They need compilers, so `cargo test` leaves them out; `.ci/guests` fetches those and runs them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// What a newcomer does, with the name that he gives it.
struct Newcomer {
    folder: TempDir,
    language: &'static str,
    name: &'static str,
}

impl Newcomer {
    fn new(language: &'static str, name: &'static str) -> Self {
        let newcomer = Self {
            folder: TempDir::new().unwrap(),
            language,
            name,
        };
        let said = newcomer.run_in(
            newcomer.folder.path(),
            &["hookgate", "plugin", "new", name, "--lang", language],
        );
        assert!(said.status.success(), "{said:?}");
        newcomer
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    /// Runs a command line of the README, as the README has it.
    fn run(&self, command: &[&str]) -> (bool, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.run_in(&self.home(), command);
        let said = [stdout, stderr].concat();
        (status.success(), String::from_utf8(said).unwrap())
    }

    fn run_in(&self, folder: &Path, command: &[&str]) -> Output {
        let own = Path::new(env!("CARGO_BIN_EXE_hookgate")).parent().unwrap();
        let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap());
        let (program, arguments) = command.split_first().unwrap();
        let mut run = Command::new("env");
        run.arg(program)
            .args(arguments)
            .current_dir(folder)
            .env("PATH", path)
            .env("HOOKGATE_CACHE", self.folder.path().join("cache"));
        // Stands for `rustup target add`, where no target can be fetched.
        if let (Ok(rustc), Ok(linker)) = (
            std::env::var("HOOKGATE_GUEST_RUSTC"),
            std::env::var("HOOKGATE_GUEST_LINKER"),
        ) && self.language == "rust"
        {
            run.env("RUSTC", rustc)
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
                .env("RUSTC_BOOTSTRAP", "1");
        }
        run.output().unwrap()
    }

    fn build(&self) {
        let (built, said) = self.run(&["./build"]);
        assert!(built, "{said}");
    }

    /// Judges a webhook that makes it fail, and tells what is said of that.
    fn fails(&self, fixture: &str, how: &str) -> String {
        let path = format!("fixtures/{fixture}.toml");
        let (passed, said) = self.run(&["hookgate", "plugin", "test", "plugin.wasm", &path]);

        assert!(!passed, "{said}");
        let failed = format!("FAIL  {fixture}  failure {how}");
        assert!(said.contains(&failed), "{said}");
        let again = format!("again: hookgate plugin test plugin.wasm {path}\n");
        assert!(said.contains(&again), "{said}");
        assert!(said.ends_with("\n0 passed, 1 failed\n"), "{said}");
        said
    }

    /// Keeps component and fixtures for `hookgate plugin bench`, whose table the README shows.
    fn keep(&self) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages");
        let kept = kept.join(self.language);
        fs::create_dir_all(kept.join("fixtures")).unwrap();
        for file in ["plugin.wasm", "fixtures/accepted.toml"] {
            fs::copy(self.home().join(file), kept.join(file)).unwrap();
        }
    }

    /// Changes the source, and makes sure that it is changed.
    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.home().join(file);
        let source = fs::read_to_string(&path).unwrap();
        assert!(source.contains(from), "`{from}` is not in {file}");
        fs::write(path, source.replacen(from, to, 1)).unwrap();
    }
}

/// Every language passes the same fixtures, and shows what it is. The name is a word of the language, or
/// one that its tools keep for themselves: any name builds.
fn behaves(language: &'static str, name: &'static str, wasi: bool) -> Newcomer {
    let newcomer = Newcomer::new(language, name);
    newcomer.build();

    let (passed, said) = newcomer.run(&["hookgate", "plugin", "test"]);
    assert!(passed && said.ends_with("\n7 passed, 0 failed\n"), "{said}");

    let (_, said) = newcomer.run(&["hookgate", "plugin", "inspect"]);
    let introduction = format!("  is        {name} 0.1.0: Checks a signature");
    assert!(said.contains(&introduction), "{said}");
    assert!(
        said.contains("  asked to  verify ▸ filter ▸ transform\n"),
        "{said}"
    );
    assert!(!said.contains("must be granted"), "{said}");
    assert_eq!(said.contains("linked and empty"), wasi, "{said}");

    newcomer.keep();
    newcomer
}

/// The plugin panics while it filters pings: the failure, its last words, and how to see it again. It has
/// a lot to say, and a terminal's escape in it: what it says is bounded and escaped.
fn dies_audibly(newcomer: &Newcomer, file: &str, from: &str, to: &str) {
    newcomer.change(file, from, to);
    newcomer.build();

    let said = newcomer.fails("ping", "trap in filter");

    let mut words = said
        .lines()
        .filter_map(|line| line.strip_prefix("        | "));
    assert!(words.any(|words| words.contains("out of cheese")), "{said}");
    assert!(!said.contains('\x1b'), "{said}");
    assert!(said.len() < 16_000, "{} bytes", said.len());
}

/// The plugin makes a header that cannot exist: a rule of the contract, broken in every language alike.
fn breaks_a_rule(newcomer: &Newcomer, file: &str) {
    newcomer.change(file, "x-event-type", "x event type");
    newcomer.build();

    let said = newcomer.fails("accepted", "output in transform");

    assert!(said.contains("`x event type`"), "{said}");
    newcomer.change(file, "x event type", "x-event-type");
}

/// A configuration that the plugin itself refuses is shown where it stands.
fn refuses_its_configuration(newcomer: &Newcomer) {
    let fixture = newcomer.home().join("fixtures/accepted.toml");
    let text = fs::read_to_string(&fixture).unwrap();
    fs::write(&fixture, text.replace("secret = {", "secrets = {")).unwrap();

    let (passed, said) = newcomer.run(&[
        "hookgate",
        "plugin",
        "test",
        "plugin.wasm",
        "fixtures/accepted.toml",
    ]);

    assert!(!passed, "{said}");
    assert!(
        said.contains("say where the secret is: secret = { env = \"NAME\" }"),
        "{said}"
    );
    assert!(said.contains("says the plugin itself"), "{said}");
}

#[test]
#[ignore = "needs a compiler for guests: run .ci/guests"]
fn rust_behaves_and_dies_audibly() {
    let newcomer = behaves("rust", "type", false);
    breaks_a_rule(&newcomer, "src/lib.rs");
    refuses_its_configuration(&newcomer);
    let from = "Some(\"ping\") => filter::Verdict::Drop(\"a ping\".into())";
    dies_audibly(
        &newcomer,
        "src/lib.rs",
        from,
        "Some(\"ping\") => panic!(\"out of cheese \\x1b[31m{}\", \"!\".repeat(20_000))",
    );
}

#[test]
#[ignore = "needs zig: run .ci/guests"]
fn c_behaves_and_dies_audibly() {
    let newcomer = behaves("c", "main", false);
    breaks_a_rule(&newcomer, "plugin.c");
    refuses_its_configuration(&newcomer);
    let from = "return hg_filter_drop(\"a ping\")";
    dies_audibly(
        &newcomer,
        "plugin.c",
        from,
        "{ static char words[20000] = \"out of cheese \\x1b[31m\"; \
         memset(words + 19, '!', sizeof words - 20); hg_die(words); }",
    );
}

#[test]
#[ignore = "needs npm: run .ci/guests"]
fn js_behaves_and_dies_audibly() {
    let newcomer = behaves("js", "componentize-qjs", false);
    breaks_a_rule(&newcomer, "plugin.js");
    refuses_its_configuration(&newcomer);
    let from = "return { tag: 'drop', val: 'a ping' }";
    dies_audibly(
        &newcomer,
        "plugin.js",
        from,
        "throw new Error('out of cheese \\x1b[31m' + '!'.repeat(20000))",
    );
}

#[test]
#[ignore = "needs npm: run .ci/guests"]
fn js_may_have_types() {
    let newcomer = Newcomer::new("js", "my-plugin");
    let home = newcomer.home();
    fs::rename(home.join("plugin.js"), home.join("plugin.ts")).unwrap();
    let (from, to) = ("(status, reason) =>", "(status: number, reason: string) =>");
    newcomer.change("plugin.ts", from, to);
    newcomer.build();

    let (passed, said) = newcomer.run(&["hookgate", "plugin", "test"]);
    assert!(passed && said.ends_with("\n7 passed, 0 failed\n"), "{said}");
    assert!(!home.join("plugin.js").exists());
}

#[test]
#[ignore = "needs componentize-py: run .ci/guests"]
fn python_behaves_and_dies_audibly() {
    let newcomer = behaves("python", "class", false);
    breaks_a_rule(&newcomer, "plugin.py");
    refuses_its_configuration(&newcomer);
    let from = "return filter.Verdict_Drop(\"a ping\")";
    dies_audibly(
        &newcomer,
        "plugin.py",
        from,
        "raise ValueError(\"out of cheese \\x1b[31m\" + \"!\" * 20000)",
    );
}

#[test]
#[ignore = "needs go: run .ci/guests"]
fn go_behaves_and_dies_audibly() {
    let newcomer = behaves("go", "go", true);
    breaks_a_rule(&newcomer, "plugin.go");
    refuses_its_configuration(&newcomer);
    let from = "return hookgate.Drop(\"a ping\"), nil";
    dies_audibly(
        &newcomer,
        "plugin.go",
        from,
        "panic(strings.Repeat(\"!\", 20_000) + \"out of cheese \\x1b[31m\")",
    );
}
