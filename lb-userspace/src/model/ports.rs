//! The ports of a service.

use std::fmt;

use lb_common::PortSpan;

/// The ports of a service: single ones and ranges, which do not overlap; or any port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(Vec<PortSpan>);

impl Ports {
    /// Any port.
    pub const ANY: Self = Self(Vec::new());

    /// These ports, in the order in which they were written. None at all is any port.
    pub const fn new(spans: Vec<PortSpan>) -> Self {
        Self(spans)
    }

    /// Whether this is any port.
    pub const fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// The single ports and ranges, in the order in which they were written.
    pub fn spans(&self) -> &[PortSpan] {
        &self.0
    }

    /// The only port, if there is but one.
    pub fn only(&self) -> Option<u16> {
        match self.0.as_slice() {
            [span] => single(*span),
            _ => None,
        }
    }

    /// The first of the single ports.
    pub fn first_single(&self) -> Option<u16> {
        self.singles().next()
    }

    /// The single ports.
    pub fn singles(&self) -> impl Iterator<Item = u16> {
        self.0.iter().filter_map(|span| single(*span))
    }

    /// The ranges of more than one port.
    pub fn ranges(&self) -> impl Iterator<Item = PortSpan> {
        self.0.iter().copied().filter(|span| single(*span).is_none())
    }
}

fn single(span: PortSpan) -> Option<u16> {
    (span.first == span.last).then_some(span.first)
}

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self(vec![PortSpan { first: port, last: port }])
    }
}

impl fmt::Display for Ports {
    /// `any`, `80` or `80,443,8000-8100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("any");
        }
        for (index, span) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            match single(*span) {
                Some(port) => write!(f, "{comma}{port}")?,
                None => write!(f, "{comma}{}-{}", span.first, span.last)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_shown_as_they_are_written() {
        let spans = [(80, 80), (8000, 8100), (443, 443)].map(|(first, last)| PortSpan { first, last });
        let ports = Ports::new(spans.into());
        assert_eq!(ports.to_string(), "80,8000-8100,443");
        assert_eq!((ports.only(), ports.first_single()), (None, Some(80)));
        assert_eq!(ports.ranges().collect::<Vec<_>>(), [spans[1]]);
        assert_eq!((Ports::ANY.to_string(), Ports::from(53).to_string()), ("any".into(), "53".into()));
        assert_eq!(Ports::from(53).only(), Some(53));
    }
}
