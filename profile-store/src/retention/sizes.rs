//! What the snapshots of a transaction hold that nothing newer does: what comes free when they go, and everything
//! older went before.
//!
//! Found from the metadata of the trees alone, without quota groups: the extents of its snapshots, less those of what
//! comes next (the snapshot before the next transaction, or the profile as it is) and those of the base. Small files
//! that btrfs keeps in its metadata are left out, and what a clone or an undo still shares is counted, so it is *about* so much.
//! Read-only snapshots never change: a number is remembered in the journal for the subvolumes that it was found
//! between, and only with a newest transaction, whose next is the living profile, is it measured each time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use profile_db::journal::{Access, Durability, Journal, WithSnapshots};
use profile_db::model::{ProfileId, SnapshotName, TransactionNumber};
use profile_sys::btrfs::{self, TreeExtents};
use profile_sys::file;

use super::prune::Victim;
use crate::error::{Error, Result};
use crate::pool::Pool;
use crate::profile;

/// What the snapshots of some transactions hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// How many transactions there are.
    pub transactions: usize,
    /// Bytes of those that are known.
    pub bytes: u64,
    /// How many are not known, and were not measured now.
    pub unknown: usize,
}

/// The transactions of one profile that have snapshots, to be measured one by one.
#[derive(Debug)]
pub struct Measure<'a> {
    pool: &'a Pool,
    journal: &'a Journal,
    profile: ProfileId,
    rows: Vec<WithSnapshots>,
    /// How many rows name a snapshot.
    named: HashMap<String, usize>,
    /// What is remembered: what it was measured between, and the bytes.
    known: HashMap<TransactionNumber, (String, u64)>,
    /// What was measured now and can be remembered.
    found: Vec<(TransactionNumber, String, u64)>,
    /// The extents of the base, read when they are first needed.
    base: Option<TreeExtents>,
}

impl<'a> Measure<'a> {
    /// Looks at the transactions of a profile.
    ///
    /// # Errors
    ///
    /// The journal cannot be read.
    pub fn of(pool: &'a Pool, journal: &'a Journal, profile: &ProfileId) -> Result<Self> {
        let rows = journal.with_snapshots(profile)?;
        let mut named = HashMap::new();
        for name in rows.iter().flat_map(|row| [&row.pre, &row.post]).flatten() {
            *named.entry(name.clone()).or_default() += 1;
        }
        let known = journal.sizes(profile)?.into_iter();
        Ok(Self {
            pool,
            journal,
            profile: *profile,
            rows,
            named,
            known: known
                .map(|(number, measured, bytes)| (number, (measured, bytes)))
                .collect(),
            found: Vec::new(),
            base: None,
        })
    }

