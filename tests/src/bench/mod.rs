//! `bench datapath`: nanoseconds a packet, in the kernel.
//!
//! Problem: `BPF_PROG_TEST_RUN` with a repeat count hands a program its own output, and on a shared machine a figure
//! alone says little. Mechanism: a wrapper program restores the packet before each run and tail-calls the program under test
//! ([`harness`]); the same wrapper in front of a program that does nothing is the floor, measured in turn with the case within
//! every round. Each case ([`case`]) gets its tables the way the daemon makes them ([`node`]), and what the kernel
//! answers is compared with what the host library makes of the same packet and tables ([`host`]). Trade-off: one hot
//! packet in the cache of one CPU is the best case; the end-to-end bench shows the rest.

pub mod case;
pub mod firewall;
pub mod flood;
pub mod harness;
pub mod heap;
pub mod host;
pub mod measure;
pub mod node;
pub mod packet;
pub mod report;
pub mod ring;
pub mod sandbox;
pub mod traffic;
