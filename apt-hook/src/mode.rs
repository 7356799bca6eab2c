//! Which hook this is: by the name the program was called by, or by its first argument.

use std::ffi::OsStr;
use std::path::Path;

/// The hooks of apt and dpkg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `DPkg::Pre-Invoke`: before apt starts dpkg for the first time.
    Pre,
    /// `DPkg::Pre-Install-Pkgs`: what apt is about to do, on a descriptor.
    Plan,
    /// `DPkg::Post-Invoke`: after apt's last dpkg, well or badly.
    Post,
    /// dpkg's own `pre-invoke`: before each dpkg process.
    DpkgPre,
    /// dpkg's own `post-invoke`.
    DpkgPost,
}

impl Mode {
    /// Recognises the hook. apt looks the protocol of a plan up by the first word of the command,
    /// so the plan has a name of its own; the others have an argument.
    pub fn of(name: &OsStr, argument: Option<&OsStr>) -> Option<Self> {
        if Path::new(name).file_name() == Some(OsStr::new("apt-plan")) {
            return Some(Self::Plan);
        }
        match argument?.to_str()? {
            "pre" => Some(Self::Pre),
            "plan" => Some(Self::Plan),
            "post" => Some(Self::Post),
            "dpkg-pre" => Some(Self::DpkgPre),
            "dpkg-post" => Some(Self::DpkgPost),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hook_has_one_way_to_be_called() {
        let of = |name: &str, argument: Option<&str>| {
            Mode::of(OsStr::new(name), argument.map(OsStr::new))
        };
        let program = "/usr/libexec/flipper-profile/apt-hook";
        assert_eq!(of(program, Some("pre")), Some(Mode::Pre));
        assert_eq!(of(program, Some("plan")), Some(Mode::Plan));
        assert_eq!(of(program, Some("post")), Some(Mode::Post));
        assert_eq!(of(program, Some("dpkg-pre")), Some(Mode::DpkgPre));
        assert_eq!(of(program, Some("dpkg-post")), Some(Mode::DpkgPost));
        assert_eq!(
            of("/usr/libexec/flipper-profile/apt-plan", None),
            Some(Mode::Plan)
        );
        assert_eq!(of("apt-plan", Some("pre")), Some(Mode::Plan));
        assert_eq!(of(program, None), None);
        assert_eq!(of(program, Some("pres")), None);
    }
}
