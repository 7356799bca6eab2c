//! Sizes and times: read from the command line, written for people.

/// Bytes for people: "512 B", "1.5 GiB".
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // One decimal, computed in integers: 1023.95 KiB must not be shown as "1024.0 KiB".
    let mut unit = 0;
    let mut tenths = (u128::from(bytes) * 10 + 512) / 1024;
    while tenths >= 10240 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Reads a size: bytes, or a number with K, M, G or T (powers of 1024; "GiB" is accepted too).
pub fn parse_size(word: &str) -> Result<u64, String> {
    let digits = word
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(word.len());
    let (number, unit) = word.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a number such as 8G or 500M".to_owned())?;
    let shift = match unit.strip_suffix("iB").unwrap_or(unit) {
        "" if !unit.is_empty() => return Err("unknown unit 'iB'; use K, M, G or T".into()),
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("unknown unit '{unit}'; use K, M, G or T")),
    };
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "the size is too large".to_owned())
}

/// A journal's time (RFC 3339, UTC) for people: "2026-11-21 09:03:01". The headings say UTC.
///
/// What is not of that form is shown as it stands: it is better than nothing.
pub fn time(recorded: &str) -> String {
    match recorded.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => super::escape::text(recorded),
    }
}

/// "1 package", "3 packages".
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_never_reach_the_next_unit() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (8 << 30, "8.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
    }

    #[test]
    fn a_size_is_read_with_its_unit() {
        assert_eq!(parse_size("8G"), Ok(8 << 30));
        assert_eq!(parse_size("500M"), Ok(500 << 20));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        assert_eq!(parse_size("4096"), Ok(4096));
        for wrong in [
            "",
            "G",
            "8GB",
            "-1",
            "1.5G",
            "99999999999999999999",
            "99999999T",
            "8iB",
        ] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_loses_its_separators_and_nothing_else() {
        assert_eq!(time("2026-11-21T09:03:01Z"), "2026-11-21 09:03:01");
        assert_eq!(time("no\ttime"), "no\\ttime");
    }
}
