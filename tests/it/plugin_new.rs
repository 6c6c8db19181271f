//! `hookgate plugin new` and `pack`, and the contract that goes with a new plugin. Whether the plugins
//! work is shown by `tests/languages.rs`, where their compilers are.

use std::os::unix::fs::PermissionsExt as _;

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
    for name in ["Mine", "my_plugin", "1st", "a-1", "", "../x", "a--b"] {
        let arguments = ["plugin", "new", "--lang", "go", "--", name];
        let said = tool(folder.path(), &arguments, &[]).await;

        assert_eq!(said.code, 2, "{name}: {said:?}");
        assert!(
            said.err.contains("cannot be the name of a plugin"),
            "{said:?}"
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
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
