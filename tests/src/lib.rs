//! skeleton

pub mod bench;
