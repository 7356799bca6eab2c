//! Who changes packages: the process, the command and the person behind a hook.

use std::path::Path;

use profile_db::model::Owner;
use profile_db::redact;
use profile_sys::file;
use profile_sys::process::{self, Info};

use super::front_end::{self, FrontEnd, Grouping, Started};
use crate::error::Result;

/// Largest /etc/passwd that is read for a name, in bytes.
const PASSWD_LIMIT_BYTES: u64 = 4 * 1024 * 1024;
/// Longest user name that is taken from the environment, in bytes.
const NAME_LENGTH: usize = 256;
/// What the kernel writes as login uid of a process that nobody's login started.
const NO_LOGIN: u32 = u32::MAX;

/// What a hook's environment says about the person; the programs pass it, libraries read none.
///
/// apt looks at the same variables, in this order, for `Requested-By:`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asker {
    /// `SUDO_UID`.
    pub sudo: Option<String>,
    /// `SUDO_USER`: the name where the profile has no account of that number.
    pub sudo_name: Option<String>,
    /// `PKEXEC_UID`.
    pub pkexec: Option<String>,
    /// `PACKAGEKIT_CALLER_UID`.
    pub packagekit: Option<String>,
}

/// The process that a transaction belongs to, and what it was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What the journal calls the front end.
    pub front_end: String,
    /// How its commits make transactions.
    pub grouping: Grouping,
    /// The process that owns the transaction.
    pub owner: Owner,
    /// Arguments of the process that commits, as it was started.
    pub arguments: Vec<Vec<u8>>,
    /// The process that commits, as this process sees it.
    pub commit_pid: u32,
    /// The owner's command line, without secrets.
    pub command: String,
    /// Who asked for it.
    pub user: Option<String>,
    /// That user's number.
    pub uid: Option<u32>,
}

impl Caller {
    /// Looks at the ancestors of the hook with process id `hook`, which was `started` so.
    ///
    /// `None` when the process that started it is gone.
    ///
    /// # Errors
    ///
    /// /proc cannot be read.
    pub fn of_hook(hook: u32, started: Started, asker: &Asker) -> Result<Option<Self>> {
        let chain = process::ancestors(hook)?;
        match front_end::recognise(&chain, started) {
            Some(found) => Self::new(&chain, found, asker),
            None => Ok(None),
        }
    }

    /// The caller in a chain of processes that begins with the one that commits.
    ///
    /// # Errors
    ///
    /// /proc cannot be read.
    pub fn of_chain(chain: &[Info], asker: &Asker) -> Result<Option<Self>> {
        match front_end::recognise(chain, Started::Directly) {
            Some(found) => Self::new(chain, found, asker),
            None => Ok(None),
        }
    }

    /// A process as the owner of a transaction; `None` when it is gone.
    ///
    /// # Errors
    ///
    /// /proc cannot be read.
    pub fn owner_of(process: &Info) -> Result<Option<Owner>> {
        let identity = process::identity_of(process)?;
        Ok(identity.map(|identity| Owner {
            pid: identity.pid,
            start_time: identity.start_time,
            pid_ns: identity.pid_ns,
            boot_id: identity.boot_id,
            // Only D-Bus tells it. A soft reboot ends every process, and the start time counts
            // from the boot, so the other four fields still name one process.
            soft_reboots: 0,
        }))
    }

    /// This process as the owner of a transaction.
    ///
    /// # Errors
    ///
    /// /proc cannot be read, or shows other processes.
    pub fn itself() -> Result<Option<Owner>> {
        match process::info(std::process::id())? {
            Some(process) => Self::owner_of(&process),
            None => Ok(None),
        }
    }

    /// The processes of a chain as owners of transactions, without those that are gone.
    pub fn owners(chain: &[Info]) -> impl Iterator<Item = Result<Owner>> + '_ {
        chain
            .iter()
            .filter_map(|process| Self::owner_of(process).transpose())
    }

    fn new(chain: &[Info], found: FrontEnd, asker: &Asker) -> Result<Option<Self>> {
        let owner = &chain[found.owner];
        let Some(identity) = Self::owner_of(owner)? else {
            return Ok(None);
        };
        let Some(effective) = process::effective_user(owner.pid)? else {
            return Ok(None);
        };
        let uid = uid_of(asker, login_uid()?, effective);
        let passwd = Path::new("/etc/passwd");
        let user = match file::exists(passwd)? {
            true => name_of(&file::read_limited(passwd, PASSWD_LIMIT_BYTES)?, uid),
            false => None,
        };
        Ok(Some(Self {
            front_end: found.name,
            grouping: found.grouping,
            owner: identity,
            arguments: chain[found.commit].cmdline.clone(),
            commit_pid: chain[found.commit].pid,
            command: redact::command(&front_end::command_line(&owner.cmdline)),
            user: user
                .or_else(|| sudo_name(asker, uid))
                .or_else(|| Some(uid.to_string())),
            uid: Some(uid),
        }))
    }
}

