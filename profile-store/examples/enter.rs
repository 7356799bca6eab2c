//! Pools, profiles and entering them without the command around them: what the tests of `enter` drive.
//!
//! ```text
//! enter pool IMAGE BYTES FLOOR        enter base IMAGE VERSION DIRECTORY|TAR
//! enter profile IMAGE NAME            enter run IMAGE NAME [-- COMMAND...]
//! enter holder IMAGE NAME             prints the holder's number, or "none"
//! enter look IMAGE NAME PATH          prints a file as a process in the profile reads it
//! ```

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use profile_db::model::{Kind, Owner, Time};
use profile_store::actor::Actor;
use profile_store::base::{AddBase, Source};
use profile_store::pool::{self, CreateOptions};
use profile_store::profile::{self, CreateProfile};
use profile_store::{Pool, Selector, Silent, base, enter};
use profile_sys::process;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    match work(&words) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            eprintln!("enter: {text}");
            match error.downcast_ref::<profile_store::Error>() {
                Some(profile_store::Error::CannotStart { status, .. }) => ExitCode::from(*status),
                _ => ExitCode::from(enter::OWN_FAILURE),
            }
        }
    }
}

fn work(words: &[OsString]) -> Result<u8, Box<dyn Error>> {
    let text = |index: usize| {
        words
            .get(index)
            .and_then(|word| word.to_str())
            .ok_or("an argument is missing")
    };
    let image = PathBuf::from(text(1)?);
    match text(0)? {
        "pool" => make_pool(&image, text(2)?.parse()?, text(3)?.parse()?)?,
        "base" => add_base(&open(&image)?, text(2)?, Path::new(text(3)?))?,
        "profile" => make_profile(&open(&image)?, text(2)?)?,
        "run" => {
            let pool = open(&image)?;
            let profile = profile::find(&pool, text(2)?)?;
            let mut command = words.get(4..).unwrap_or_default().iter().cloned();
            let command = enter::Command {
                program: command.next(),
                arguments: command.collect(),
                environment: std::env::vars_os().collect(),
            };
            return Ok(enter::run(pool, &profile, &command)?);
        }
        "holder" => {
            let pool = open(&image)?;
            match enter::holder(&pool, &profile::find(&pool, text(2)?)?.id)? {
                Some(holder) => println!("{}", holder.pid()),
                None => println!("none"),
            }
        }
        "look" => {
            let pool = open(&image)?;
            let holder = enter::holder(&pool, &profile::find(&pool, text(2)?)?.id)?
                .ok_or("nobody has it")?;
            let path = text(3)?;
            let found = enter::in_holder(&holder, || {
                std::fs::read_to_string(path).map_err(|error| error.to_string())
            })??;
            print!("{found}");
        }
        other => return Err(format!("{other}: unknown").into()),
    }
    Ok(0)
}

fn open(image: &Path) -> Result<Pool, Box<dyn Error>> {
    Ok(Pool::open(&Selector::Path(image.to_path_buf()))?)
}

fn make_pool(image: &Path, bytes: u64, inode_floor: u64) -> Result<(), Box<dyn Error>> {
    let options = CreateOptions {
        size: Some(bytes),
        force: false,
        inode_floor,
        label: "test".into(),
        now: Time::now(),
    };
    pool::create(image, &options, &mut Silent)?;
    Ok(())
}

fn add_base(pool: &Pool, version: &str, from: &Path) -> Result<(), Box<dyn Error>> {
    let source = if from.is_dir() {
        Source::Directory(from.to_path_buf())
    } else {
        Source::Tar(from.to_path_buf())
    };
    let request = AddBase {
        version: version.parse()?,
        source,
        make_current: true,
        environment: Vec::new(),
        now: Time::now(),
    };
    base::add(pool, &request, &mut Silent)?;
    Ok(())
}

fn make_profile(pool: &Pool, name: &str) -> Result<(), Box<dyn Error>> {
    let own = process::current()?;
    let actor = Actor {
        command: "enter profile".into(),
        user: None,
        uid: None,
        front_end: "enter".into(),
        owner: Owner {
            pid: own.pid,
            start_time: own.start_time,
            pid_ns: own.pid_ns,
            boot_id: own.boot_id,
            soft_reboots: 0,
        },
    };
    let request = CreateProfile {
        name: name.parse()?,
        base: None,
        description: String::new(),
        kind: Kind::User,
    };
    profile::create(pool, &request, &actor, Time::now())?;
    Ok(())
}
