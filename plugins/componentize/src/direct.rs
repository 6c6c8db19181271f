//! Takes the detour out of a component.
//!
//! An import that returns a string needs the guest's memory and allocator, and the guest's module needs
//! its imports before it exists. The usual encoder breaks the circle with two more modules: one of
//! stubs that call through a table, and one that fills the table in. The host makes an instance of each
//! for every webhook. Here memory and allocator are a module of their own, made first, so that the
//! guest's module gets its imports as they are: two instances and one table instead of three and two.

use std::collections::BTreeMap;

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CanonicalOption, Component, ComponentAliasSection,
    ComponentExportKind, ComponentSection, ExportKind, InstanceSection, ModuleArg, ModuleSection,
    RawSection,
};
use wasmparser::{
    CanonicalFunction, ComponentAlias, ExternalKind, Instance, Parser, Payload, Validator,
};

use crate::heap::{self, MEMORY_MODULE};

/// A core function of the component as the usual encoder made it.
#[derive(Clone, Debug)]
enum Function {
    /// A stub, by the name of its place in the table.
    Stub(String),
    /// The host's, by its index in the new component.
    Host(u32),
    /// The guest's, by its name.
    Guest(String),
}

/// A core instance of the same.
#[derive(Debug)]
enum Made {
    Module(u32, Vec<(String, u32)>),
    Functions(Vec<(String, u32)>),
}

/// Encodes `component` anew without stubs.
pub(crate) fn direct(component: &[u8]) -> Result<Vec<u8>, String> {
    let text = |error: wasmparser::BinaryReaderError| error.to_string();
    let mut rewriter = Rewriter::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.map_err(text)?;
        let outermost = depth == 0;
        match &payload {
            Payload::ModuleSection {
                unchecked_range, ..
            } => {
                depth += 1;
                if outermost {
                    let module = heap::slice(component, unchecked_range.clone());
                    rewriter.module(module)?;
                }
            }
            Payload::ComponentSection {
                unchecked_range, ..
            } => {
                depth += 1;
                if outermost {
                    let bytes = heap::slice(component, unchecked_range.clone());
                    rewriter.copy(4, bytes);
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ if !outermost => {}
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    rewriter.instance(instance.map_err(text)?)?;
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    rewriter.alias(&alias.map_err(text)?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    rewriter.canonical(&function.map_err(text)?)?;
                }
            }
            // Names and producers speak of what was there before.
            Payload::Version { .. } | Payload::CustomSection(_) => {}
            other => {
                let (id, range) = other.as_section().ok_or("a section that is none")?;
                rewriter.copy(id, heap::slice(component, range));
            }
        }
    }
    let bytes = rewriter.out.finish();
    Validator::new()
        .validate_all(&bytes)
        .map_err(|error| format!("without stubs it is not valid: {error}"))?;
    Ok(bytes)
}

/// What has been read, and what has been written for it.
#[derive(Default)]
struct Rewriter {
    out: Component,
    modules: u32,
    instances: Vec<Made>,
    functions: Vec<Function>,
    /// Core instances and functions written.
    new_instances: u32,
    new_functions: u32,
    /// The guest's instance as written, and its functions that have been asked for.
    guest: Option<u32>,
    of_guest: BTreeMap<String, u32>,
}

impl Rewriter {
    fn copy(&mut self, id: u8, data: &[u8]) {
        self.out.section(&RawSection { id, data });
    }

    fn add(&mut self, section: &impl ComponentSection) {
        self.out.section(section);
    }

    /// The first module is the guest's; the others are stubs and what fills them in.
    fn module(&mut self, module: &[u8]) -> Result<(), String> {
        self.modules += 1;
        if self.modules > 1 {
            return Ok(());
        }
        let heap::Split { memory, guest } = heap::split(module)?;
        self.add(&ModuleSection(&memory));
        self.copy(1, &guest);
        let mut instances = InstanceSection::new();
        instances.instantiate::<_, String>(0, []);
        self.add(&instances);
        let mut aliases = ComponentAliasSection::new();
        for (name, kind) in [
            (heap::MEMORY, ExportKind::Memory),
            (heap::REALLOC, ExportKind::Func),
        ] {
            aliases.alias(Alias::CoreInstanceExport {
                instance: 0,
                kind,
                name,
            });
        }
        self.add(&aliases);
        (self.new_instances, self.new_functions) = (1, 1);
        Ok(())
    }

    fn instance(&mut self, instance: Instance<'_>) -> Result<(), String> {
        self.instances.push(match instance {
            Instance::Instantiate { module_index, args } => {
                let args = args.iter().map(|arg| (arg.name.to_owned(), arg.index));
                Made::Module(module_index, args.collect())
            }
            Instance::FromExports(exports) => Made::Functions(
                exports
                    .iter()
                    .filter(|export| export.kind == ExternalKind::Func)
                    .map(|export| (export.name.to_owned(), export.index))
                    .collect(),
            ),
        });
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) -> Result<(), String> {
        let mut aliases = ComponentAliasSection::new();
        match *alias {
            ComponentAlias::CoreInstanceExport {
                kind: ExternalKind::Func,
                instance_index,
                name,
            } => {
                let made = usize::try_from(instance_index)
                    .ok()
                    .and_then(|index| self.instances.get(index));
                self.functions.push(match made {
                    Some(Made::Module(0, _)) => Function::Guest(name.to_owned()),
                    _ => Function::Stub(name.to_owned()),
                });
                return Ok(());
            }
            // The guest's memory and the stubs' table.
            ComponentAlias::CoreInstanceExport { .. } => return Ok(()),
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => aliases.alias(Alias::InstanceExport {
                instance: instance_index,
                kind: ComponentExportKind::from(kind),
                name,
            }),
            ComponentAlias::Outer { kind, count, index } => aliases.alias(Alias::Outer {
                kind: kind.into(),
                count,
                index,
            }),
        };
        self.add(&aliases);
        Ok(())
    }

