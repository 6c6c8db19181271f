//! Turns a guest's core module into a component: `componentize CORE.wasm COMPONENT.wasm`. Refuses
//! one that is not a plugin as the bundled ones are meant: a stage of the contract, nothing
//! imported but the contract, and a memory that is cheap to reset.

mod direct;
mod heap;

use std::process::ExitCode;
use std::{env, fs};

use wasmparser::{Parser, Payload};

/// Everything that a plugin exports or imports begins with this.
const CONTRACT: &str = "hookgate:plugin/";
/// Pages of 64 KiB: what the host resets by a plain `memset`.
const MAX_PAGES: u64 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [core, component] = arguments.as_slice() else {
        eprintln!("usage: componentize CORE.wasm COMPONENT.wasm");
        return ExitCode::from(2);
    };
    match componentize(core, component) {
        Ok(summary) => {
            println!("{component}: {summary}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{core}: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn componentize(core: &str, component: &str) -> Result<String, String> {
    let module = fs::read(core).map_err(|error| error.to_string())?;
    let bytes = wit_component::ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("{error:#}"))?;
    let bytes = direct::direct(&bytes)?;
    let found = Found::inside(&bytes).map_err(|error| error.to_string())?;
    found.check()?;
    fs::write(component, &bytes).map_err(|error| error.to_string())?;
    Ok(format!(
        "{} bytes, {} pages, exports {}, imports {}",
        bytes.len(),
        found.pages,
        found.exports.join(" "),
        found.imports.join(" ")
    ))
}

/// What a component shows to its host.
#[derive(Default)]
struct Found {
    imports: Vec<String>,
    exports: Vec<String>,
    pages: u64,
}

impl Found {
    fn inside(component: &[u8]) -> Result<Self, wasmparser::BinaryReaderError> {
        let mut found = Self::default();
        // Only the outermost level faces the host; components inside shape the exports.
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        found.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        found.exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        found.pages += memory?.initial;
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    fn check(&self) -> Result<(), String> {
        let foreign = self
            .imports
            .iter()
            .chain(&self.exports)
            .find(|n| !n.starts_with(CONTRACT));
        if let Some(name) = foreign {
            return Err(format!("`{name}` is no part of the contract"));
        }
        let stage = |name: &String| {
            ["verify", "filter", "transform"]
                .iter()
                .any(|stage| name.starts_with(&format!("{CONTRACT}{stage}@")))
        };
        if !self.exports.iter().any(stage) {
            return Err("exports no stage".into());
        }
        if self.pages > MAX_PAGES {
            return Err(format!(
                "{} pages of memory are more than {MAX_PAGES}",
                self.pages
            ));
        }
        Ok(())
    }
}
