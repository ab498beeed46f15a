//! How much stack the calls of a program take.
//!
//! The kernel adds up the stacks of functions that call each other, and refuses a program if a chain takes more than 512 bytes; how
//! much room there is left it does not say. Here it is read from the object: a function's stack is as deep as the lowest
//! offset from the frame pointer (R10) that it uses, rounded up as the kernel does for its JIT (`round_up_stack_depth`).

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

/// The kernel's limit (`MAX_BPF_STACK`), in bytes.
pub(crate) const LIMIT: u32 = 512;
/// A frame is a multiple of this.
const FRAME_BYTES: u32 = 16;
const FRAME_POINTER: u8 = 10;

/// Functions that call each other, and the bytes of stack that each takes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain(Vec<(String, u32)>);

impl Chain {
    /// The bytes of all of them.
    pub(crate) fn bytes(&self) -> u32 {
        self.0.iter().map(|(_, bytes)| bytes).sum()
    }
}

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<String> = self.0.iter().map(|(name, bytes)| format!("{name} {bytes}")).collect();
        f.write_str(&words.join(" → "))
    }
}

struct Function {
    stack_bytes: u32,
    /// The names of those that it calls.
    calls: Vec<String>,
}

/// The functions of an object.
pub(crate) struct Functions(BTreeMap<String, Function>);

impl Functions {
    /// Reads an object.
    pub(crate) fn of(object: &[u8]) -> Result<Self> {
        let file = object::File::parse(object)?;
        let mut functions = BTreeMap::new();
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
            let section = file.section_by_index(symbol.section_index().context("a function without a section")?)?;
            let (start, end) = (symbol.address(), symbol.address() + symbol.size());
            let code = section.data()?.get(start as usize..end as usize).context("a function outside its section")?;
            let mut calls = Vec::new();
            for (_, relocation) in section.relocations().filter(|(at, _)| (start..end).contains(at)) {
                let RelocationTarget::Symbol(target) = relocation.target() else { continue };
                let target = file.symbol_by_index(target)?;
                if target.kind() == SymbolKind::Text {
                    calls.push(target.name()?.to_owned());
                }
            }
            functions.insert(symbol.name()?.to_owned(), Function { stack_bytes: stack_bytes(code), calls });
        }
        Ok(Self(functions))
    }

    /// The chain of calls from a function that takes the most stack.
    pub(crate) fn deepest(&self, name: &str) -> Chain {
        let Some(function) = self.0.get(name) else { return Chain::default() };
        let deepest = function.calls.iter().map(|call| self.deepest(call)).max_by_key(Chain::bytes);
        let own = (name.to_owned(), function.stack_bytes);
        Chain([own].into_iter().chain(deepest.unwrap_or_default().0).collect())
    }
}

/// How much stack some instructions use: by loads and stores, and by addresses that are made from the frame pointer.
fn stack_bytes(code: &[u8]) -> u32 {
    const LDX: u8 = 1;
    const ST: u8 = 2;
    const STX: u8 = 3;
    const JMP: u8 = 5;
    const JMP32: u8 = 6;
    const MOV: u8 = 0xbf;
    const ADD: u8 = 0x07;
    let mut lowest = 0;
    // Registers that hold the frame pointer.
    let mut copies = [false; 16];
    for &[code, registers, low, high, ref number @ ..] in code.as_chunks::<8>().0 {
        let (destination, source) = (registers & 15, registers >> 4);
        let offset = i32::from(i16::from_le_bytes([low, high]));
        let number = i32::from_le_bytes(*number);
        let base = match code & 7 {
            LDX => Some(source),
            ST | STX => Some(destination),
            _ => None,
        };
        if base == Some(FRAME_POINTER) {
            lowest = lowest.min(offset);
        }
        if code == ADD && copies[usize::from(destination)] {
            lowest = lowest.min(number);
        }
        if !matches!(code & 7, ST | STX | JMP | JMP32) {
            copies[usize::from(destination)] = code == MOV && source == FRAME_POINTER;
        }
    }
    lowest.unsigned_abs().next_multiple_of(FRAME_BYTES)
}
