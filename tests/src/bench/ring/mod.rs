//! `bench ring`: what a ring costs, and how good it is.
//!
//! Problem: a ring is built anew for every change, in the daemon's one task, and each row that a change moves without need
//! makes somebody's row ask the flow table. Mechanism: rings of the product and of plain rendezvous hashing
//! ([`algorithm`]) are built for many sizes; time and memory of a build are measured, and from rings before and
//! after a change follows what it moved beyond need ([`quality`]). Trade-off: quality is a mean over a few seeds, which
//! differ by some per cent of it.

pub mod algorithm;
pub mod quality;
mod report;

use std::hint::black_box;

use anyhow::Result;
use lb_userspace::ring::Member;

pub use self::report::{Report, Row};
use self::{
    algorithm::{ALGORITHMS, Algorithm},
    quality::{equals, measure},
};
use super::{harness::cpu_ns, heap::Heap, report::Statistic};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Builds whose time is taken.
    pub builds: usize,
    /// Seeds that the quality is the mean of.
    pub seeds: u64,
}

/// The sizes of rings, as powers of two.
const BITS: [u32; 2] = [12, 16];
/// The numbers of backends.
const BACKENDS: [usize; 5] = [10, 30, 100, 300, 1000];

/// Measures every ring. The heap is the one that this program runs on.
///
/// # Errors
///
/// The kernel has no clock of the thread's time.
pub fn run(effort: Effort, heap: &Heap) -> Result<Report> {
    let mut rings = Vec::new();
    for bits in BITS {
        for backends in BACKENDS {
            for algorithm in ALGORITHMS {
                rings.push(ring(algorithm, bits, backends, effort, heap)?);
            }
        }
    }
    Ok(Report { builds: effort.builds, seeds: effort.seeds, rings })
}

fn ring(algorithm: Algorithm, bits: u32, backends: usize, effort: Effort, heap: &Heap) -> Result<Row> {
    let members = equals(backends);
    let (build_ms, heap_bytes) = cost(algorithm, bits, &members, effort.builds, heap)?;
    let quality = measure(algorithm, bits, backends, effort.seeds);
    Ok(Row { algorithm, rows: 1 << bits, backends, build_ms, heap_bytes, quality })
}

/// Milliseconds of a build on its CPU, and the most memory that one needs at once, its result included.
fn cost(algorithm: Algorithm, bits: u32, members: &[Member], builds: usize, heap: &Heap) -> Result<(Statistic, usize)> {
    let (_, heap_bytes) = heap.peak_of(|| algorithm.owners(bits, 0, members));
    let build_ms = |seed| {
        let start_ns = cpu_ns()?;
        black_box(algorithm.owners(bits, seed, members));
        Ok((cpu_ns()? - start_ns) as f64 / 1e6)
    };
    let times = (1..=builds as u64).map(build_ms).collect::<Result<Vec<f64>>>()?;
    Ok((Statistic::of(&times), heap_bytes))
}
