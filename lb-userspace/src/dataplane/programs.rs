//! The BPF objects that the binary carries.

use aya::include_bytes_aligned;

/// The load balancer.
pub static LB_OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sluice-lb"));
/// The agent.
pub static AGENT_OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sluice-agent"));
/// The bench's wrapper and floor.
pub static BENCH_OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/sluice-bench"));

/// The name of the load balancer's program in [`LB_OBJECT`].
pub const LB_PROGRAM: &str = "sluice_lb";
