//! The files that a process runs from: what it has mapped into its memory to execute.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::read_of;
use crate::Result;

/// What the kernel writes behind the name of a mapped file that has no name any more.
const DELETED: &[u8] = b" (deleted)";

/// The files whose code a process has mapped, by the names they had; none when the process is gone, or for a
/// thread of the kernel.
///
/// # Errors
/// EACCES when it may not be read.
pub fn mapped_files(pid: u32) -> Result<BTreeSet<PathBuf>> {
    Ok(parse(&read_of(pid, "maps")?.unwrap_or_default()))
}

/// `7f00-7f10 r-xp 00000000 00:30 1234      /usr/lib/x.so`: the sixth field goes to the end of the line.
fn parse(text: &[u8]) -> BTreeSet<PathBuf> {
    text.split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let start = line.iter().position(|&byte| byte == b'/')?;
            let mut fields = line.split(|&byte| byte == b' ');
            let is_code = fields.nth(1)?.get(2) == Some(&b'x');
            let name = &line[start..];
            let name = name.strip_suffix(DELETED).unwrap_or(name);
            is_code.then(|| unescaped(name))
        })
        .collect()
}

/// The kernel writes a line feed in a name as `\012`.
fn unescaped(name: &[u8]) -> PathBuf {
    const LINE_FEED: &[u8] = b"\\012";
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, after)) = rest.split_first() {
        match rest.strip_prefix(LINE_FEED) {
            Some(after) => {
                bytes.push(b'\n');
                rest = after;
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_counts_and_a_deleted_file_has_its_name() {
        let text = b"00400000-00500000 r--p 00000000 00:2f 12  /usr/sbin/nginx\n\
            00500000-00600000 r-xp 00100000 00:2f 12                     /usr/sbin/nginx (deleted)\n\
            7f0000000000-7f0000001000 r-xp 00000000 00:2f 13         /opt/a b/x\\012y.so\n\
            7f0000002000-7f0000003000 rw-p 00000000 00:2f 14         /var/lib/data\n\
            7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0          [vdso]\n";
        let expected: BTreeSet<PathBuf> = ["/usr/sbin/nginx", "/opt/a b/x\ny.so"]
            .map(PathBuf::from)
            .into();
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn this_process_runs_from_its_own_program() {
        let found = mapped_files(std::process::id()).unwrap();
        let program = std::env::current_exe().unwrap();
        assert!(found.contains(&program), "{found:?}");
    }

    #[test]
    fn a_process_that_is_gone_runs_from_nothing() {
        assert_eq!(mapped_files(u32::MAX).unwrap(), BTreeSet::new());
    }
}
