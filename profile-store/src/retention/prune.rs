//! Carrying retention out: paths stored, rows told, snapshots deleted, in this order.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Instant;

use profile_db::BootRecord;
use profile_db::journal::{Journal, TransactionKind};
use profile_db::model::{ProfileId, SnapshotName, Time, TransactionNumber};
use profile_sys::{btrfs, file};

use super::plan::{self, Clock, Why};
use super::rules::Rules;
use super::space::Space;
use crate::error::{Error, Result};
use crate::in_use::{self, InUse};
use crate::pool::{Pool, PoolLock};
use crate::progress::Progress;
use crate::transaction::{reserve, rows};
use crate::{changes, profile, staging, undo};

/// Rows that forget their snapshots with one commit of the journal.
const AT_ONCE: usize = 32;

/// One transaction whose snapshots go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// Its profile.
    pub profile: ProfileId,
    /// The profile's name.
    pub profile_name: String,
    /// Its number.
    pub number: TransactionNumber,
    /// The rule it goes by.
    pub why: Why,
    /// What is to stay free, where that is the rule.
    pub wanted: u64,
}

/// What retention would do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// What goes by count and age, oldest first.
    pub by_rule: Vec<Victim>,
    /// What goes besides, oldest first, for as long as space is short; empty when it is not.
    pub for_space: Vec<Victim>,
    /// What is kept because it cannot be told or something names it, with the reason.
    pub kept: Vec<String>,
    /// How much is free.
    pub space: Space,
    /// The most that a profile wants to stay free.
    pub wanted: u64,
}

/// What retention did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Transactions whose snapshots went.
    pub victims: Vec<Victim>,
    /// Snapshots that an earlier, interrupted run had left.
    pub swept: usize,
    /// What was kept although a rule says otherwise, with the reason.
    pub kept: Vec<String>,
}

/// Tells what retention would do now, in every profile of the pool.
///
/// # Errors
///
/// The pool or the journal cannot be read.
pub fn outlook(pool: &Pool, journal: &Journal, clock: Clock) -> Result<Outlook> {
    let space = Space::of(pool)?;
    let mut outlook = Outlook {
        by_rule: Vec::new(),
        for_space: Vec::new(),
        kept: Vec::new(),
        space,
        wanted: 0,
    };
    let named = Named::read(pool, journal)?;
    for (id, file) in profile::all(pool)? {
        let (rules, file) = match file.map(|file| (Rules::of(&file), file)) {
            Ok((Ok(rules), file)) => (rules, file),
            Ok((Err(why), file)) => {
                outlook
                    .kept
                    .push(format!("snapshots of {}: {why}", file.name));
                continue;
            }
            Err(error) => {
                outlook.kept.push(format!("snapshots of {id}: {error}"));
                continue;
            }
        };
        let wanted = rules.free.of(space.total);
        outlook.wanted = outlook.wanted.max(wanted);
        let rows = journal.with_snapshots(&id)?;
        let plan = plan::decide(&rows, &named.transactions, &rules, clock);
        if plan == plan::Plan::default() {
            continue;
        }
        if let Some(why) = named.keeps(&id) {
            outlook
                .kept
                .push(format!("snapshots of {}: {why}", file.name));
            continue;
        }
        let victim = |number, why| Victim {
            profile: id,
            profile_name: file.name.to_string(),
            number,
            why,
            wanted,
        };
        let by_rule = plan.by_rule.into_iter();
        outlook
            .by_rule
            .extend(by_rule.map(|(number, why)| victim(number, why)));
        if space.is_short(wanted) {
            let for_space = plan.for_space.into_iter();
            outlook
                .for_space
                .extend(for_space.map(|number| victim(number, Why::Space)));
        }
    }
    // Numbers count per pool: the oldest go first whosoever they are.
    outlook.by_rule.sort_by_key(|victim| victim.number);
    outlook.for_space.sort_by_key(|victim| victim.number);
    Ok(outlook)
}

