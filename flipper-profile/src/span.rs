//! One transaction, or several that follow one another, as the command line names them.

/// `N` or `N..M`, both ends included; numbers begin with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: i64,
    /// The last; the first again where it is one.
    pub last: i64,
}

impl Span {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// It is neither, or the last comes before the first; in few words, as clap shows them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |text: &str| match text.parse::<i64>() {
            Ok(number) if number > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(number)
            }
            _ => Err(format!("'{text}' is no number of a transaction")),
        };
        let span = match text.split_once("..") {
            Some((first, last)) => Self {
                first: number(first)?,
                last: number(last)?,
            },
            None => {
                let number = number(text)?;
                Self {
                    first: number,
                    last: number,
                }
            }
        };
        match span.first <= span.last {
            true => Ok(span),
            false => Err(format!("{} comes after {}", span.first, span.last)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_and_several() {
        let span = |first, last| Ok(Span { first, last });
        assert_eq!(Span::parse("7"), span(7, 7));
        assert_eq!(Span::parse("7..9"), span(7, 9));
        assert_eq!(Span::parse("9..9"), span(9, 9));
        for wrong in [
            "",
            "0",
            "-1",
            "+1",
            "x",
            "..",
            "7..",
            "..7",
            "9..7",
            "7...9",
            "7..9..11",
            "7 ",
            "99999999999999999999",
        ] {
            assert!(Span::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(first in 1i64.., length in 0i64..1000) {
            let last = first.saturating_add(length);
            prop_assert_eq!(Span::parse(&format!("{first}..{last}")), Ok(Span { first, last }));
        }
    }
}
