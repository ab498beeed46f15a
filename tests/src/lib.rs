//! What Sluice's tests are made of: networks with real servers ([`lab`]) and traffic to put on them ([`traffic`]).

pub mod lab;
pub mod traffic;
