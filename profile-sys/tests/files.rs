//! Files and locks, without root: what is left after each operation, and after each failure.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use profile_sys::lock::{FileLock, Mode};
use profile_sys::{Error, file};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("temp dir")
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path)
        .expect("lstat")
        .permissions()
        .mode()
        & 0o7777
}

fn names(path: &Path) -> Vec<String> {
    file::list(path)
        .expect("list")
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn write_atomic_replaces_content_and_mode_and_leaves_nothing_beside() {
    let directory = directory();
    let path = directory.path().join("file");
    file::write_atomic(&path, b"one", 0o644).expect("write");
    file::write_atomic(&path, b"two", 0o4755).expect("write");
    assert_eq!(file::read(&path).expect("read"), b"two");
    assert_eq!(mode_of(&path), 0o4755, "whatever the umask");
    assert_eq!(names(directory.path()), ["file"]);
}

#[test]
fn write_atomic_replaces_a_symlink_itself() {
    let directory = directory();
    let (target, path) = (
        directory.path().join("target"),
        directory.path().join("link"),
    );
    fs::write(&target, "kept").expect("write");
    symlink(&target, &path).expect("symlink");
    file::write_atomic(&path, b"new", 0o600).expect("write");
    assert_eq!(fs::read(&target).expect("read"), b"kept");
    assert!(fs::symlink_metadata(&path).expect("lstat").is_file());
}

#[test]
fn write_atomic_that_fails_leaves_the_old_and_nothing_beside() {
    let directory = directory();
    let path = directory.path().join("file");
    fs::create_dir(&path).expect("mkdir");
    let error = file::write_atomic(&path, b"x", 0o600).expect_err("a directory has the name");
    assert_eq!(error.errno(), Some(libc::EISDIR));
    assert_eq!(names(directory.path()), ["file"]);
    let error = file::write_atomic(&path.join("no/where"), b"x", 0o600).expect_err("no directory");
    assert!(error.is_not_found());
    assert!(matches!(
        file::write_atomic(Path::new("/"), b"x", 0o600),
        Err(Error::BadName { .. })
    ));
}

#[test]
fn a_name_of_full_length_can_be_written() {
    let directory = directory();
    let path = directory.path().join("n".repeat(255));
    file::write_atomic(&path, b"x", 0o600).expect("write");
    assert_eq!(file::read(&path).expect("read"), b"x");
}

#[test]
fn write_new_refuses_what_is_there() {
    let directory = directory();
    let path = directory.path().join("file");
    file::write_new(&path, b"one", 0o640).expect("write");
    assert_eq!(mode_of(&path), 0o640);
    assert!(
        file::write_new(&path, b"two", 0o640)
            .expect_err("taken")
            .is_already_there()
    );
    assert_eq!(file::read(&path).expect("read"), b"one");
    symlink("dangling", directory.path().join("link")).expect("symlink");
    let error = file::write_new(&directory.path().join("link"), b"x", 0o600).expect_err("taken");
    assert!(error.is_already_there());
}

#[test]
fn read_limited_refuses_the_large_the_linked_and_the_endless() {
    let directory = directory();
    let path = directory.path().join("file");
    fs::write(&path, "12345").expect("write");
    assert_eq!(file::read_limited(&path, 5).expect("read"), b"12345");
    assert!(matches!(
        file::read_limited(&path, 4),
        Err(Error::TooLarge { limit: 4, .. })
    ));
    let link = directory.path().join("link");
    symlink(&path, &link).expect("symlink");
    assert_eq!(
        file::read_limited(&link, 9).expect_err("a symlink").errno(),
        Some(libc::ELOOP)
    );
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    assert_eq!(
        file::read_limited(&fifo, 9).expect_err("a fifo").errno(),
        Some(libc::EINVAL)
    );
    assert!(file::read_limited(Path::new("/dev/zero"), 9).is_err());
}

#[test]
fn existence_is_that_of_the_name_itself() {
    let directory = directory();
    let link = directory.path().join("link");
    assert!(!file::exists(&link).expect("lstat"));
    symlink("nowhere", &link).expect("symlink");
    assert!(file::exists(&link).expect("lstat"));
    fs::write(directory.path().join("file"), "").expect("write");
    assert!(
        !file::exists(&directory.path().join("file/below")).expect("lstat"),
        "ENOTDIR is absence"
    );
    assert_eq!(
        file::read_link(&link).expect("readlink"),
        Path::new("nowhere")
    );
}

#[test]
fn directories_get_exactly_their_mode() {
    let directory = directory();
    let path = directory.path().join("a/b/c");
    file::create_directory_all(&path, 0o1777).expect("mkdir");
    file::create_directory_all(&path, 0o700).expect("it is there");
    assert_eq!(mode_of(&path), 0o1777);
    assert!(
        file::create_directory(&path, 0o700)
            .expect_err("taken")
            .is_already_there()
    );
    fs::write(path.join("file"), "").expect("write");
    let error = file::create_directory_all(&path.join("file/x"), 0o700).expect_err("in the way");
    assert_eq!(error.errno(), Some(libc::ENOTDIR));
    assert_eq!(
        file::remove_directory(&path)
            .expect_err("not empty")
            .errno(),
        Some(libc::ENOTEMPTY)
    );
}

#[test]
fn a_tree_is_removed_without_following_what_is_in_it() {
    let directory = directory();
    let (kept, tree) = (directory.path().join("kept"), directory.path().join("tree"));
    fs::create_dir(&kept).expect("mkdir");
    fs::write(kept.join("file"), "").expect("write");
    fs::create_dir_all(tree.join("a/b")).expect("mkdir");
    symlink(&kept, tree.join("a/link")).expect("symlink");
    symlink(&kept, tree.join("a/b/link")).expect("symlink");
    for name in [&b"-rf"[..], b"new\nline", b"\xff\xfe", b" ", b"*"] {
        fs::write(tree.join(std::ffi::OsStr::from_bytes(name)), "").expect("write");
    }
    fs::set_permissions(tree.join("a"), fs::Permissions::from_mode(0o700)).expect("chmod");
    file::remove_tree(&tree).expect("remove");
    assert!(!file::exists(&tree).expect("lstat"));
    assert_eq!(names(&kept), ["file"]);
    file::remove_tree(&tree).expect("not there is done");
    symlink(&kept, &tree).expect("symlink");
    file::remove_tree(&tree).expect("a symlink goes itself");
    assert_eq!(names(&kept), ["file"]);
}

#[test]
fn a_tree_deeper_than_a_path_can_be_long_is_removed() {
    let directory = directory();
    let top = directory.path().join("deep");
    fs::create_dir(&top).expect("mkdir");
    let name = "d".repeat(200);
    let flags = nix::fcntl::OFlag::O_DIRECTORY | nix::fcntl::OFlag::O_CLOEXEC;
    let mode = nix::sys::stat::Mode::S_IRWXU;
    let mut at = std::os::fd::OwnedFd::from(fs::File::open(&top).expect("open"));
    for _ in 0..60 {
        nix::sys::stat::mkdirat(&at, name.as_str(), mode).expect("mkdir");
        at = nix::fcntl::openat(&at, name.as_str(), flags, mode).expect("open");
    }
    file::remove_tree(&top).expect("remove");
    assert!(!file::exists(&top).expect("lstat"));
}

#[test]
fn names_move_and_change_places() {
    let directory = directory();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    fs::write(&one, "1").expect("write");
    fs::write(&two, "2").expect("write");
    file::exchange(&one, &two).expect("exchange");
    assert_eq!(file::read(&one).expect("read"), b"2");
    assert!(
        file::rename_no_replace(&one, &two)
            .expect_err("taken")
            .is_already_there()
    );
    file::rename(&one, &two).expect("rename");
    assert_eq!(names(directory.path()), ["two"]);
    fs::write(&one, "1").expect("write");
    file::symlink(Path::new("two"), &directory.path().join("link")).expect("symlink");
    assert!(
        file::symlink(Path::new("two"), &one)
            .expect_err("taken")
            .is_already_there()
    );
    file::remove_file(&one).expect("remove");
    assert!(file::remove_file(&one).expect_err("gone").is_not_found());
    for path in [directory.path(), &two] {
        file::sync_filesystem(path).expect("sync");
    }
    file::fsync_directory(directory.path()).expect("fsync");
    assert!(
        file::fsync_directory(&two).is_err(),
        "a file is no directory"
    );
}

#[test]
fn space_is_taken_and_given_back() {
    let directory = directory();
    let path = directory.path().join("reserve");
    file::allocate(&path, 1 << 20).expect("allocate");
    let meta = fs::metadata(&path).expect("stat");
    assert!(meta.len() == 1 << 20 && meta.blocks() * 512 >= 1 << 20);
    file::truncate(&path, 10).expect("truncate");
    assert_eq!(fs::metadata(&path).expect("stat").len(), 10);
}

fn lock_path(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("lock")
}

/// Whether a lock is given back. A program that is just being started, by this test or another, has copies of all
/// descriptors for a moment more: the kernel lets its parent go on before it closes them.
fn is_released(path: &Path) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(1));
        !FileLock::is_held(path).expect("lock")
    })
}

