//! Fresh identities: random, never reused.

use profile_db::model::ProfileId;
use uuid::Uuid;

use crate::error::Result;

/// A random UUID (version 4).
///
/// # Errors
///
/// The kernel gives no random bytes.
pub fn random_uuid() -> Result<Uuid> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// A word for a directory that only has to differ from every other: 16 hex digits.
///
/// # Errors
///
/// The kernel gives no random bytes.
pub fn random_word() -> Result<String> {
    let mut bytes = [0; 8];
    fill(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}

/// A new profile id.
///
/// # Errors
///
/// The kernel gives no random bytes.
pub fn new_profile_id() -> Result<ProfileId> {
    ProfileId::generate().map_err(|error| no_random(&error.to_string()))
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| no_random(&error.to_string()))
}

fn no_random(detail: &str) -> crate::Error {
    profile_sys::Error::Io {
        verb: "read random bytes from",
        path: "getrandom(2)".into(),
        source: std::io::Error::other(detail.to_owned()),
    }
    .into()
}
