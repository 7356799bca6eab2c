//! `base add|list|info|verify|remove`.

use std::path::PathBuf;

use profile_db::model::{BaseVersion, Time};
use profile_store::Error;
use profile_store::base::{self, AddBase, Source};

use crate::cli::{BaseAdd, BaseCommand, BaseName};
use crate::commands::Outcome;
use crate::context::{Context, Result};
use crate::failure::Failure;
use crate::report::base::{Added, Base, Bases, Removed};
use crate::report::pool::{Checked, Problem};

/// Variables that programs which fetch from the archive understand.
const PROXY_VARIABLES: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
];
/// mmdebstrap's variant when none is named: what a small machine is administered with.
const VARIANT: &str = "important";

/// Runs one of the verbs.
///
/// # Errors
///
/// What the verb says.
pub fn run(verb: &BaseCommand, context: &Context) -> Result<Outcome> {
    match verb {
        BaseCommand::Add(arguments) => add(arguments, context),
        BaseCommand::List => list(context),
        BaseCommand::Info(name) => info(name, context),
        BaseCommand::Verify(name) => verify(name, context),
        BaseCommand::Remove(name) => remove(name, context),
    }
}

fn add(arguments: &BaseAdd, context: &Context) -> Result<Outcome> {
    let version: BaseVersion = arguments.version.parse()?;
    let request = AddBase {
        version: version.clone(),
        source: source(arguments)?,
        make_current: arguments.current,
        environment: PROXY_VARIABLES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect(),
        now: Time::now(),
    };
    let pool = context.pool()?;
    base::add(&pool, &request, context.progress().as_mut())?;
    Ok(Added {
        base: Base::new(&base::info(&pool, &version)?)?,
    }
    .into())
}

fn source(arguments: &BaseAdd) -> Result<Source> {
    // The store works with its own current directory in mind.
    let absolute = |path: &PathBuf| {
        std::path::absolute(path)
            .map_err(|error| Failure::usage(format!("{} is no path: {error}", path.display())))
    };
    match (
        &arguments.bootstrap,
        &arguments.from_directory,
        &arguments.from_tar,
    ) {
        (Some(suite), ..) => Ok(Source::Bootstrap {
            suite: suite.clone(),
            include: arguments.include.clone(),
            variant: arguments
                .variant
                .clone()
                .unwrap_or_else(|| VARIANT.to_owned()),
            mirror: arguments.mirror.clone(),
            architecture: None,
        }),
        (None, Some(directory), _) => Ok(Source::Directory(absolute(directory)?)),
        (None, None, Some(tar)) => Ok(Source::Tar(absolute(tar)?)),
        (None, None, None) => Err(Failure::usage(
            "a base needs --bootstrap, --from-directory or --from-tar",
        )),
    }
}

fn list(context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    let bases: Result<Vec<Base>> = base::list(&pool)?.iter().map(Base::new).collect();
    Ok(Bases { bases: bases? }.into())
}

fn info(name: &BaseName, context: &Context) -> Result<Outcome> {
    let pool = context.pool()?;
    Ok(Base::new(&base::info(&pool, &parse(name)?)?)?.into())
}

fn verify(name: &BaseName, context: &Context) -> Result<Outcome> {
    let version = parse(name)?;
    let pool = context.pool()?;
    let problems = base::verify(&pool, &version, context.progress().as_mut())?;
    let hint = Error::BaseDamaged {
        version: version.clone(),
        detail: String::new(),
    }
    .hint();
    let problem = |message| Problem {
        situation: "base-damaged".into(),
        message,
        path: None,
        hint: hint.clone(),
    };
    let problems = problems.into_iter().map(problem).collect();
    Ok(Checked {
        what: format!("the base '{version}'"),
        problems,
    }
    .into())
}

fn remove(name: &BaseName, context: &Context) -> Result<Outcome> {
    let version = parse(name)?;
    let pool = context.pool()?;
    // Refused before anybody is asked.
    let found = base::info(&pool, &version)?;
    if !found.needed_by.is_empty() {
        return Err(Error::BaseNeeded {
            version,
            by: found.needed_by,
        }
        .into());
    }
    context.confirm(&format!("Remove the base '{version}'?"))?;
    base::remove(&pool, &version)?;
    Ok(Removed {
        version: version.to_string(),
    }
    .into())
}

/// The version of an existing base; what cannot be a version is the name of none.
fn parse(name: &BaseName) -> Result<BaseVersion> {
    name.version.parse().map_err(|_| {
        Error::NoSuchBase {
            version: name.version.clone(),
        }
        .into()
    })
}