    fn canonical(&mut self, function: &CanonicalFunction) -> Result<(), String> {
        let mut section = CanonicalFunctionSection::new();
        match function {
            CanonicalFunction::Lower {
                func_index,
                options,
            } => {
                section.lower(*func_index, self.options(options)?);
                self.host();
            }
            CanonicalFunction::ResourceDrop { resource } => {
                section.resource_drop(*resource);
                self.host();
            }
            CanonicalFunction::Lift {
                core_func_index,
                type_index,
                options,
            } => {
                self.instantiate_guest()?;
                let function = self.resolve(*core_func_index)?;
                section.lift(function, *type_index, self.options(options)?);
            }
            other => return Err(format!("{other:?} is not used by any plugin of ours")),
        }
        self.add(&section);
        Ok(())
    }

    /// A function of the host was written.
    fn host(&mut self) {
        self.functions.push(Function::Host(self.new_functions));
        self.new_functions += 1;
    }

    fn options(
        &mut self,
        options: &[wasmparser::CanonicalOption],
    ) -> Result<Vec<CanonicalOption>, String> {
        use wasmparser::CanonicalOption as Old;
        let mut new = Vec::new();
        for option in options {
            new.push(match option {
                Old::UTF8 => CanonicalOption::UTF8,
                Old::Memory(_) => CanonicalOption::Memory(0),
                Old::Realloc(_) => CanonicalOption::Realloc(0),
                Old::PostReturn(function) => CanonicalOption::PostReturn(self.resolve(*function)?),
                other => return Err(format!("{other:?} is not used by any plugin of ours")),
            });
        }
        Ok(new)
    }

    /// Makes the guest's instance, once all that it imports is there.
    fn instantiate_guest(&mut self) -> Result<(), String> {
        if self.guest.is_some() {
            return Ok(());
        }
        let args = self
            .instances
            .iter()
            .find_map(|made| match made {
                Made::Module(0, args) => Some(args.clone()),
                _ => None,
            })
            .ok_or("the guest's module is never instantiated")?;
        let mut section = InstanceSection::new();
        let mut given = vec![(MEMORY_MODULE.to_owned(), ModuleArg::Instance(0))];
        for (name, instance) in args {
            let functions = self.functions_of(instance)?.to_vec();
            let mut exports = Vec::new();
            for (function, index) in functions {
                exports.push((function, ExportKind::Func, self.resolve(index)?));
            }
            section.export_items(exports);
            given.push((name, ModuleArg::Instance(self.new_instances)));
            self.new_instances += 1;
        }
        section.instantiate(1, given);
        self.guest = Some(self.new_instances);
        self.new_instances += 1;
        self.add(&section);
        Ok(())
    }

    fn functions_of(&self, instance: u32) -> Result<&[(String, u32)], String> {
        let made = usize::try_from(instance)
            .ok()
            .and_then(|index| self.instances.get(index));
        match made {
            Some(Made::Functions(functions)) => Ok(functions),
            _ => Err("an argument that is no list of functions".to_owned()),
        }
    }

    /// The index in the new component of a core function of the old one.
    fn resolve(&mut self, old: u32) -> Result<u32, String> {
        let function = usize::try_from(old)
            .ok()
            .and_then(|index| self.functions.get(index))
            .ok_or("a function that does not exist")?;
        match function.clone() {
            Function::Host(index) => Ok(index),
            Function::Stub(place) => self.behind(&place),
            Function::Guest(name) => self.of_guest(&name),
        }
    }

    /// The host's function that is put into a stub's place.
    fn behind(&self, place: &str) -> Result<u32, String> {
        // The last module but the guest's own and the stubs' is the one that fills the table in.
        let filler = self.instances.iter().find_map(|made| match made {
            Made::Module(module, args) if *module > 1 => Some(args),
            _ => None,
        });
        for (_, instance) in filler.ok_or("nothing fills the stubs in")? {
            let Ok(functions) = self.functions_of(*instance) else {
                continue;
            };
            let found = functions.iter().find(|(name, _)| name == place);
            let function = found.and_then(|(_, index)| {
                usize::try_from(*index)
                    .ok()
                    .and_then(|index| self.functions.get(index))
            });
            if let Some(Function::Host(index)) = function {
                return Ok(*index);
            }
        }
        Err(format!("nothing is behind stub {place}"))
    }

    fn of_guest(&mut self, name: &str) -> Result<u32, String> {
        if let Some(index) = self.of_guest.get(name) {
            return Ok(*index);
        }
        let instance = self.guest.ok_or("the guest is asked before it is made")?;
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::CoreInstanceExport {
            instance,
            kind: ExportKind::Func,
            name,
        });
        self.add(&aliases);
        let index = self.new_functions;
        self.new_functions += 1;
        self.of_guest.insert(name.to_owned(), index);
        Ok(index)
    }
}