    /// About how many bytes come free when the snapshots of a transaction go after all older ones; `None`
    /// when it has none, or when that is not known and `until` has passed.
    ///
    /// # Errors
    ///
    /// A snapshot cannot be measured, or the journal not be read.
    pub fn frees(&mut self, number: TransactionNumber, until: Instant) -> Result<Option<u64>> {
        let Ok(index) = self.rows.binary_search_by_key(&number, |row| row.number) else {
            return Ok(None);
        };
        let own = self.own(index)?;
        let (next, lives) = self.next(index)?;
        let mut measured = String::new();
        for path in own.iter().chain([&next]) {
            measured.push_str(&btrfs::subvolume_info(path)?.uuid.to_string());
            measured.push(' ');
        }
        match self.known.get(&number) {
            Some((then, bytes)) if !lives && *then == measured => return Ok(Some(*bytes)),
            _ => {}
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        let mut held = TreeExtents::default();
        for path in &own {
            held.take_in(btrfs::tree_extents(path)?);
        }
        held.leave_out(&btrfs::tree_extents(&next)?);
        let bytes = held.disk_bytes_not_in(self.base()?);
        if !lives {
            self.found.push((number, measured, bytes));
        }
        Ok(Some(bytes))
    }

    /// All of them together; measures until `until` what is not known.
    ///
    /// # Errors
    ///
    /// As [`Measure::frees`].
    pub fn all(&mut self, until: Instant) -> Result<Sizes> {
        let numbers: Vec<_> = self.rows.iter().map(|row| row.number).collect();
        let mut sizes = Sizes::default();
        for number in numbers {
            sizes.count(match self.frees(number, until) {
                Ok(bytes) => bytes,
                // What is damaged has no size; `pool check` tells of it.
                Err(Error::Sys(_)) => None,
                Err(error) => return Err(error),
            });
        }
        Ok(sizes)
    }

    /// Remembers what was measured, where the journal can be written and there is space for it.
    ///
    /// # Errors
    ///
    /// The journal cannot be written for another reason.
    pub fn remember(self) -> Result<()> {
        if self.found.is_empty() || self.journal.access() != Access::ReadWrite {
            return Ok(());
        }
        let remembered = self.journal.batch(Durability::Ordered, |journal| {
            for (number, measured, bytes) in &self.found {
                journal.set_size(*number, measured, *bytes)?;
            }
            Ok(())
        });
        match remembered {
            // It is measured again then.
            Err(error) if error.is_no_space() => Ok(()),
            outcome => Ok(outcome?),
        }
    }

    /// The snapshots that go with a transaction: its own that no other one names.
    fn own(&self, index: usize) -> Result<Vec<PathBuf>> {
        let row = &self.rows[index];
        let mut own = Vec::new();
        for name in [&row.pre, &row.post].into_iter().flatten() {
            let of_row = name
                .parse::<SnapshotName>()
                .is_ok_and(|parsed| parsed.transaction() == Some(row.number));
            let shared = self.named.get(name).is_some_and(|rows| *rows > 1);
            let path = self.pool.layout().snapshots(&self.profile).join(name);
            if of_row && !shared && file::exists(&path)? {
                own.push(path);
            }
        }
        Ok(own)
    }

    /// What comes after a transaction, and whether that is the living profile.
    fn next(&self, index: usize) -> Result<(PathBuf, bool)> {
        let layout = self.pool.layout();
        for row in &self.rows[index + 1..] {
            if let Some(pre) = &row.pre {
                let path = layout.snapshots(&self.profile).join(pre);
                if file::exists(&path)? {
                    return Ok((path, false));
                }
            }
        }
        Ok((layout.profile(&self.profile), true))
    }

    fn base(&mut self) -> Result<&TreeExtents> {
        if self.base.is_none() {
            let profile = profile::read(self.pool, &self.profile)?;
            // Where it is missing there is nothing to be shared with.
            self.base = Some(match profile::base_for(self.pool, &profile) {
                Ok((base, _)) => btrfs::tree_extents(&base)?,
                Err(_) => TreeExtents::default(),
            });
        }
        Ok(self.base.get_or_insert_default())
    }
}

/// About how much the snapshots of all profiles hold, as far as it is known without measuring.
///
/// # Errors
///
/// The journal cannot be read.
pub fn known(pool: &Pool, journal: &Journal) -> Result<Sizes> {
    let mut sum = Sizes::default();
    for (id, _) in profile::all(pool)? {
        let sizes = Measure::of(pool, journal, &id)?.all(Instant::now())?;
        sum.transactions += sizes.transactions;
        sum.bytes += sizes.bytes;
        sum.unknown += sizes.unknown;
    }
    Ok(sum)
}

impl Sizes {
    fn count(&mut self, bytes: Option<u64>) {
        self.transactions += 1;
        match bytes {
            Some(bytes) => self.bytes += bytes,
            None => self.unknown += 1,
        }
    }
}

/// About how many bytes come free when these transactions lose their snapshots, oldest first; measures until
/// `until` what is not known.
///
/// # Errors
///
/// As [`Measure::frees`].
pub fn of_victims(
    pool: &Pool,
    journal: &Journal,
    victims: &[Victim],
    until: Instant,
) -> Result<Sizes> {
    let mut sizes = Sizes::default();
    let mut profiles: Vec<(ProfileId, Measure<'_>)> = Vec::new();
    for victim in victims {
        let known = profiles.iter().position(|(id, _)| *id == victim.profile);
        let index = match known {
            Some(index) => index,
            None => {
                let measure = Measure::of(pool, journal, &victim.profile)?;
                profiles.push((victim.profile, measure));
                profiles.len() - 1
            }
        };
        sizes.count(profiles[index].1.frees(victim.number, until)?);
    }
    for (_, measure) in profiles {
        measure.remember()?;
    }
    Ok(sizes)
}
