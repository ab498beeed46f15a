//! Small networks on one machine, with real servers and real sockets.
//!
//! A host is a network namespace that has no name and no process of its own: this process holds a descriptor of it,
//! so the kernel removes it with everything in it when the process ends, however it ends. Hosts meet on a [`Switch`].
//! Programs are started in a host with [`Namespace::command`], and die with the thread that started them.
//!
//! What it costs: tests need root, and the checksums that a card would compute are computed by the kernel, because
//! offloads would hide checksum faults (see [`Switch::attach`]).

mod agent;
mod bpffs;
mod browser;
mod crowdsec;
mod curl;
mod document;
mod echoes;
mod namespace;
mod nginx;
mod process;
mod publish;
mod receiver;
mod site;
mod sluice;
mod steering;
mod switch;
mod wait;

pub use agent::Agent;
pub use browser::browse;
pub use crowdsec::CrowdSec;
pub use curl::curl;
pub use document::{node_section, service_section, service_with_port};
pub use echoes::Echoes;
pub use namespace::Namespace;
pub use nginx::{Nginx, NginxOptions};
pub use process::Process;
pub use publish::Published;
pub use site::{Family, Site, addresses};
pub use sluice::{Answer, Sluice, sluice_binary};
pub use steering::Steering;
pub use switch::Switch;
pub use wait::until;
