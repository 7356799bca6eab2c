//! Which program changes packages, and which of its ancestors the transaction belongs to.
//!
//! One row stands for one human action, not for one dpkg process. unattended-upgrades and
//! do-release-upgrade commit many times in one run, so the transaction belongs to that run; apt,
//! apt-get, aptitude, packagekitd and a bare dpkg commit for one action at a time, so it belongs to
//! the process that commits. A daemon such as packagekitd forks for each commit: the nearest
//! process is the right owner there, the daemon is not.
//!
//! libapt forks once for its Pre-Invoke and Post-Invoke scripts, and that copy starts the shell; for
//! Pre-Install-Pkgs it starts the shell itself. So the nearest process is not the same one in a
//! pre and in a plan, and the copy must be passed over ([`Started::ByCopy`]).
//!
//! Everything here is a pure function of a chain of processes, nearest first. Names are taken from
//! the command line: the kernel cuts `comm` after 15 bytes, where `unattended-upgrade` and the
//! daemon `unattended-upgrade-shutdown` are the same.

use profile_sys::process::Info;

/// How the commits of a program make transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Each commit of a process is a transaction.
    Commit,
    /// All commits below one process, while it lives, are one transaction.
    Run,
}

/// A program that is known to change packages.
struct Known {
    /// Base name of the program or script.
    program: &'static str,
    /// What the journal calls it.
    name: &'static str,
    grouping: Grouping,
}

const fn known(program: &'static str, name: &'static str, grouping: Grouping) -> Known {
    Known {
        program,
        name,
        grouping,
    }
}

const KNOWN: &[Known] = &[
    known("apt", "apt", Grouping::Commit),
    known("apt-get", "apt-get", Grouping::Commit),
    known("aptitude", "aptitude", Grouping::Commit),
    known("aptitude-curses", "aptitude", Grouping::Commit),
    known("dpkg", "dpkg", Grouping::Commit),
    known("dselect", "dselect", Grouping::Commit),
    known("gdebi", "gdebi", Grouping::Commit),
    known("gdebi-gtk", "gdebi", Grouping::Commit),
    known("nala", "nala", Grouping::Commit),
    known("packagekitd", "packagekitd", Grouping::Commit),
    known("aptd", "aptd", Grouping::Commit),
    known("synaptic", "synaptic", Grouping::Commit),
    known("unattended-upgrade", "unattended-upgrades", Grouping::Run),
    known("unattended-upgrades", "unattended-upgrades", Grouping::Run),
    known("do-release-upgrade", "do-release-upgrade", Grouping::Run),
    // What do-release-upgrade downloads and starts.
    known("dist-upgrade.py", "do-release-upgrade", Grouping::Run),
];

/// Names of the shells that start hooks.
const SHELLS: &[&str] = &["sh", "dash", "bash", "busybox", "ksh", "mksh", "zsh"];
/// Programs whose first plain argument is the program that counts.
const INTERPRETERS: &[&str] = &["python", "perl", "ruby"];

/// How the front end starts its hook's shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// Itself: libapt's Pre-Install-Pkgs, dpkg's hooks.
    Directly,
    /// By a forked copy of itself: libapt's Pre-Invoke and Post-Invoke.
    ByCopy,
}

/// The program behind a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontEnd {
    /// What the journal calls it.
    pub name: String,
    /// How its commits make transactions.
    pub grouping: Grouping,
    /// Index in the chain of the process that commits: the one that started the hook's shell.
    pub commit: usize,
    /// Index in the chain of the process that the transaction belongs to.
    pub owner: usize,
}

