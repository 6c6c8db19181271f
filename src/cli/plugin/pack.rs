//! `hookgate plugin pack`: makes a component of a core module, as compilers write it. With this, a
//! plugin in Rust, C or Go needs its compiler and this binary, and no other tool.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use wasi_preview1_component_adapter_provider as adapter;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata, metadata};
use wit_parser::Resolve;

use super::Pack;
use super::words::size;
use crate::cli::exit::Exit;

pub(super) fn pack(options: &Pack) -> Exit {
    match component(options) {
        Ok(component) => match fs::write(&options.output, &component) {
            Ok(()) => {
                let name = options.output.display();
                println!("{name}: {}", size(component.len() as u64));
                Exit::Ok
            }
            Err(error) => refuse(&options.output, &error.to_string()),
        },
        Err(why) => refuse(&options.module, &why),
    }
}

/// With its causes, on one line.
fn words(error: impl Display) -> String {
    format!("{error:#}")
}

fn refuse(path: &Path, why: &str) -> Exit {
    eprintln!("error: {}: {why}", path.display());
    Exit::Failure
}

fn component(options: &Pack) -> Result<Vec<u8>, String> {
    let mut module = fs::read(&options.module).map_err(|error| error.to_string())?;
    if !module.starts_with(b"\0asm\x01\0\0\0") {
        return Err(
            "this is not a core module; what is a component already needs no packing".into(),
        );
    }
    // Bindings of `wit-bindgen` leave the world in the module; others are told by the folder.
    let (told, _) = metadata::decode(&module).map_err(words)?;
    if told.is_none() {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(&options.wit).map_err(|error| {
            format!(
                "it does not say its world, and `{}` does not either: {error:#}",
                options.wit.display()
            )
        })?;
        let world = resolve
            .select_world(&[package], options.world.as_deref())
            .map_err(words)?;
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .map_err(words)?;
    }
    ComponentEncoder::default()
        .module(&module)
        // Used only where a libc or runtime imports the old interface of WASI.
        .and_then(|encoder| {
            encoder.adapter(
                adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )
        })
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(words)
}
