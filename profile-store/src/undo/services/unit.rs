//! Units, as `systemctl show` tells of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The properties that are asked for.
pub(super) const PROPERTIES: &str = "Id,ActiveState,FragmentPath,SourcePath,DropInPaths,ExecStart,ExecStartPre,ExecReload,\
     ControlGroup,RefuseManualStart,RefuseManualStop";

/// Where a program without a path is looked for, by systemd's own list.
const PROGRAM_DIRECTORIES: [&str; 4] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

/// A unit that runs, and what it runs from. Paths are absolute, as systemd and the kernel name them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    /// Its name: `nginx.service`.
    pub id: String,
    /// Whether it is active, or on its way there.
    pub is_active: bool,
    /// Its file, and the file it was made from.
    pub files: BTreeSet<PathBuf>,
    /// Files that add to it.
    pub drop_ins: BTreeSet<PathBuf>,
    /// Programs that it starts.
    pub programs: BTreeSet<PathBuf>,
    /// Files that its processes have mapped to execute.
    pub mapped: BTreeSet<PathBuf>,
    /// Its control group, from the root of systemd's own.
    pub control_group: String,
    /// Whether it may not be stopped or started by name.
    pub refuses: bool,
    /// Whether the process that asks belongs to it.
    pub holds_caller: bool,
}

/// Reads what `systemctl show` prints for several units: lines `name=value`, an empty line between two units.
pub(super) fn parse(text: &str) -> Vec<Unit> {
    text.split("\n\n")
        .map(one)
        .filter(|unit| !unit.id.is_empty())
        .collect()
}

fn one(block: &str) -> Unit {
    let mut unit = Unit::default();
    for line in block.lines() {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        match name {
            "Id" => unit.id = value.to_owned(),
            "ActiveState" => {
                unit.is_active =
                    matches!(value, "active" | "activating" | "reloading" | "refreshing");
            }
            "FragmentPath" | "SourcePath" if !value.is_empty() => {
                unit.files.insert(value.into());
            }
            "DropInPaths" => unit.drop_ins = value.split_whitespace().map(PathBuf::from).collect(),
            "ExecStart" | "ExecStartPre" | "ExecReload" => unit.programs.extend(programs(value)),
            "ControlGroup" => unit.control_group = value.to_owned(),
            "RefuseManualStart" | "RefuseManualStop" => unit.refuses |= value == "yes",
            _ => {}
        }
    }
    unit
}

/// The programs of `{ path=/usr/sbin/nginx ; argv[]=… }`, of which there may be several in one line.
fn programs(value: &str) -> Vec<PathBuf> {
    value
        .split("{ path=")
        .skip(1)
        .filter_map(|command| command.split(" ;").next())
        .flat_map(|program| match Path::new(program).is_absolute() {
            true => vec![PathBuf::from(program)],
            false => PROGRAM_DIRECTORIES
                .iter()
                .map(|directory| Path::new(directory).join(program))
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_with_all_that_they_run_from() {
        let text = "ExecStartPre={ path=/usr/sbin/nginx ; argv[]=/usr/sbin/nginx -t ; ignore_errors=no }\n\
            ExecStart={ path=/usr/sbin/nginx ; argv[]=/usr/sbin/nginx -g daemon on; ; ignore_errors=no } { path=/bin/true ; argv[]=/bin/true }\n\
            ControlGroup=/system.slice/nginx.service\nId=nginx.service\nActiveState=active\n\
            FragmentPath=/usr/lib/systemd/system/nginx.service\nSourcePath=\n\
            DropInPaths=/etc/systemd/system/nginx.service.d/a.conf /run/x.conf\n\
            RefuseManualStart=no\nRefuseManualStop=no\n\nId=dbus.service\nActiveState=inactive\nRefuseManualStart=no\nRefuseManualStop=yes\n";
        let units = parse(text);
        let paths =
            |paths: &[&str]| -> BTreeSet<PathBuf> { paths.iter().map(PathBuf::from).collect() };
        assert_eq!(
            units,
            [
                Unit {
                    id: "nginx.service".into(),
                    is_active: true,
                    files: paths(&["/usr/lib/systemd/system/nginx.service"]),
                    drop_ins: paths(&["/etc/systemd/system/nginx.service.d/a.conf", "/run/x.conf"]),
                    programs: paths(&["/usr/sbin/nginx", "/bin/true"]),
                    control_group: "/system.slice/nginx.service".into(),
                    ..Unit::default()
                },
                Unit {
                    id: "dbus.service".into(),
                    refuses: true,
                    ..Unit::default()
                },
            ]
        );
    }

    #[test]
    fn a_program_without_a_path_is_one_of_the_path() {
        let found = programs("{ path=systemd-sysusers ; argv[]=systemd-sysusers }");
        assert!(
            found.contains(&PathBuf::from("/usr/bin/systemd-sysusers")),
            "{found:?}"
        );
        assert_eq!(programs(""), Vec::<PathBuf>::new());
    }
}
