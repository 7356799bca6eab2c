//! The overlay of a profile over its base, with the options that make it sound, forced and verified.
//!
//! An upper must stay valid when its base is replaced and must obey no redirection from an untrusted
//! upper. Module parameters and kernel configurations have other defaults, so every option that matters is
//! given, and read back after the mount: the kernel shows an option when it differs from its default.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};

use super::rolled_back;
use crate::mountinfo::{self, Mount};
use crate::{Error, Result, fault};

/// An overlay to be mounted.
#[derive(Debug, Clone)]
pub struct Overlay<'a> {
    /// What mountinfo shows as its source: the identities of upper and base.
    pub source: String,
    /// The read-only directories, the top one first.
    pub lowers: Vec<&'a Path>,
    /// The writable directory and its work directory, on one filesystem; none makes a read-only overlay,
    /// which needs two lowers.
    pub upper: Option<(&'a Path, &'a Path)>,
    /// Whether all of them lie on one filesystem ([`super::same_filesystem`]).
    pub same_filesystem: bool,
}

/// The options that are forced off; each has a module parameter of the same name with its default.
const FORCED: [(&str, &str); 3] = [
    // index and nfs_export tie an upper to the base it was first mounted on.
    ("index", "off"),
    ("nfs_export", "off"),
    // metacopy leaves file data in a base that may be replaced.
    ("metacopy", "off"),
];

/// What must not be in force whatever the defaults are, as the kernel shows it: volatile drops every sync
/// (newer kernels call it fsync=volatile), userxattr lets users forge overlayfs's marks, verity needs metacopy.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("volatile", &[""]),
    ("fsync", &["volatile"]),
    ("userxattr", &[""]),
    ("verity", &["on", "require"]),
];

/// The most mount(2) accepts as options.
const OPTIONS_LIMIT: usize = 4095;

impl Overlay<'_> {
    fn xino(&self) -> &'static str {
        // With layers on two filesystems "auto" keeps inode numbers apart at the cost of numbers beyond 32
        // bits, which 32-bit programs cannot read. On one filesystem it has no effect. Never "on": it
        // forbids replacing the base.
        if self.same_filesystem || !cfg!(target_pointer_width = "64") {
            "off"
        } else {
            "auto"
        }
    }

    /// The option string of mount(2). `uuid=null` keeps the kernel from marking the upper with a uuid.
    fn options(&self, uuid_null: bool) -> Vec<u8> {
        let mut options = b"lowerdir=".to_vec();
        for (index, lower) in self.lowers.iter().enumerate() {
            if index > 0 {
                options.push(b':');
            }
            escape_into(&mut options, lower);
        }
        if let Some((upper, work)) = self.upper {
            options.extend(b",upperdir=");
            escape_into(&mut options, upper);
            options.extend(b",workdir=");
            escape_into(&mut options, work);
        }
        for (name, value) in FORCED {
            options.extend(format!(",{name}={value}").into_bytes());
        }
        options.extend(format!(",redirect_dir=nofollow,xino={}", self.xino()).into_bytes());
        if uuid_null {
            options.extend(b",uuid=null");
        }
        options
    }
}

/// Appends a path with what separates layers (`:`) and options (`,`) escaped, and the escape itself.
fn escape_into(options: &mut Vec<u8>, path: &Path) {
    for &byte in path.as_os_str().as_bytes() {
        if matches!(byte, b':' | b',' | b'\\') {
            options.push(b'\\');
        }
        options.push(byte);
    }
}

/// Mounts an overlay, then reads the mount back and compares. A mount that differs is taken down again.
///
/// The kernel does not prevent a second overlay on the same upper (it only warns): hold the lease.
///
/// # Errors
/// [`Error::OptionsNotForced`], or what the kernel answers: EINVAL for an upper on a filesystem that cannot
/// be one, ENAMETOOLONG when the paths together exceed a page.
pub fn mount_overlay(overlay: &Overlay<'_>, target: &Path) -> Result<()> {
    const VERB: &str = "mount overlay on";
    fault::point(VERB, target)?;
    let attempt = |uuid_null| {
        let options = overlay.options(uuid_null);
        if options.len() > OPTIONS_LIMIT {
            return Err(Errno::ENAMETOOLONG);
        }
        mount(
            Some(overlay.source.as_str()),
            target,
            Some("overlay"),
            MsFlags::MS_NOATIME,
            Some(options.as_slice()),
        )
    };
    match attempt(true) {
        // Kernels before 6.6 do not know uuid=null and have no other use for EINVAL that the second attempt
        // would not meet as well.
        Err(Errno::EINVAL) => attempt(false),
        outcome => outcome,
    }
    .map_err(|error| Error::io(VERB, target, error))?;
    verify_overlay(overlay, target).map_err(|cause| rolled_back(cause, target))
}

/// Reads back the overlay mounted on `target` and compares it with what `overlay` asks for: the source and every
/// option that matters.
///
/// # Errors
/// [`Error::OptionsNotForced`]; when /proc or /sys cannot be read.
pub fn verify_overlay(overlay: &Overlay<'_>, target: &Path) -> Result<()> {
    match verify_once(overlay, target) {
        // The kernel shows what differs from a default, and a default may have been changed between
        // reading one and the other. A real difference is there the second time too.
        Err(Error::OptionsNotForced { .. }) => verify_once(overlay, target),
        outcome => outcome,
    }
}

