//! SYN protection as the operator wants it.

use std::time::Duration;

/// When a service is protected against floods of SYNs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SynProtection {
    /// Never.
    #[default]
    Off,
    /// While too many handshakes are not finished.
    Auto,
    /// At any time.
    Always,
    /// Never, but what would be done is counted and said.
    Monitor,
}

impl SynProtection {
    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Monitor => "monitor",
        }
    }
}

/// What SYN protection does, for all services alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syn {
    /// From so many handshakes a second that are not finished on, a service is protected.
    pub enter: u32,
    /// It is no longer when they have been fewer than this …
    pub leave: u32,
    /// … for this long.
    pub hold: Duration,
    /// For how long a source that has proved itself is let in.
    pub keep: Duration,
    /// How many SYNs a second such a source may send.
    pub per_source: u16,
    /// How many SYNs a second are answered to the sources of one prefix: an IPv4 /24, an IPv6 /56.
    pub answers: u32,
    /// How many SYNs a second are let in because they came again, for each service.
    pub retries: u32,
}

impl Default for Syn {
    /// A backend's queue of half-open connections has a few thousand places that are held for about a minute, so a thousand
    /// unfinished handshakes a second fill it in seconds. What a source may send is for proxies and networks
    /// behind one address; a prefix may have 256 newcomers a second, and whoever makes their addresses up can send no more to it.
    fn default() -> Self {
        Self {
            enter: 1000,
            leave: 500,
            hold: Duration::from_secs(30),
            keep: Duration::from_secs(300),
            per_source: 256,
            answers: 256,
            retries: 1000,
        }
    }
}
