//! The overlay of a profile: options forced whatever the machine's defaults are, odd paths, one upper twice.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::mount::MsFlags;
use profile_sys::mount::{Overlay, mount_overlay, verify_overlay};
use profile_sys::{Error, mount, mountinfo};
use support::Pool;

/// The module's parameters are the machine's: tests that change them and tests that mount take turns.
fn parameters() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Defaults of the overlay module, put back when dropped.
struct Hostile(Vec<(PathBuf, Vec<u8>)>);

impl Hostile {
    fn set(values: &[(&str, &str)]) -> Self {
        let mut before = Self(Vec::new());
        for (name, value) in values {
            let path = Path::new("/sys/module/overlay/parameters").join(name);
            before
                .0
                .push((path.clone(), fs::read(&path).expect("parameter")));
            fs::write(&path, value).expect("parameter");
        }
        before
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        for (path, value) in &self.0 {
            fs::write(path, value).expect("parameter put back");
        }
    }
}

/// Directories for an overlay: lower (with a file), upper, work, merged.
struct Layers {
    lower: PathBuf,
    upper: PathBuf,
    work: PathBuf,
    merged: PathBuf,
}

impl Layers {
    fn new(pool: &Pool) -> Self {
        Self::named(pool, OsStr::new("base"), OsStr::new("profile"))
    }

    fn named(pool: &Pool, base: &OsStr, profile: &OsStr) -> Self {
        let (lower, profile) = (pool.top.join(base), pool.top.join(profile));
        profile_sys::btrfs::create_subvolume(&lower).expect("subvolume");
        profile_sys::btrfs::create_subvolume(&profile).expect("subvolume");
        fs::write(lower.join("file"), "base").expect("write");
        fs::create_dir(lower.join("directory")).expect("mkdir");
        let layers = Self {
            lower,
            upper: profile.join("upper"),
            work: profile.join("work"),
            merged: pool.image.with_file_name("merged"),
        };
        for path in [&layers.upper, &layers.work, &layers.merged] {
            fs::create_dir(path).expect("mkdir");
        }
        layers
    }

    fn overlay(&self) -> Overlay<'_> {
        Overlay {
            source: "flipper-profile:upper:base".into(),
            lowers: vec![&self.lower],
            upper: Some((&self.upper, &self.work)),
            same_filesystem: true,
        }
    }
}

/// What the kernel shows of the mount on `path`.
fn shown(path: &Path) -> mountinfo::Mount {
    let mounts = mountinfo::read_own().expect("mountinfo");
    mounts
        .into_iter()
        .rfind(|mount| mount.mount_point == path)
        .expect("mounted")
}

const HOSTILE: [(&str, &str); 5] = [
    ("index", "Y"),
    ("nfs_export", "Y"),
    ("metacopy", "Y"),
    ("redirect_dir", "Y"),
    ("xino_auto", "Y"),
];

#[test]
fn loop_the_source_names_upper_and_base_and_writes_go_up() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    mount_overlay(&layers.overlay(), &layers.merged).expect("mount");
    let mount = shown(&layers.merged);
    assert_eq!(
        (mount.fs_type.as_str(), mount.source.as_bytes()),
        ("overlay", &b"flipper-profile:upper:base"[..])
    );
    fs::write(layers.merged.join("file"), "profile").expect("write");
    assert_eq!(
        fs::read_to_string(layers.upper.join("file")).expect("read"),
        "profile"
    );
    assert_eq!(
        fs::read_to_string(layers.lower.join("file")).expect("read"),
        "base"
    );
}

#[test]
fn loop_options_hold_against_hostile_defaults() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    let hostile = Hostile::set(&HOSTILE);
    mount_overlay(&layers.overlay(), &layers.merged).expect("mount");
    let options = shown(&layers.merged).super_options;
    for expected in [
        "index=off",
        "nfs_export=off",
        "metacopy=off",
        "redirect_dir=nofollow",
    ] {
        assert!(options.contains(expected), "{expected} in {options}");
    }
    let error = fs::rename(
        layers.merged.join("directory"),
        layers.merged.join("elsewhere"),
    );
    assert_eq!(
        error.expect_err("nofollow").raw_os_error(),
        Some(libc::EXDEV)
    );
    mount::unmount(&layers.merged).expect("unmount");
    drop(hostile);
    // And verified the same way when the defaults are tame again, or changed while it is mounted.
    mount_overlay(&layers.overlay(), &layers.merged).expect("mount");
    verify_overlay(&layers.overlay(), &layers.merged).expect("as it was mounted");
    let hostile = Hostile::set(&HOSTILE);
    verify_overlay(&layers.overlay(), &layers.merged)
        .expect("defaults do not change what is mounted");
    drop(hostile);
}