/// Finds the front end in the hook's ancestors, nearest first.
///
/// `None` when nobody is left to protect: the process that started the hook is gone and its shell
/// was inherited by the first process of the namespace.
pub fn recognise(chain: &[Info], started: Started) -> Option<FrontEnd> {
    let nearest = chain.iter().position(|process| !is_shell(process))?;
    let commit = match (started, chain.get(nearest + 1)) {
        (Started::ByCopy, Some(parent)) if is_copy(&chain[nearest], parent) => nearest + 1,
        _ => nearest,
    };
    if chain[commit].pid == 1 {
        return None;
    }
    // The outermost one: do-release-upgrade starts another copy of itself, unattended-upgrades
    // forks for each commit, and both keep the same name.
    let run = chain
        .iter()
        .enumerate()
        .skip(commit)
        .filter_map(|(index, process)| Some((index, lookup(process)?)))
        .rfind(|(_, known)| known.grouping == Grouping::Run);
    Some(match run {
        Some((owner, known)) => FrontEnd {
            name: known.name.to_owned(),
            grouping: Grouping::Run,
            commit,
            owner,
        },
        None => {
            let name = match lookup(&chain[commit]) {
                Some(known) => known.name.to_owned(),
                None => program(&chain[commit]),
            };
            FrontEnd {
                name,
                grouping: Grouping::Commit,
                commit,
                owner: commit,
            }
        }
    })
}

/// The process in the chain that is dpkg, when the hook was started by dpkg itself.
pub fn dpkg(chain: &[Info]) -> Option<&Info> {
    let commit = chain.iter().find(|process| !is_shell(process))?;
    (program(commit) == "dpkg").then_some(commit)
}

/// Whether a process looks as if it was forked off its parent and runs on as it is.
fn is_copy(process: &Info, parent: &Info) -> bool {
    process.comm == parent.comm && process.cmdline == parent.cmdline
}

fn lookup(process: &Info) -> Option<&'static Known> {
    let find = |name: &str| KNOWN.iter().find(|known| known.program == name);
    // comm too: it is set when a program gives itself another command line.
    find(&program(process)).or_else(|| find(&process.comm))
}

fn is_shell(process: &Info) -> bool {
    // A shell that runs a script is that script: `sh /usr/bin/something` is no hook's shell.
    SHELLS.contains(&base_name(process).as_str()) && script(process).is_none()
}

/// Base name of the program that a process runs; of the script when an interpreter runs one.
pub fn program(process: &Info) -> String {
    let base = base_name(process);
    let interpreted = SHELLS.contains(&base.as_str())
        || INTERPRETERS
            .iter()
            .any(|name| base.strip_prefix(name).is_some_and(is_version));
    if interpreted {
        script(process).unwrap_or(base)
    } else {
        base
    }
}

fn is_version(rest: &str) -> bool {
    rest.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn base_name(process: &Info) -> String {
    match process.cmdline.first().map(|word| last_component(word)) {
        Some(name) if !name.is_empty() => name,
        _ => process.comm.clone(),
    }
}

/// Base name of the script among an interpreter's arguments.
fn script(process: &Info) -> Option<String> {
    let mut words = process.cmdline.iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_slice() {
            // A command in the arguments, or standard input: there is no script.
            b"-c" | b"-e" | b"-s" | b"-" => return None,
            // python's options with a value in the next word.
            b"-W" | b"-X" => {
                words.next();
            }
            b"--" => {}
            // dash's and python's single letters in one word: `-ec`, `-uc`.
            option if option.starts_with(b"-") => {
                if !option.starts_with(b"--") && option.contains(&b'c') {
                    return None;
                }
            }
            path => return Some(last_component(path)),
        }
    }
    None
}

fn last_component(word: &[u8]) -> String {
    let name = word.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    // A login shell calls itself `-bash`.
    let name = name.strip_prefix(b"-").unwrap_or(name);
    String::from_utf8_lossy(name).into_owned()
}

/// A command line as a person would type it: words with anything unusual in them are quoted.
pub fn command_line(words: &[Vec<u8>]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    quoted.join(" ")
}

fn quote(word: &[u8]) -> String {
    let text = String::from_utf8_lossy(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%^~".contains(c) || !c.is_ascii();
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
#[path = "front_end_tests.rs"]
mod tests;
