//! A moment, for people to read. Nothing is ever ordered by it: devices have
//! no clock at boot, transactions are ordered by their number.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::words::{serde_as_text, shorten};

/// A moment in UTC with milliseconds; RFC 3339 on disk and in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(Timestamp);

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is no RFC 3339 time: {detail}", .text.escape_debug())]
pub struct TimeError {
    /// What was given, shortened.
    pub text: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Time {
    /// The clock of the system, for programs that begin or end something.
    pub fn now() -> Self {
        Self::from(Timestamp::now())
    }

    /// The moment as jiff's type, to print it in a local form.
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }

    /// Milliseconds since 1970.
    pub fn as_millisecond(self) -> i64 {
        self.0.as_millisecond()
    }

    /// The moment so many milliseconds after 1970.
    pub fn from_millisecond(milliseconds: i64) -> Result<Self, TimeError> {
        Timestamp::from_millisecond(milliseconds)
            .map(Self)
            .map_err(|error| TimeError {
                text: milliseconds.to_string(),
                detail: error.to_string(),
            })
    }
}

impl From<Timestamp> for Time {
    /// Cut to milliseconds, so that what is written is what is read again.
    fn from(timestamp: Timestamp) -> Self {
        let cut = Timestamp::from_millisecond(timestamp.as_millisecond());
        Self(cut.unwrap_or(timestamp))
    }
}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse::<Timestamp>()
            .map(Self::from)
            .map_err(|error| TimeError {
                text: shorten(text),
                detail: error.to_string(),
            })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

serde_as_text!(Time);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn is_rfc_3339_in_utc() {
        let time: Time = "2026-11-21T10:48:00.1239+02:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-21T08:48:00.123Z");
        assert!("yesterday".parse::<Time>().is_err());
        assert!("".parse::<Time>().is_err());
    }

    proptest! {
        #[test]
        fn round_trips(milliseconds in -62_135_596_800_000_i64..253_402_207_200_000) {
            let time = Time::from_millisecond(milliseconds).unwrap();
            prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
            prop_assert_eq!(time.as_millisecond(), milliseconds);
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = text.parse::<Time>();
        }
    }
}