fn verify_once(overlay: &Overlay<'_>, target: &Path) -> Result<()> {
    let mount = mounted_on(target)?;
    let refuse = |wanted: &str, found: &str| {
        Err(Error::OptionsNotForced {
            target: target.to_owned(),
            wanted: wanted.to_owned(),
            found: found.to_owned(),
        })
    };
    if mount.fs_type != "overlay" || mount.source.as_bytes() != overlay.source.as_bytes() {
        return refuse(&overlay.source, &mount.source.to_string_lossy());
    }
    let shown = options_of(&mount.super_options);
    for (name, values) in FORBIDDEN {
        if let Some(value) = shown.get(name).filter(|value| values.contains(value)) {
            return refuse(
                &format!("no {name}"),
                format!("{name}={value}").trim_end_matches('='),
            );
        }
    }
    for (name, wanted) in FORCED {
        let found = match shown.get(name) {
            Some(value) => (*value).to_owned(),
            None if module_parameter(name)? => "on".to_owned(),
            None => "off".to_owned(),
        };
        if found != wanted {
            return refuse(&format!("{name}={wanted}"), &format!("{name}={found}"));
        }
    }
    let found = match shown.get("redirect_dir") {
        Some(value) => (*value).to_owned(),
        None if module_parameter("redirect_dir")? => "on".to_owned(),
        None if module_parameter("redirect_always_follow")? => "follow".to_owned(),
        None => "nofollow".to_owned(),
    };
    // Kernels before 6.5 show nofollow as "off" where nothing is followed by default.
    let same = found == "off" && !module_parameter("redirect_always_follow")?;
    if found != "nofollow" && !same {
        return refuse("redirect_dir=nofollow", &format!("redirect_dir={found}"));
    }
    // Shown only when layers are on several filesystems; "on" alone is unsound.
    match shown.get("xino") {
        Some(&"on") => refuse(&format!("xino={}", overlay.xino()), "xino=on"),
        _ => Ok(()),
    }
}

/// The mount that `target` shows, by its mount id: whatever the path looks like, and however many are
/// stacked there.
fn mounted_on(target: &Path) -> Result<Mount> {
    const VERB: &str = "inspect the mount on";
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_CLOEXEC)
        .open(target)
        .map_err(|error| Error::io(VERB, target, error))?;
    let id = mount_id(&file, target)?;
    let own = mountinfo::read_own()?;
    own.into_iter().find(|mount| mount.id == id).ok_or_else(|| {
        Error::malformed(
            "mountinfo",
            target,
            format!("mount {id} is not in the list"),
        )
    })
}

fn mount_id(file: &File, target: &Path) -> Result<u64> {
    let path = PathBuf::from(format!("/proc/self/fdinfo/{}", file.as_raw_fd()));
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::io("inspect the mount on", target, error))?;
    text.lines()
        .find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
        .ok_or_else(|| Error::malformed("fdinfo", path, "no mnt_id"))
}

/// The options as a map; an option without a value has an empty one.
fn options_of(options: &str) -> BTreeMap<&str, &str> {
    options
        .split(',')
        .map(|option| option.split_once('=').unwrap_or((option, "")))
        .collect()
}

/// A boolean parameter of the overlay module; one that this kernel does not have is off.
fn module_parameter(name: &str) -> Result<bool> {
    let directory = Path::new("/sys/module/overlay/parameters");
    let path = directory.join(name);
    match std::fs::read(&path) {
        Ok(value) => Ok(value.first() == Some(&b'Y')),
        // Without /sys the defaults are unknown, and unknown is not off.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && directory.is_dir() => {
            Ok(false)
        }
        Err(error) => Err(Error::io("read the overlay parameter", path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlay<'a>(lower: &'a Path, upper: Option<(&'a Path, &'a Path)>) -> Overlay<'a> {
        Overlay {
            source: "s".into(),
            lowers: vec![lower],
            upper,
            same_filesystem: true,
        }
    }

    #[test]
    fn escapes_separators_in_paths() {
        let odd = Path::new("/a:b,c\\d");
        let text = String::from_utf8(overlay(odd, None).options(false)).expect("utf-8");
        assert!(
            text.starts_with("lowerdir=/a\\:b\\,c\\\\d,index=off"),
            "{text}"
        );
    }

    #[test]
    fn forces_every_option_that_matters() {
        let (upper, work) = (Path::new("/u"), Path::new("/w"));
        let options = overlay(Path::new("/l"), Some((upper, work))).options(true);
        assert_eq!(
            String::from_utf8(options).expect("utf-8"),
            "lowerdir=/l,upperdir=/u,workdir=/w,index=off,nfs_export=off,metacopy=off,\
             redirect_dir=nofollow,xino=off,uuid=null"
        );
    }

    #[test]
    fn never_asks_for_xino_on() {
        let mut overlay = overlay(Path::new("/l"), None);
        overlay.same_filesystem = false;
        assert!(matches!(overlay.xino(), "auto" | "off"));
    }
}
