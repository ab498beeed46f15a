//! The connection that an operator types over, which a change must not cut without being told to.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{problem::Problem, types::ApiError};

/// The header of requests that carries it. Without it nobody's connection is spared.
pub(super) const HEADER: &str = "sluice-operator";

/// A connection of an operator's to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The operator's end.
    pub client: SocketAddr,
    /// This node's end.
    pub server: SocketAddr,
}

/// Reads what sshd(8) writes into `SSH_CONNECTION`: client's address and port, server's address and port.
impl FromStr for Operator {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let [client, client_port, server, server_port] = parts[..] else { return Err(unreadable(text)) };
        let end = |address: &str, port: &str| {
            // The zone of a link-local address is a matter of the other end's.
            let address: IpAddr = address.split('%').next()?.parse().ok()?;
            Some(SocketAddr::new(address.to_canonical(), port.parse().ok()?))
        };
        let ends = end(client, client_port).zip(end(server, server_port));
        ends.map(|(client, server)| Self { client, server }).ok_or_else(|| unreadable(text))
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, server } = self;
        write!(f, "{} {} {} {}", client.ip(), client.port(), server.ip(), server.port())
    }
}

fn unreadable(text: &str) -> ApiError {
    ApiError::usage(format_args!(
        "`{}` is no connection: write the client's address and port, and the node's, like `192.0.2.7 50000 192.0.2.1 22`",
        text.escape_debug()
    ))
}

/// Who asks, if the request says so.
pub(super) struct Asker(pub(super) Option<Operator>);

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self(None)) };
        let text = String::from_utf8_lossy(value.as_bytes());
        Ok(Self(Some(text.parse()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sshd_writes_is_read_and_written_again() {
        for (text, written) in [
            ("192.0.2.7 50000 192.0.2.1 22", "192.0.2.7 50000 192.0.2.1 22"),
            ("2001:db8::7 50000 2001:db8::1 22", "2001:db8::7 50000 2001:db8::1 22"),
            ("fe80::7%eth0 50000 fe80::1%eth0 22", "fe80::7 50000 fe80::1 22"),
            ("::ffff:192.0.2.7 1 ::ffff:192.0.2.1 2", "192.0.2.7 1 192.0.2.1 2"),
        ] {
            assert_eq!(text.parse::<Operator>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "192.0.2.7", "192.0.2.7 50000 192.0.2.1", "a 1 b 2", "192.0.2.7 70000 192.0.2.1 22"] {
            let error = text.parse::<Operator>().unwrap_err();
            assert!(error.usage && error.error.contains("192.0.2.7 50000 192.0.2.1 22"), "{error}");
        }
    }
}
