//! `cargo xtask verify`: what the kernel's verifier makes of the programs.

mod stack;

use std::{process::ExitCode, time::Instant};

use anyhow::{Context as _, Result};
use aya::{
    EbpfLoader,
    programs::{Program, Xdp},
};
use comfy_table::{CellAlignment, Table, presets};
use lb_userspace::dataplane::{AGENT_OBJECT, BENCH_OBJECT, LB_OBJECT};
use tests::bench::sandbox;

use self::stack::{Chain, Functions};

/// How many instructions the verifier may walk, by program. It refuses a million; a program that grows towards that loads
/// slowly, and one more feature doubles it. Measured with rustc 1.99.1 on Linux 6.18: 219,425 (a third of
/// them in `full-nat`'s functions and a quarter in those of rules and limits, which are walked once, by themselves),
/// 3,902, 402, 402, 2, 2, 41, 380, 35, 18, 496, 149, 70, 68, 88 and 506.
const BUDGETS: [(&str, u32); 16] = [
    ("sluice_lb", 300_000),
    ("sluice_agent", 10_000),
    ("sluice_wrapper", 2_000),
    ("sluice_linear_wrapper", 2_000),
    ("sluice_floor", 10),
    ("sluice_linear_floor", 10),
    ("sluice_poison", 500),
    ("sluice_generator", 2_000),
    ("sluice_bare", 100),
    ("sluice_sink", 100),
    ("sluice_sources", 1_000),
    ("sluice_trie", 200),
    ("sluice_trie_floor", 200),
    ("sluice_source_sink", 200),
    ("sluice_trie_sink", 200),
    ("sluice_crowd", 1_000),
];

/// What the kernel says of a loaded program.
struct Loaded {
    name: String,
    verified: u32,
    instructions: u32,
    machine_code_bytes: u32,
    load_ms: u128,
    /// The calls that take the most stack.
    stack: Chain,
}

fn main() -> Result<ExitCode> {
    sandbox::enter()?;
    let mut programs = Vec::new();
    for object in [LB_OBJECT, AGENT_OBJECT, BENCH_OBJECT] {
        programs.extend(load(object)?);
    }
    println!("{}", table(&programs));
    if let Some(deepest) = programs.iter().map(|program| &program.stack).max_by_key(|stack| stack.bytes()) {
        println!("\nThe deepest stack has {} of {} bytes: {deepest}", deepest.bytes(), stack::LIMIT);
    }
    let mut code = ExitCode::SUCCESS;
    for program in &programs {
        let budget = budget(&program.name);
        if program.verified > budget {
            eprintln!("{}: {} verified instructions, over the budget of {budget}", program.name, program.verified);
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// A program that the table does not name has no budget, so that nobody forgets to give it one.
fn budget(name: &str) -> u32 {
    BUDGETS.iter().find(|(known, _)| *known == name).map_or(0, |(_, budget)| *budget)
}

fn load(object: &[u8]) -> Result<Vec<Loaded>> {
    let mut ebpf = EbpfLoader::new().default_map_pin_directory(sandbox::pins("")).load(object)?;
    let functions = Functions::of(object)?;
    let programs = ebpf.programs_mut().map(|(name, program)| (name.to_owned(), program));
    programs.map(|(name, program)| measure(&name, program, &functions).with_context(|| name)).collect()
}

fn measure(name: &str, program: &mut Program, functions: &Functions) -> Result<Loaded> {
    let program: &mut Xdp = program.try_into()?;
    let start = Instant::now();
    program.load()?;
    let load_ms = start.elapsed().as_millis();
    let info = program.info()?;
    Ok(Loaded {
        name: name.to_owned(),
        verified: info.verified_instruction_count().context("the kernel does not count them before Linux 5.16")?,
        instructions: info.size_translated().context("the kernel does not show them")? / 8,
        machine_code_bytes: info.size_jitted(),
        load_ms,
        stack: functions.deepest(name),
    })
}

fn table(programs: &[Loaded]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["program", "verified", "budget", "instructions", "machine code bytes", "load ms", "stack bytes"]);
    for program in programs {
        let numbers = [program.verified, budget(&program.name), program.instructions, program.machine_code_bytes];
        let mut row = vec![program.name.clone()];
        row.extend(numbers.map(|number| number.to_string()));
        row.extend([program.load_ms.to_string(), program.stack.bytes().to_string()]);
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