/// Mounts an overlay in the way of another tool, with these options on top of the layers.
fn mount_otherwise(layers: &Layers, options: &str) {
    let all = format!(
        "lowerdir={},upperdir={},workdir={}{options}",
        layers.lower.display(),
        layers.upper.display(),
        layers.work.display()
    );
    let source = layers.overlay().source;
    nix::mount::mount(
        Some(source.as_str()),
        &layers.merged,
        Some("overlay"),
        MsFlags::empty(),
        Some(all.as_str()),
    )
    .expect("mount");
}

#[test]
fn loop_each_option_that_does_not_hold_is_found() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    let refused = |options: &str| {
        mount_otherwise(&layers, options);
        let outcome = verify_overlay(&layers.overlay(), &layers.merged);
        mount::unmount(&layers.merged).expect("unmount");
        // index=on marks the work directory, volatile both: later mounts would fail for that.
        profile_sys::file::remove_tree(&layers.upper).expect("remove");
        profile_sys::file::remove_tree(&layers.work).expect("remove");
        fs::create_dir(&layers.upper).expect("mkdir");
        fs::create_dir(&layers.work).expect("mkdir");
        match outcome {
            Err(Error::OptionsNotForced { found, .. }) => found,
            other => panic!("{options}: {other:?}"),
        }
    };
    assert_eq!(refused(",index=on"), "index=on");
    assert_eq!(refused(",metacopy=on"), "metacopy=on");
    assert_eq!(refused(",redirect_dir=on"), "redirect_dir=on");
    // "volatile" until Linux 6.17 or so, "fsync=volatile" since.
    assert!(refused(",volatile").ends_with("volatile"));
    assert_eq!(refused(",userxattr"), "userxattr");
    assert_eq!(
        refused(",index=on,nfs_export=on,redirect_dir=nofollow"),
        "index=on"
    );
    // A default that nobody forced.
    let hostile = Hostile::set(&[("metacopy", "Y")]);
    // (The kernel itself drops it beside redirect_dir=nofollow.)
    assert_eq!(refused(",redirect_dir=on"), "metacopy=on");
    drop(hostile);
    let hostile = Hostile::set(&[("redirect_dir", "N"), ("redirect_always_follow", "Y")]);
    assert_eq!(refused(""), "redirect_dir=follow");
    drop(hostile);
}

#[test]
fn loop_another_mount_on_the_target_is_not_taken_for_ours() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    mount::tmpfs(&layers.merged, "mode=0755,size=1m").expect("tmpfs");
    let error = verify_overlay(&layers.overlay(), &layers.merged).expect_err("a tmpfs");
    assert!(matches!(error, Error::OptionsNotForced { .. }), "{error}");
}

#[test]
fn loop_paths_with_separators_and_odd_bytes_work() {
    let _turn = parameters();
    let pool = Pool::new(256);
    for (number, name) in [
        &b"a:b,c\\d"[..],
        b"with space\tand\nnewline",
        b"\xff\xfe#",
        b"-,\\,:",
    ]
    .iter()
    .enumerate()
    {
        let base = [b"base", *name].concat();
        let profile = [b"profile", *name].concat();
        let layers = Layers::named(&pool, OsStr::from_bytes(&base), OsStr::from_bytes(&profile));
        mount_overlay(&layers.overlay(), &layers.merged)
            .unwrap_or_else(|error| panic!("{number}: {error:?}"));
        fs::write(layers.merged.join("new"), "new").expect("write");
        assert!(layers.upper.join("new").exists() && layers.merged.join("file").exists());
        mount::unmount(&layers.merged).expect("unmount");
        fs::remove_dir(&layers.merged).expect("rmdir");
    }
}

