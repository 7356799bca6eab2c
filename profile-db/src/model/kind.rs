//! The kind of a profile.

use super::words::closed_words;

closed_words!(
    /// Who made a profile: this decides what may be done to it.
    Kind, "kind of profile", {
        /// Made by the user: may be renamed, deleted, reset, cloned.
        User = "user",
        /// Delivered with the system: may only be reset and cloned.
        BuiltIn = "built-in",
    }
);