/// Deletes what the rules no longer keep: by count and age, and then, while space is short, the oldest of the
/// rest, until `until` at the latest. What an earlier run left half done is swept first.
///
/// # Errors
///
/// Something cannot be read, recorded or deleted. What went before that is gone and recorded; the rest is as it was.
pub fn run(
    pool: &Pool,
    journal: &Journal,
    _lock: &PoolLock,
    clock: Clock,
    until: Instant,
    progress: &mut dyn Progress,
) -> Result<Pruned> {
    let mut pruned = Pruned {
        swept: sweep_all(pool, journal)?,
        ..Pruned::default()
    };
    let outlook = outlook(pool, journal, clock)?;
    pruned.kept = outlook.kept;
    if outlook.by_rule.is_empty() && outlook.for_space.is_empty() {
        return Ok(pruned);
    }
    progress.begin("deleting old snapshots");
    let mounted = in_use::of(pool)?;
    let total = outlook.by_rule.len() as u64;
    for batch in outlook.by_rule.chunks(AT_ONCE) {
        if Instant::now() >= until {
            return Ok(pruned);
        }
        take(pool, journal, batch, &mounted, clock.now, &mut pruned)?;
        progress.advance(pruned.victims.len() as u64, Some(total));
    }
    let mut left: VecDeque<Victim> = outlook.for_space.into();
    let mut at_once = 1;
    while !left.is_empty() && Instant::now() < until {
        // Without waiting, everything would be deleted before the first of it counts.
        btrfs::clear_away(pool.layout().top(), until)?;
        let space = Space::of(pool)?;
        left.retain(|victim| space.is_short(victim.wanted));
        // Twice as many each time: few go too many, and a thousand that share everything do not take
        // a thousand commits.
        let batch: Vec<Victim> = left.drain(..at_once.min(left.len())).collect();
        at_once = (at_once * 2).min(AT_ONCE);
        take(pool, journal, &batch, &mounted, clock.now, &mut pruned)?;
        progress.advance(pruned.victims.len() as u64, None);
    }
    btrfs::clear_away(pool.layout().top(), until)?;
    Ok(pruned)
}

/// Takes the snapshots of some transactions: in the order that the module tells.
fn take(
    pool: &Pool,
    journal: &Journal,
    batch: &[Victim],
    mounted: &InUse,
    now: Time,
    pruned: &mut Pruned,
) -> Result<()> {
    let mut going: Vec<&Victim> = Vec::new();
    for victim in batch {
        match may_go(pool, journal, victim, mounted) {
            Ok(None) => going.push(victim),
            Ok(Some(why)) => pruned.kept.push(kept(victim, &why)),
            // A history is worth more than space: what cannot be listed stays.
            Err(error) => pruned.kept.push(kept(victim, &error.to_string())),
        }
    }
    if going.is_empty() {
        return Ok(());
    }
    reserve::with_reserve(pool, || {
        Ok(
            journal.batch(profile_db::journal::Durability::Durable, |journal| {
                for victim in &going {
                    journal.forget_snapshots(victim.number, now)?;
                }
                Ok(())
            })?,
        )
    })?;
    let profiles: HashSet<ProfileId> = going.iter().map(|victim| victim.profile).collect();
    pruned.victims.extend(going.into_iter().cloned());
    for profile in profiles {
        sweep(pool, journal, &profile)?;
    }
    sweep_trash(pool, journal)?;
    Ok(())
}

fn kept(victim: &Victim, why: &str) -> String {
    format!(
        "snapshots of transaction {} of {}: {why}",
        victim.number, victim.profile_name
    )
}