/// The identity as profile-sys has it.
pub fn identity(owner: &Owner) -> process::Identity {
    process::Identity {
        pid: owner.pid,
        start_time: owner.start_time,
        pid_ns: owner.pid_ns,
        boot_id: owner.boot_id.clone(),
    }
}

fn login_uid() -> Result<Option<u32>> {
    let path = Path::new("/proc/self/loginuid");
    // Kernels without audit have no such file.
    if !file::exists(path)? {
        return Ok(None);
    }
    let text = file::read_limited(path, 64)?;
    Ok(std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.trim().parse().ok()))
}

/// The person: who became root for this, else who logged in, else whom the process runs as.
fn uid_of(asker: &Asker, login: Option<u32>, process: u32) -> u32 {
    let named = [&asker.sudo, &asker.pkexec, &asker.packagekit];
    let named = named
        .into_iter()
        .flatten()
        .find_map(|text| text.trim().parse().ok());
    named
        .or(login.filter(|uid| *uid != NO_LOGIN))
        .unwrap_or(process)
}

/// The name that sudo gives for this user: the host's accounts need not be the profile's.
fn sudo_name(asker: &Asker, uid: u32) -> Option<String> {
    let sudo: u32 = asker.sudo.as_deref()?.trim().parse().ok()?;
    let name = asker.sudo_name.as_deref()?.trim();
    let plain = !name.is_empty() && name.len() <= NAME_LENGTH && !name.contains(char::is_control);
    (sudo == uid && plain).then(|| name.to_owned())
}

/// The first name of a user in a passwd file. Not asked of NSS: a directory service that does not
/// answer must not hold up apt.
fn name_of(passwd: &[u8], uid: u32) -> Option<String> {
    passwd.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next()?;
        let number = std::str::from_utf8(fields.nth(1)?).ok()?;
        (number.parse() == Ok(uid)).then(|| String::from_utf8_lossy(name).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(sudo: Option<&str>, pkexec: Option<&str>, packagekit: Option<&str>) -> Asker {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Asker {
            sudo: own(sudo),
            sudo_name: None,
            pkexec: own(pkexec),
            packagekit: own(packagekit),
        }
    }

    #[test]
    fn the_person_is_who_became_root() {
        assert_eq!(
            uid_of(&asker(Some("1000"), Some("5"), None), Some(7), 0),
            1000
        );
        assert_eq!(
            uid_of(&asker(None, Some("1001"), Some("9")), Some(7), 0),
            1001
        );
        assert_eq!(uid_of(&asker(None, None, Some("1002")), None, 0), 1002);
        assert_eq!(uid_of(&asker(None, None, None), Some(1003), 0), 1003);
        assert_eq!(uid_of(&asker(None, None, None), Some(NO_LOGIN), 0), 0);
        assert_eq!(uid_of(&asker(Some("x; rm"), None, None), None, 4), 4);
    }

    #[test]
    fn sudo_names_whom_the_profile_does_not_know() {
        let mut from_sudo = asker(Some("1000"), None, None);
        from_sudo.sudo_name = Some("alice".to_owned());
        assert_eq!(sudo_name(&from_sudo, 1000).as_deref(), Some("alice"));
        assert_eq!(sudo_name(&from_sudo, 5), None);
        from_sudo.sudo_name = Some("a\nb".to_owned());
        assert_eq!(sudo_name(&from_sudo, 1000), None);
        assert_eq!(sudo_name(&asker(Some("1000"), None, None), 1000), None);
    }

    #[test]
    fn a_name_is_found_by_number() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\nbroken\n\nanna:x:1000:1000::/home/anna:/bin/sh\ntoo:x:1000:1:::\n";
        assert_eq!(name_of(passwd, 1000).as_deref(), Some("anna"));
        assert_eq!(name_of(passwd, 0).as_deref(), Some("root"));
        assert_eq!(name_of(passwd, 5), None);
    }
}
