//! What changed between two states of dpkg's database.
//!
//! The two status files decide. The history log and the command line are only hints, where the
//! states cannot tell: a package reinstalled in the same version, and one without configuration
//! that was purged rather than removed.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::extended_states::AutoMarks;
use super::stanza::fields;
use super::status::{Package, State, Status};

/// What happened to a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// It was not there, now it is.
    Install,
    /// A newer version.
    Upgrade,
    /// An older version.
    Downgrade,
    /// Its files went, its configuration stays.
    Remove,
    /// Its files and its configuration went.
    Purge,
    /// The same version was unpacked again.
    Reinstall,
    /// The same version, but its state moved (configured, or left half-configured).
    Configure,
}

/// Names with or without an architecture, as hints give them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageSet {
    members: BTreeSet<(String, Option<String>)>,
}

impl PackageSet {
    /// Adds a package; without an architecture every architecture of the name is meant.
    pub fn insert(&mut self, name: &str, architecture: Option<&str>) {
        let architecture = architecture.filter(|text| !text.is_empty());
        self.members
            .insert((name.to_owned(), architecture.map(str::to_owned)));
    }

    /// Whether the package is meant. apt names the native architecture where dpkg says `all`,
    /// so a package of `all` is meant by its name under any architecture.
    pub fn contains(&self, name: &str, architecture: &str) -> bool {
        let any = (name.to_owned(), None);
        if matches!(architecture, "all" | "") {
            let next = self.members.range(any..).next();
            return next.is_some_and(|(found, _)| found == name);
        }
        self.members.contains(&any)
            || self
                .members
                .contains(&(any.0, Some(architecture.to_owned())))
    }

    /// Whether nothing is meant.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// What other sources say, for the questions the two states leave open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Unpacked again in the same version.
    pub reinstalled: PackageSet,
    /// Purged.
    pub purged: PackageSet,
    /// Every package that vanished was purged (`dpkg --purge`, `apt-get purge`).
    pub purge_all: bool,
}

impl Hints {
    /// The hints in an entry of apt's history log.
    pub fn from_history(entry: &super::HistoryEntry) -> Hints {
        let mut hints = Hints::default();
        for package in &entry.reinstall {
            let architecture = Some(package.architecture.as_str());
            hints.reinstalled.insert(&package.name, architecture);
        }
        for package in &entry.purge {
            let architecture = Some(package.architecture.as_str());
            hints.purged.insert(&package.name, architecture);
        }
        hints
    }
}

/// One package that a transaction changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageChange {
    /// Name.
    pub name: String,
    /// Architecture afterwards, or before when the package is gone.
    pub architecture: String,
    /// What happened.
    pub action: Action,
    /// Version before, when files of the package were there.
    pub old_version: Option<String>,
    /// Version afterwards, when files of the package are there.
    pub new_version: Option<String>,
    /// Marked as installed automatically before, when it was there.
    pub auto_before: Option<bool>,
    /// Marked as installed automatically afterwards, when it is there.
    pub auto_after: Option<bool>,
    /// State afterwards.
    pub state_after: State,
}

impl PackageChange {
    /// The state afterwards where it is one to tell: neither installed, nor removed as wanted.
    pub fn unfinished(&self) -> Option<State> {
        self.state_after.is_unfinished().then_some(self.state_after)
    }
}

/// A status file with the bytes it was parsed from and the automatic marks of the same moment.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The parsed status file.
    pub status: &'a Status,
    /// Its bytes; with them a reinstallation from other contents is seen without a hint.
    pub bytes: &'a [u8],
    /// The automatic marks.
    pub auto: &'a AutoMarks,
}

/// What changed from `old` to `new`, ordered by name and architecture.
pub fn changes(old: Side<'_>, new: Side<'_>, hints: &Hints) -> Vec<PackageChange> {
    pairs(old.status, new.status)
        .into_iter()
        .filter_map(|(before, after)| change(old, new, hints, before, after))
        .collect()
}

type Pair<'a> = (Option<&'a Package>, Option<&'a Package>);

/// Joins both sides by name and architecture. A package that changed its architecture (`all` to
/// `amd64` is common) is one package to dpkg, and one pair here.
pub(crate) fn pairs<'a>(old: &'a Status, new: &'a Status) -> Vec<Pair<'a>> {
    let mut found: Vec<Pair<'a>> = Vec::new();
    let (mut old, mut new) = (old.packages(), new.packages());
    loop {
        let name = match (old.first(), new.first()) {
            (None, None) => return found,
            (Some(package), None) | (None, Some(package)) => &package.name,
            (Some(a), Some(b)) => a.name.as_str().min(b.name.as_str()),
        };
        let olds = take_named(&mut old, name);
        let news = take_named(&mut new, name);
        pairs_of_name(olds, news, &mut found);
    }
}

