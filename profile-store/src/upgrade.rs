//! `pool upgrade`: raising the form of a pool, and who could not read the result.
//!
//! One journal serves every profile and every base, each with its own version of this tool. An
//! incompatible feature is therefore switched on only here, after the reader was shown who would be
//! left behind.

use profile_db::model::{BaseVersion, ProfileName};

use crate::error::Result;
use crate::package_database::PackageDatabase;
use crate::pool::Pool;
use crate::view::View;
use crate::{base, profile};

/// Name of our package in dpkg's database.
const PACKAGE: &str = "flipper-profile";

/// Something that carries a version of this tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A base.
    Base(BaseVersion),
    /// A profile: what a base or the profile itself installed.
    Profile(ProfileName),
}

/// A version of this tool somewhere in the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Where it is installed.
    pub holder: Holder,
    /// Its version; `None` where the tool is not installed, so that package changes made there are
    /// noticed only afterwards.
    pub version: Option<String>,
}

/// Every base and profile with the version of this tool that it has.
///
/// # Errors
///
/// A package database cannot be read.
pub fn readers(pool: &Pool) -> Result<Vec<Reader>> {
    let mut readers = Vec::new();
    for version in base::versions(pool)? {
        let installed = installed(&PackageDatabase::read(&pool.layout().base(&version))?);
        readers.push(Reader {
            holder: Holder::Base(version),
            version: installed,
        });
    }
    for (_, profile) in profile::all(pool)? {
        let profile = profile?;
        let (base, _) = profile::base_for(pool, &profile)?;
        let view = View::read_only(pool, &pool.layout().profile(&profile.id), &base)?;
        let installed = installed(&PackageDatabase::read(view.path())?);
        view.close()?;
        readers.push(Reader {
            holder: Holder::Profile(profile.name),
            version: installed,
        });
    }
    Ok(readers)
}

fn installed(database: &PackageDatabase) -> Option<String> {
    database
        .status()
        .named(PACKAGE)
        .iter()
        .find(|package| package.state.is_present())
        .map(|package| package.version.clone())
}
