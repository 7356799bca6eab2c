//! CRC32C (Castagnoli) as btrfs uses it in send streams: no inversion before or after.
//!
//! A table of 256 entries made at compile time: a stream without data is some ten kilobytes, so
//! a crate with processor instructions would gain microseconds.

const POLYNOMIAL_REVERSED: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (POLYNOMIAL_REVERSED * (value & 1));
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

/// Goes on with the sum `crc` over `bytes`; the first call starts with 0.
pub(super) fn update(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, &byte| {
        (crc >> 8) ^ TABLE[((crc ^ u32::from(byte)) & 0xff) as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::update;

    #[test]
    fn gives_the_check_value_of_the_catalogue_when_inverted() {
        // CRC-32C of "123456789" with the usual inversions is e3069283.
        assert_eq!(!update(!0, b"123456789"), 0xe306_9283);
    }

    #[test]
    fn may_be_taken_in_parts() {
        assert_eq!(
            update(update(0, b"12345"), b"6789"),
            update(0, b"123456789")
        );
    }
}
