//! `create`: a new profile over a base.

use profile_db::model::{Kind, Time};
use profile_store::profile::{self, CreateProfile};

use crate::actor;
use crate::cli::Create;
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::report::profile::Done;

/// Creates the profile.
///
/// # Errors
///
/// The name is not valid or taken, the base is missing or damaged, the disk is full.
pub fn run(arguments: &Create, context: &Context) -> Result<Outcome> {
    let request = CreateProfile {
        name: arguments.name.parse()?,
        base: arguments.base.as_deref().map(str::parse).transpose()?,
        description: arguments.description.clone(),
        kind: if arguments.built_in {
            Kind::BuiltIn
        } else {
            Kind::User
        },
    };
    let pool = context.pool()?;
    let made = profile::create(&pool, &request, &actor::current()?, Time::now())?;
    let profile = made.profile;
    let sentence = format!(
        "Created the profile '{}' ({}) over the base '{}'.",
        profile.name, profile.id, profile.base.version
    );
    Ok(Done::new(&profile, Some(made.transaction), sentence).into())
}
