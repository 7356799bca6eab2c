//! Completions for bash, zsh and fish, under the names that Debian installs.

use std::path::{Path, PathBuf};

use clap_complete::Shell;

use crate::cli;
use crate::context::Result;
use crate::generate::man::write;

/// File names of the completions.
pub const FILES: [(&str, Shell); 3] = [
    ("flipper-profile.bash", Shell::Bash),
    ("_flipper-profile", Shell::Zsh),
    ("flipper-profile.fish", Shell::Fish),
];

/// Writes the three files into `directory`.
///
/// # Errors
///
/// A file cannot be written.
pub fn generate(directory: &Path) -> Result<Vec<PathBuf>> {
    FILES
        .iter()
        .map(|(name, shell)| write(directory, name, &script(*shell)))
        .collect()
}

/// One shell's script.
pub fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::visible(), "flipper-profile", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_the_verbs() {
        for (name, shell) in FILES {
            let script = String::from_utf8(script(shell)).unwrap();
            for word in ["history", "acknowledge", "inode-floor"] {
                assert!(script.contains(word), "{name} does not know {word}");
            }
            assert!(!script.contains("generate"), "{name} knows what is hidden");
        }
    }
}
