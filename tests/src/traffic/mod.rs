//! Traffic from real sockets, and an honest account of what became of it.
//!
//! [`Load`] makes many short HTTP requests and says who answered them; [`Transfer`] is one long connection whose every
//! byte is compared; [`ask_udp`] sends datagrams of many flows. All of it runs in a thread inside a namespace, so that
//! it starts and stops independently of what the test does meanwhile.

mod failure;
mod flood;
mod http;
mod load;
mod report;
mod stream;
mod transfer;
mod transfer_server;
mod transfers;
mod udp;
mod worker;

pub use failure::Failure;
pub use flood::{Flood, FloodOptions};
pub use load::{Load, LoadOptions};
pub use report::Report;
pub use stream::Stream;
pub use transfer::{Direction, Transfer, TransferOptions};
pub use transfer_server::TransferServer;
pub use transfers::{MANY, by_server, transfers};
pub use udp::{UdpEcho, UdpOptions, ask_udp};
