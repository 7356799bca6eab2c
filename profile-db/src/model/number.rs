//! The number of a transaction.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::words::shorten;

/// The number of a transaction: counted per pool from 1, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct TransactionNumber(i64);

/// Why something is no transaction number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is no transaction number (a whole number from 1)", .text.escape_debug())]
pub struct NumberError {
    /// What was given, shortened.
    pub text: String,
}

impl TransactionNumber {
    /// The number, if it is one: from 1 upwards.
    pub fn new(number: i64) -> Result<Self, NumberError> {
        if number >= 1 {
            Ok(Self(number))
        } else {
            Err(NumberError {
                text: number.to_string(),
            })
        }
    }

    /// The number as an integer.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for TransactionNumber {
    type Error = NumberError;

    fn try_from(number: i64) -> Result<Self, NumberError> {
        Self::new(number)
    }
}

impl From<TransactionNumber> for i64 {
    fn from(number: TransactionNumber) -> i64 {
        number.0
    }
}

impl FromStr for TransactionNumber {
    type Err = NumberError;

    /// Plain decimal without sign or leading zero, so that a number has one
    /// form only: snapshots are named after it.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let wrong = || NumberError {
            text: shorten(text),
        };
        if text.starts_with('0') || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        text.parse().map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for TransactionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "",
            "0",
            "-1",
            "+1",
            "01",
            "1 ",
            "1.0",
            "9223372036854775808",
            "x",
        ] {
            assert!(text.parse::<TransactionNumber>().is_err(), "{text:?}");
        }
        assert_eq!(
            "-1".parse::<TransactionNumber>().unwrap_err().to_string(),
            "'-1' is no transaction number (a whole number from 1)"
        );
        assert!(serde_json::from_str::<TransactionNumber>("0").is_err());
    }

    proptest! {
        #[test]
        fn round_trips(number in 1..=i64::MAX) {
            let number = TransactionNumber::new(number).unwrap();
            prop_assert_eq!(number.to_string().parse::<TransactionNumber>().unwrap(), number);
            let json = serde_json::to_string(&number).unwrap();
            prop_assert_eq!(serde_json::from_str::<TransactionNumber>(&json).unwrap(), number);
        }
    }
}
