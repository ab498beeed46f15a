//! What Sluice's tests are made of: networks with real servers ([`lab`]) and traffic to put on them ([`traffic`]); packets
//! ([`packet`]), the tables they meet ([`world`]) and what becomes of them ([`cases`]).

pub mod cases;
pub mod lab;
pub mod packet;
pub mod traffic;
pub mod world;