/// Why the snapshots of a transaction cannot go now; when they can, its changed paths are stored.
fn may_go(
    pool: &Pool,
    journal: &Journal,
    victim: &Victim,
    mounted: &InUse,
) -> Result<Option<String>> {
    let row = journal.transaction(victim.number)?;
    let directory = pool.layout().snapshots(&victim.profile);
    for name in [&row.pre, &row.post].into_iter().flatten() {
        let path = directory.join(name);
        if !file::exists(&path)? {
            continue;
        }
        if mounted.sees(pool, &path)? {
            return Ok(Some(format!("{name} is mounted")));
        }
    }
    if journal.changes_summary(row.number)?.is_some() {
        return Ok(None);
    }
    match undo::sides(pool, &row, "compared") {
        Ok(_) => {}
        // There are no two sides, and so no paths to be kept.
        Err(Error::NotUndoable { .. } | Error::SnapshotMissing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    }
    reserve::with_reserve(pool, || changes::keep(pool, journal, &row))?;
    Ok(match journal.changes_summary(row.number)? {
        Some(_) => None,
        None => Some("the paths that it changed cannot be stored".to_owned()),
    })
}

/// Deletes, in every profile, what an interrupted run left; returns how many pieces.
fn sweep_all(pool: &Pool, journal: &Journal) -> Result<usize> {
    let mut swept = sweep_trash(pool, journal)?;
    for (id, _) in profile::all(pool)? {
        swept += sweep(pool, journal, &id)?;
    }
    Ok(swept)
}

/// Deletes states that a reset replaced, where the snapshots are gone without which no undo can bring them back.
fn sweep_trash(pool: &Pool, journal: &Journal) -> Result<usize> {
    let trash = pool.layout().trash();
    let mut swept = 0;
    for name in file::list(&trash)? {
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let gone = match journal.transaction(number) {
            Ok(row) => row.files_gone.is_some() && row.kind == TransactionKind::Reset,
            Err(profile_db::journal::Error::NoSuchTransaction { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if gone {
            staging::discard_directory(&trash.join(&name))?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Deletes the snapshots of a profile whose row says that its files are gone and that no other row names.
fn sweep(pool: &Pool, journal: &Journal, profile: &ProfileId) -> Result<usize> {
    let going = unneeded(pool, journal, profile)?;
    for name in &going {
        btrfs::delete_subvolume(&pool.layout().snapshot(profile, *name))?;
    }
    Ok(going.len())
}

fn unneeded(pool: &Pool, journal: &Journal, profile: &ProfileId) -> Result<Vec<SnapshotName>> {
    let directory = pool.layout().snapshots(profile);
    if !file::exists(&directory)? {
        return Ok(Vec::new());
    }
    let present: Vec<SnapshotName> = file::list(&directory)?
        .iter()
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    let with = journal.with_snapshots(profile)?;
    let has: HashSet<TransactionNumber> = with.iter().map(|row| row.number).collect();
    let doubtful: HashSet<TransactionNumber> = present
        .iter()
        .filter_map(|name| name.transaction())
        .filter(|number| !has.contains(number))
        .collect();
    let gone = rows::held(journal, |journal| {
        let mut gone = HashSet::new();
        for number in doubtful {
            match journal.transaction(number) {
                Ok(row) if row.files_gone.is_some() => _ = gone.insert(number),
                // Of one without a row `pool gc` tells.
                Ok(_) | Err(profile_db::journal::Error::NoSuchTransaction { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(gone)
    })?;
    Ok(plan::unneeded(&present, &with, &gone))
}

/// What the journal and the boot record name.
struct Named {
    /// Profiles that an operation is about, with what it is.
    profiles: BTreeMap<ProfileId, String>,
    /// Transactions of operations without a profile.
    transactions: HashSet<TransactionNumber>,
    /// Why every profile counts as named.
    all: Option<String>,
}

impl Named {
    fn read(pool: &Pool, journal: &Journal) -> Result<Self> {
        let mut named = Self {
            profiles: BTreeMap::new(),
            transactions: HashSet::new(),
            all: None,
        };
        for pending in journal.pending_operations()? {
            let operation = pending.operation;
            named.transactions.extend(operation.transaction);
            if let Some(profile) = operation.profile {
                named.profiles.insert(profile, operation.kind);
            }
        }
        for (id, _) in profile::all(pool)? {
            match undo::waiting(pool, &id) {
                Ok(Some(waiting)) if waiting.dropped.is_none() => {
                    named.transactions.extend(waiting.transactions);
                }
                Ok(_) => {}
                // `recover` says what is wrong with it; until then it may name any of them.
                Err(_) => {
                    named.profiles.insert(id, "undo".to_owned());
                }
            }
        }
        let path = pool.layout().boot_record();
        if file::exists(&path)? {
            let limit = profile_db::boot_record::SIZE_MAX as u64 + 1;
            match BootRecord::parse(&file::read_limited(&path, limit)?) {
                Ok(record) => named.profiles.extend(
                    record
                        .operations
                        .into_iter()
                        .map(|operation| (operation.profile, "boot".to_owned())),
                ),
                Err(source) => named.all = Some(Error::PoolPart { path, source }.to_string()),
            }
        }
        Ok(named)
    }

    /// Why nothing of a profile goes now.
    fn keeps(&self, profile: &ProfileId) -> Option<String> {
        let pending = self
            .profiles
            .get(profile)
            .map(|kind| format!("a change ({kind}) waits for `flipper-profile recover`"));
        self.all.clone().or(pending)
    }
}