#[test]
fn loop_one_upper_twice_is_not_prevented_by_the_kernel() {
    // Why there is a lease: if this ever fails, the kernel has learnt to refuse, and the lease is a second net.
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    let second = pool.image.with_file_name("second");
    fs::create_dir(&second).expect("mkdir");
    mount_overlay(&layers.overlay(), &layers.merged).expect("first");
    mount_overlay(&layers.overlay(), &second).expect("the kernel only warns");
    mount::unmount(&second).expect("unmount");
}

#[test]
fn loop_a_view_without_an_upper_cannot_be_written() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    fs::write(layers.upper.join("above"), "upper").expect("write");
    let view = Overlay {
        lowers: vec![&layers.upper, &layers.lower],
        upper: None,
        ..layers.overlay()
    };
    mount_overlay(&view, &layers.merged).expect("mount");
    assert!(layers.merged.join("above").exists() && layers.merged.join("file").exists());
    let error = fs::write(layers.merged.join("x"), "").expect_err("read-only");
    assert_eq!(error.raw_os_error(), Some(libc::EROFS));
}

#[test]
fn loop_a_failed_mount_says_why() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    fs::remove_dir(&layers.work).expect("rmdir");
    let error = mount_overlay(&layers.overlay(), &layers.merged).expect_err("no work directory");
    assert!(error.is_not_found(), "{error:?}");
    let long = PathBuf::from(format!("/{}", "x".repeat(4096)));
    let overlay = Overlay {
        lowers: vec![&long],
        ..layers.overlay()
    };
    let error = mount_overlay(&overlay, &layers.merged).expect_err("too long");
    assert_eq!(error.errno(), Some(libc::ENAMETOOLONG));
}

#[test]
fn loop_a_subvolume_in_use_can_be_renamed_and_exchanged() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    mount_overlay(&layers.overlay(), &layers.merged).expect("mount");
    fs::write(layers.merged.join("new"), "one").expect("write");
    let staged = pool.subvolume("staged");
    profile_sys::file::exchange(&staged, &pool.at("profile")).expect("exchange");
    fs::write(layers.merged.join("new"), "two").expect("write");
    assert_eq!(
        fs::read_to_string(staged.join("upper/new")).expect("read"),
        "two"
    );
}

#[test]
fn loop_a_profile_becomes_the_root_of_a_child() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let layers = Layers::new(&pool);
    mount_overlay(&layers.overlay(), &layers.merged).expect("mount");
    let child = || -> profile_sys::Result<bool> {
        mount::private_namespace()?;
        mount::bind(&layers.merged, &layers.merged)?;
        mount::pivot_root_into(&layers.merged)?;
        let names = profile_sys::file::list(Path::new("/"))?;
        Ok(names == ["directory", "file"])
    };
    support::in_child(|| i32::from(!matches!(child(), Ok(true))));
    assert!(Path::new("/proc/self").exists(), "the parent's root stays");
}

#[test]
fn loop_binds_and_their_flags() {
    let _turn = parameters();
    let pool = Pool::new(256);
    let (from, to) = (pool.directory("from"), pool.directory("to"));
    fs::write(from.join("file"), "x").expect("write");
    mount::bind(&from, &to).expect("bind");
    mount::make_read_only(&to).expect("read-only");
    assert!(support::is_mount_point(&to));
    assert_eq!(
        fs::write(to.join("file"), "y")
            .expect_err("read-only")
            .raw_os_error(),
        Some(libc::EROFS)
    );
    fs::write(from.join("file"), "y").expect("the original stays writable");
    let options = shown(&to).options;
    assert!(
        options.contains("ro") && options.contains("noatime"),
        "{options}"
    );
    mount::unmount(&to).expect("unmount");
    assert!(!support::is_mount_point(&to));
    // A slave sees what is mounted on its master later, and not the other way round.
    mount::bind(&from, &from).expect("bind");
    let shared = MsFlags::MS_SHARED;
    nix::mount::mount(None::<&str>, &from, None::<&str>, shared, None::<&str>).expect("share");
    fs::create_dir(from.join("below")).expect("mkdir");
    mount::bind_recursive_slave(&from, &to).expect("bind");
    mount::tmpfs(&from.join("below"), "size=1m").expect("tmpfs");
    assert!(support::is_mount_point(&to.join("below")));
    mount::unmount(&to.join("below")).expect("unmount");
    assert!(support::is_mount_point(&from.join("below")));
    assert!(mount::unmount(&pool.directory("nothing here")).is_err());
}
