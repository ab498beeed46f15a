//! What Sluice's tests are made of: networks with real servers ([`lab`]) and traffic to put on them ([`traffic`]); packets
//! ([`packet`]), the tables they meet ([`world`]) and what becomes of them ([`cases`]), of those, too, that nobody has thought
//! of ([`fuzz`]); and a node whose time can be made to pass ([`sim`]).

pub mod bench;
pub mod cases;
pub mod fuzz;
pub mod lab;
pub mod packet;
pub mod sim;
pub mod traffic;
pub mod world;

pub use lb_userspace::twin as tables;
