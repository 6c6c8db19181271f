//! `hookgate plugin inspect`: what a plugin can do, before anybody lets it.

use serde_json::{Value, json};

use super::words::{size, table};
use super::{Inspect, load, new, subject};
use crate::cli::exit::Exit;
use crate::cli::load::Workshop;
use crate::cli::run::fail;
use crate::plugin::{Limits, MEMORY_BYTES_MAX, Plugin, Source, Stage, bundled};

/// Interfaces of the contract, and what each lets a plugin do.
const PERMISSIONS: &[(&str, &str)] = &[
    ("types", "words of the contract, nothing to call"),
    ("webhook", "reads the webhook at hand"),
    ("deliveries", "makes deliveries"),
    ("crypto", "checks signatures by the names of keys"),
    ("config", "reads its own configuration"),
    ("log", "writes bounded lines into the log"),
    ("metrics", "counts under names that it declares"),
    ("kv", "keeps a small state on its route"),
    ("signing", "makes MACs with keys that the route names"),
];

/// Interfaces of the contract that a configuration must grant, and the words that do.
const GRANTS: &[(&str, &str)] = &[
    ("kv", r#"grant = ["kv"]"#),
    (
        "signing",
        r#"grant = ["signing"], and signing = ["KEY"] at each step"#,
    ),
];

pub(super) fn inspect(options: &Inspect) -> Exit {
    let workshop = match Workshop::small() {
        Ok(workshop) => workshop,
        Err(error) => return fail(&error),
    };
    let subject = subject(&options.plugin);
    let plugin = match load(workshop.catalog(), &subject) {
        Ok(plugin) => plugin,
        Err(error) => return fail(&error),
    };
    let description = match plugin.describe() {
        Ok(description) => description,
        Err(error) => return fail(&error),
    };
    let stages: Vec<&str> = plugin.stages().iter().map(|stage| stage.as_str()).collect();
    let digest: String = plugin.digest().iter().map(|b| format!("{b:02x}")).collect();
    let is_own = matches!(subject.source, Source::File { .. });
    let imports = |name: &str| plugin.imports().iter().any(|i| contract(i) == Some(name));
    // A bundled plugin has its grants.
    let grants = GRANTS.iter().map(|(name, _)| *name);
    let grants: Vec<&str> = grants.filter(|name| is_own && imports(name)).collect();
    let bytes = super::bytes(&subject);
    if options.json {
        let description = description
            .map(|text| serde_json::from_str::<Value>(&text).unwrap_or(Value::String(text)));
        println!(
            "{}",
            json!({
                "plugin": options.plugin, "stages": stages, "description": description,
                "bytes": bytes, "sha256": digest, "memory_bytes": plugin.memory(),
                "imports": plugin.imports(), "grants": grants,
            })
        );
        return Exit::Ok;
    }
    println!("{}", options.plugin.display());
    if let Some(description) = &description {
        println!("  is        {}", introduce(description));
    }
    println!("  asked to  {}", stages.join(" ▸ "));
    println!("  size      {}, sha256 {digest}", size(bytes));
    println!(
        "  memory    {} when an instance begins",
        size(plugin.memory() as u64)
    );
    println!("  imports");
    permissions(&plugin, &grants)
        .iter()
        .for_each(|line| println!("    {line}"));
    let settings = description.as_deref().map(settings).unwrap_or_default();
    if !settings.is_empty() {
        println!("  with");
        table(&settings)
            .iter()
            .for_each(|line| println!("    {line}"));
    }
    if plugin.stages().contains(&Stage::Verify) {
        println!("  fails     closed: what it cannot verify is refused");
    }
    if is_own {
        let own = description.as_deref().and_then(own_name);
        println!("\n[plugins.{}]", own.as_deref().unwrap_or(&subject.name));
        println!("file   = {}", json!(options.plugin));
        println!("sha256 = \"{digest}\"");
        println!("{}", limits(&plugin));
        if !grants.is_empty() {
            println!("grant  = {}", json!(grants));
        }
    }
    Exit::Ok
}

/// What it calls itself, where a configuration can call it so, too.
fn own_name(description: &str) -> Option<String> {
    let json: Value = serde_json::from_str(description).ok()?;
    let name = json.get("name")?.as_str()?;
    (new::is_name(name) && !bundled().contains(&name)).then(|| name.to_owned())
}

/// The usual limits, with memory for as much again as it begins with.
fn limits(plugin: &Plugin) -> String {
    let usual = Limits::default();
    let needs = plugin.memory().saturating_mul(2).next_power_of_two();
    let memory = needs.clamp(usual.memory, MEMORY_BYTES_MAX) >> 20;
    let time = usual.time.as_millis();
    format!(
        "limits = {{ time = \"{time}ms\", memory = \"{memory} MiB\" }}   # `hookgate plugin bench` tells what it takes"
    )
}

/// The name inside of the contract's package.
fn contract(import: &str) -> Option<&str> {
    import.strip_prefix("hookgate:plugin/")?.split('@').next()
}

fn permissions(plugin: &Plugin, grants: &[&str]) -> Vec<String> {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut wasi = 0;
    for import in plugin.imports() {
        let Some(name) = contract(import) else {
            wasi += 1;
            continue;
        };
        let known = PERMISSIONS.iter().find(|(known, _)| *known == name);
        let mut words = known.map_or("", |(_, words)| words).to_owned();
        if grants.contains(&name)
            && let Some((_, how)) = GRANTS.iter().find(|(known, _)| *known == name)
        {
            words = format!("{words}; must be granted: {how}");
        }
        rows.push([name.to_owned(), words]);
    }
    if wasi > 0 {
        let words = "linked and empty: no files, sockets, environment or arguments";
        rows.push([format!("wasi ({wasi})"), words.to_owned()]);
    }
    if rows.is_empty() {
        rows.push(["nothing".to_owned(), String::new()]);
    }
    table(&rows)
}

/// What a route's `with` may say, as the plugin describes it.
fn settings(description: &str) -> Vec<[String; 2]> {
    let json: Value = serde_json::from_str(description).unwrap_or_default();
    let described = json.pointer("/config-schema/properties");
    let described = described.and_then(Value::as_object).into_iter().flatten();
    described
        .map(|(name, schema)| {
            let words = schema["description"].as_str().map(str::to_owned);
            let values = schema["enum"].as_array().map(|values| {
                let values: Vec<String> = values.iter().map(Value::to_string).collect();
                values.join(" or ")
            });
            let default = schema
                .get("default")
                .map(|value| format!("default {value}"));
            let all: Vec<String> = [words, values, default].into_iter().flatten().collect();
            [name, &all.join("; ")].map(|text| plain(text))
        })
        .collect()
}

/// `name version: description`, where it says so.
fn introduce(description: &str) -> String {
    let json: Value = serde_json::from_str(description).unwrap_or_default();
    let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default();
    let name = format!("{} {}", text("name"), text("version"));
    let whole = format!("{}: {}", name.trim(), text("description"));
    plain(&whole)
}

/// A plugin's words, as they may be shown on a terminal.
fn plain(text: &str) -> String {
    let shown = text.chars().map(|c| match c {
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    shown.take(200).collect()
}
