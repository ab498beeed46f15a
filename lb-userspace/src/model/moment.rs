//! Points in time, as calendars have them.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// A point in time, in seconds since the beginning of 1970 in UTC; as text what RFC 3339 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(u64);

impl Moment {
    /// The last second that RFC 3339 has a text for, at the end of the year 9999.
    const LAST: u64 = 253_402_300_799;

    /// A point in time by its seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(if seconds < Self::LAST { seconds } else { Self::LAST })
    }

    /// By the machine's clock.
    pub fn now() -> Self {
        Self::from_seconds(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }

    /// Its seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// This much later.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self::from_seconds(self.0.saturating_add(duration.as_secs()))
    }

    /// Seconds from `earlier` to this; 0 if it is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.0)).fmt(f)
    }
}

impl FromStr for Moment {
    type Err = humantime::TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = humantime::parse_rfc3339(text)?;
        Ok(Self::from_seconds(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())))
    }
}

impl TryFrom<String> for Moment {
    type Error = humantime::TimestampError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_being_written() {
        for seconds in [0, 1_795_689_000, Moment::LAST] {
            let moment = Moment::from_seconds(seconds);
            assert_eq!(moment.to_string().parse::<Moment>().unwrap(), moment);
        }
        assert_eq!(Moment::from_seconds(1_795_689_000).to_string(), "2026-11-26T10:30:00Z");
        assert_eq!(Moment::from_seconds(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}