fn take_named<'a>(packages: &mut &'a [Package], name: &str) -> &'a [Package] {
    let end = packages.partition_point(|package| package.name.as_str() <= name);
    let (taken, rest) = packages.split_at(end);
    *packages = rest;
    taken
}

fn pairs_of_name<'a>(olds: &'a [Package], news: &'a [Package], found: &mut Vec<Pair<'a>>) {
    let same = |a: &Package, b: &Package| a.architecture == b.architecture;
    let lost: Vec<_> = olds
        .iter()
        .filter(|a| !news.iter().any(|b| same(a, b)))
        .collect();
    let gained: Vec<_> = news
        .iter()
        .filter(|b| !olds.iter().any(|a| same(a, b)))
        .collect();
    for before in olds {
        let after = news.iter().find(|after| same(before, after));
        if let Some(after) = after {
            found.push((Some(before), Some(after)));
        }
    }
    match (lost.as_slice(), gained.as_slice()) {
        ([before], [after]) => found.push((Some(before), Some(after))),
        _ => {
            found.extend(lost.into_iter().map(|before| (Some(before), None)));
            found.extend(gained.into_iter().map(|after| (None, Some(after))));
        }
    }
}

fn change(
    old: Side<'_>,
    new: Side<'_>,
    hints: &Hints,
    before: Option<&Package>,
    after: Option<&Package>,
) -> Option<PackageChange> {
    let state_before = before.map_or(State::NotInstalled, |package| package.state);
    let state_after = after.map_or(State::NotInstalled, |package| package.state);
    let named = after.or(before)?;
    let was = before.filter(|package| package.state.is_present());
    let is = after.filter(|package| package.state.is_present());
    let action = match (was, is) {
        (None, Some(_)) => Action::Install,
        (Some(a), Some(b)) => match compare_versions(&a.version, &b.version) {
            Ordering::Less => Action::Upgrade,
            Ordering::Greater => Action::Downgrade,
            Ordering::Equal => same_version(old, new, hints, a, b)?,
        },
        (Some(gone), None) if state_after == State::NotInstalled => {
            // dpkg forgets a package at its removal when it has neither conffiles nor a postrm.
            // With conffiles only a purge makes it vanish.
            let purged = hints.purge_all
                || !gone.conffiles.is_empty()
                || hints.purged.contains(&gone.name, &gone.architecture);
            if purged {
                Action::Purge
            } else {
                Action::Remove
            }
        }
        (Some(_), None) => Action::Remove,
        (None, None) => match (state_before, state_after) {
            (State::ConfigFiles, State::NotInstalled) => Action::Purge,
            // Installed and removed again within one transaction.
            (State::NotInstalled, State::ConfigFiles) => Action::Remove,
            _ => return None,
        },
    };
    let auto =
        |side: Side<'_>, package: &Package| side.auto.is_auto(&package.name, &package.architecture);
    Some(PackageChange {
        name: named.name.clone(),
        architecture: named.architecture.clone(),
        action,
        old_version: was.map(|package| package.version.clone()),
        new_version: is.map(|package| package.version.clone()),
        auto_before: was.map(|package| auto(old, package)),
        auto_after: is.map(|package| auto(new, package)),
        state_after,
    })
}

fn same_version(
    old: Side<'_>,
    new: Side<'_>,
    hints: &Hints,
    before: &Package,
    after: &Package,
) -> Option<Action> {
    if hints.reinstalled.contains(&after.name, &after.architecture) {
        return Some(Action::Reinstall);
    }
    // Nearly every package of a transaction: not touched at all.
    if before.stanza(old.bytes) == after.stanza(new.bytes) {
        return None;
    }
    if body(old, before) != body(new, after) {
        return Some(Action::Reinstall);
    }
    (before.state != after.state).then_some(Action::Configure)
}

/// The part of a stanza that comes from the archive. Where it differs in one version, another
/// archive of that version was unpacked.
fn body<'a>(side: Side<'a>, package: &Package) -> Vec<(&'a [u8], &'a [u8])> {
    // What dpkg itself rewrites while it works. Hashes of conffiles follow each configuration.
    const KEPT_BY_DPKG: [&[u8]; 5] = [
        b"Status",
        b"Config-Version",
        b"Conffiles",
        b"Triggers-Pending",
        b"Triggers-Awaited",
    ];
    fields(package.stanza(side.bytes))
        .filter_map(Result::ok)
        .filter(|(name, _)| !KEPT_BY_DPKG.contains(name))
        .collect()
}

/// Order of two version numbers as dpkg has it.
///
/// A version that dpkg itself would refuse (possible only in a damaged file) is ordered by its
/// bytes, so that a difference stays a difference.
pub fn compare_versions(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (parse_version(a), parse_version(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

fn parse_version(text: &str) -> Option<debversion::Version> {
    // debversion counts characters where it slices bytes, so it must see ASCII only.
    text.is_ascii().then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