#[test]
fn an_exclusive_lock_excludes_and_a_shared_one_shares() {
    let directory = directory();
    let path = lock_path(&directory);
    let try_mode = |mode| FileLock::try_acquire(&path, mode).expect("lock");
    let one = try_mode(Mode::Shared).expect("free");
    let two = try_mode(Mode::Shared).expect("shared");
    assert!(try_mode(Mode::Exclusive).is_none());
    assert!(
        !FileLock::is_held(&path).expect("lock"),
        "shared with the question"
    );
    drop((one, two));
    let wait = Duration::from_secs(5);
    let one = FileLock::acquire(&path, Mode::Exclusive, wait).expect("free");
    assert!(try_mode(Mode::Shared).is_none());
    assert!(FileLock::is_held(&path).expect("lock"));
    // An attribute, since content cannot be written on a full disk; not every filesystem has them.
    if one.describe(b"a long line about the holder").is_ok() {
        one.describe(b"short").expect("describe");
        let said = FileLock::description(&path).expect("read");
        assert_eq!(said.as_deref(), Some(&b"short"[..]));
    }
    drop(one);
    assert!(is_released(&path));
    assert!(!FileLock::is_held(&directory.path().join("none")).expect("no file, no lock"));
}

#[test]
fn waiting_for_a_lock_ends_with_the_time_or_the_holder() {
    let directory = directory();
    let path = lock_path(&directory);
    let held = FileLock::try_acquire(&path, Mode::Exclusive)
        .expect("lock")
        .expect("free");
    let started = Instant::now();
    let error =
        FileLock::acquire(&path, Mode::Exclusive, Duration::from_millis(100)).expect_err("held");
    assert!(matches!(&error, Error::Locked { path: named } if *named == path));
    assert!(started.elapsed() >= Duration::from_millis(100));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            drop(held);
        });
        FileLock::acquire(&path, Mode::Exclusive, Duration::from_secs(20))
            .expect("released meanwhile");
    });
}

#[test]
fn a_lock_on_a_removed_file_is_taken_anew() {
    let directory = directory();
    let path = lock_path(&directory);
    let held = FileLock::try_acquire(&path, Mode::Exclusive)
        .expect("lock")
        .expect("free");
    fs::remove_file(&path).expect("remove");
    let again = FileLock::try_acquire(&path, Mode::Exclusive).expect("lock");
    assert!(again.is_some(), "the name stands for another file now");
    drop(held);
    assert!(FileLock::is_held(&path).expect("lock"));
}

#[test]
fn a_started_program_does_not_keep_our_lock() {
    let directory = directory();
    let path = lock_path(&directory);
    let held = FileLock::try_acquire(&path, Mode::Exclusive)
        .expect("lock")
        .expect("free");
    let mut child = std::process::Command::new("/bin/sleep")
        .arg("60")
        .spawn()
        .expect("sleep");
    drop(held);
    assert!(is_released(&path));
    child.kill().expect("kill");
    child.wait().expect("wait");
}
