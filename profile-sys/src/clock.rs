//! Whether the machine's clock can be believed.

use crate::{Error, Result, raw};

/// Whether something (timesyncd, chrony, ntpd) keeps the clock in step with the world's. A machine without a
/// battery-backed clock comes up with a wrong time, and this is how to tell.
///
/// # Errors
/// When the kernel does not say.
pub fn is_synchronised() -> Result<bool> {
    raw::clock_is_synchronised()
        .map_err(|error| Error::io("look at the clock from", "/proc/self", error))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_tells() {
        // Which of the two depends on the machine.
        super::is_synchronised().unwrap();
    }
}
