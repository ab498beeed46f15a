//! The firewall's lists: what is on them, and how the tables that the datapath reads are brought to it.
//!
//! [`Lists`] is data: for each list a large sorted set of prefixes, which is shared and never changed, and the entries that
//! have something of their own (a lifetime, a counter). [`ListTables`] writes the difference between two of them with plain
//! stores into a [`Memory`]: the kernel's maps, or, for tests, the heap. [`formats`] reads the
//! files that lists come in.

mod compose;
mod content;
pub mod formats;
mod memory;
mod prefixes;
mod reader;
mod scopes;
mod size;
mod table;

#[cfg(test)]
mod tests;

pub use self::{
    compose::{ComposeError, Extras},
    content::{List, Lists, Own},
    memory::{Heap, Memory, Region},
    prefixes::{Net4, Net6, Prefixes},
    reader::Reader,
    scopes::Scopes,
    size::Sizes,
    table::{Full, ListTables, Slots, names},
};
