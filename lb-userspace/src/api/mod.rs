//! The API: HTTP/JSON over a Unix socket.

pub mod types;
