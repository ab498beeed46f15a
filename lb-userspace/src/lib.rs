//! Sluice's control plane: everything that happens in user space.
//!
//! A change travels from top to bottom: [`cli`] → [`api`] → [`daemon`] → [`config`] (the document) → [`model`] (what it
//! means) → [`plan`] (the pure difference) → [`dataplane`] (the one place that touches the kernel's tables).

pub mod agent;
pub mod api;
pub mod cli;
pub mod config;
pub mod crowdsec;
pub mod daemon;
pub mod dataplane;
pub mod feeds;
pub mod health;
pub mod lists;
pub mod model;
pub mod plan;
pub mod ring;
pub mod routes;
pub mod telemetry;
pub mod twin;
