//! Splits a guest's module: its memory, with the allocator of what the host hands over, becomes a
//! module of its own.
//!
//! The guest's allocator is the SDK's: it hands out the rest of the memory in order, and its state is
//! two words in that memory. The allocator made here works on the same two words, so that both hand out
//! one heap.

use std::ops::Range;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    BlockType, CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    ImportSection, MemArg, MemorySection, MemoryType, Module, RawSection, TypeSection, ValType,
};
use wasmparser::{ExternalKind, Operator, Parser, Payload};

/// By which name the guest's module imports its memory.
pub(crate) const MEMORY_MODULE: &str = "hookgate:memory";
pub(crate) const MEMORY: &str = "memory";
pub(crate) const REALLOC: &str = "realloc";

/// The first free byte and the end of the memory, one word each; both 0 before the first allocation.
const STATE: &str = "hookgate_heap";
/// Set by the linker: the first byte behind stack and data.
const BASE: &str = "__heap_base";

const PAGE_SHIFT: i32 = 16;

/// The two modules, encoded.
pub(crate) struct Split {
    pub(crate) memory: Module,
    pub(crate) guest: Vec<u8>,
}

pub(crate) fn split(module: &[u8]) -> Result<Split, String> {
    let text = |error: wasmparser::BinaryReaderError| error.to_string();
    let mut guest = Module::new();
    let (mut memory, mut imports) = (None, false);
    let mut globals = Vec::new();
    let mut named = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(text)? {
            Payload::ImportSection(section) => {
                let mut new = ImportSection::new();
                RoundtripReencoder
                    .parse_import_section(&mut new, section)
                    .map_err(|error| error.to_string())?;
                let declared = memory_of(module)?;
                new.import(MEMORY_MODULE, MEMORY, EntityType::Memory(declared));
                guest.section(&new);
                (memory, imports) = (Some(declared), true);
            }
            Payload::MemorySection(_) => {}
            Payload::GlobalSection(section) => {
                for global in section.clone() {
                    let mut constant = global.map_err(text)?.init_expr.get_operators_reader();
                    globals.push(match constant.read().map_err(text)? {
                        Operator::I32Const { value } => Some(value),
                        _ => None,
                    });
                }
                copy(&mut guest, 6, module, section.range());
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export.map_err(text)?;
                    if export.kind == ExternalKind::Global {
                        named.push((export.name, export.index));
                    }
                }
                copy(&mut guest, 7, module, section.range());
            }
            Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    copy(&mut guest, id, module, range);
                }
            }
        }
    }
    let constant = |name: &str| {
        named
            .iter()
            .find(|(found, _)| *found == name)
            .and_then(|(_, index)| *globals.get(usize::try_from(*index).ok()?)?)
            .ok_or(format!(
                "it does not export `{name}`: it is not made with the SDK"
            ))
    };
    let memory = memory.filter(|_| imports).ok_or("it imports nothing")?;
    Ok(Split {
        memory: allocator(memory, constant(STATE)?, constant(BASE)?),
        guest: guest.finish(),
    })
}

fn copy(module: &mut Module, id: u8, from: &[u8], range: Range<u64>) {
    let data = slice(from, range);
    module.section(&RawSection { id, data });
}

/// The bytes of a section.
pub(crate) fn slice(bytes: &[u8], range: Range<u64>) -> &[u8] {
    let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
    match (start, end) {
        (Ok(start), Ok(end)) => bytes.get(start..end).unwrap_or_default(),
        _ => &[],
    }
}

fn memory_of(module: &[u8]) -> Result<MemoryType, String> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::MemorySection(section) = payload.map_err(|error| error.to_string())?
            && let Some(memory) = section.into_iter().next()
        {
            let memory = memory.map_err(|error| error.to_string())?;
            return Ok(MemoryType {
                minimum: memory.initial,
                maximum: memory.maximum,
                memory64: memory.memory64,
                shared: memory.shared,
                page_size_log2: memory.page_size_log2,
            });
        }
    }
    Err("it has no memory".to_owned())
}

/// The module that has the memory: `realloc(block, size, align, new size) -> block`, as the canonical
/// ABI calls it. Traps when the host gives no more memory.
fn allocator(memory: MemoryType, state: i32, base: i32) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(memory);
    let mut exports = ExportSection::new();
    exports.export(MEMORY, ExportKind::Memory, 0);
    exports.export(REALLOC, ExportKind::Func, 0);
    let mut code = CodeSection::new();
    code.function(&realloc(state, base));
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&memories)
        .section(&exports)
        .section(&code);
    module
}

fn realloc(state: i32, base: i32) -> Function {
    let word = |offset| MemArg {
        offset,
        align: 2,
        memory_index: 0,
    };
    let (next, end) = (word(0), word(4));
    // Parameters, then locals.
    let (block, size, align, new_size, start, after) = (0, 1, 2, 3, 4, 5);
    let mut function = Function::new([(2, ValType::I32)]);
    let mut code = function.instructions();
    // The first allocation finds out what there is.
    code.i32_const(state).i32_load(end).i32_eqz();
    code.if_(BlockType::Empty);
    code.i32_const(state).i32_const(base).i32_store(next);
    code.i32_const(state);
    code.memory_size(0).i32_const(PAGE_SHIFT).i32_shl();
    code.i32_store(end);
    code.end();
    // start = next, moved up to its alignment
    code.i32_const(state).i32_load(next);
    code.local_get(align).i32_add().i32_const(1).i32_sub();
    code.i32_const(0).local_get(align).i32_sub().i32_and();
    code.local_tee(start);
    code.local_get(new_size).i32_add().local_set(after);
    // Beyond the address space it would wrap around.
    code.local_get(after).local_get(start).i32_lt_u();
    code.if_(BlockType::Empty).unreachable().end();
    // Grows by whole pages, and only when needed.
    code.local_get(after)
        .i32_const(state)
        .i32_load(end)
        .i32_gt_u();
    code.if_(BlockType::Empty);
    code.local_get(after)
        .i32_const(state)
        .i32_load(end)
        .i32_sub();
    code.i32_const((1 << PAGE_SHIFT) - 1).i32_add();
    code.i32_const(PAGE_SHIFT).i32_shr_u();
    code.memory_grow(0).i32_const(-1).i32_eq();
    code.if_(BlockType::Empty).unreachable().end();
    code.i32_const(state);
    code.memory_size(0).i32_const(PAGE_SHIFT).i32_shl();
    code.i32_store(end);
    code.end();
    code.i32_const(state).local_get(after).i32_store(next);
    // What was there moves along; the canonical ABI only ever lets a block grow.
    code.local_get(size);
    code.if_(BlockType::Empty);
    code.local_get(start).local_get(block).local_get(size);
    code.memory_copy(0, 0);
    code.end();
    code.local_get(start).end();
    function
}
