//! dpkg's locks, against the real dpkg on a private database.

mod support;

use std::fs;
use std::path::Path;

use profile_sys::command::{Command, Output};
use profile_sys::lock::DpkgLock;

/// The real dpkg on the database `admin`, in a process of its own: locks are a process's.
fn dpkg(admin: &Path, arguments: &[&str]) -> Output {
    let root = admin.with_file_name("root");
    Command::new("dpkg")
        .arg(format!("--admindir={}", admin.display()))
        .arg(format!("--instdir={}", root.display()))
        .args(["--log=/dev/null", "--force-script-chrootless"])
        .args(arguments)
        .run()
        .expect("dpkg runs")
}

fn configure_all(admin: &Path) -> Output {
    dpkg(admin, &["--configure", "-a"])
}

/// A package whose postinst does nothing but read `fifo`.
fn waiting_package(directory: &Path, fifo: &Path) -> String {
    let control = directory.join("package/DEBIAN");
    fs::create_dir_all(&control).expect("mkdir");
    let text =
        "Package: waits\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: waits\n";
    fs::write(control.join("control"), text).expect("write");
    let script = format!("#!/bin/sh\ncat '{}'\n", fifo.display());
    profile_sys::file::write_new(&control.join("postinst"), script.as_bytes(), 0o755)
        .expect("write");
    let archive = directory.join("waits.deb");
    Command::new("dpkg-deb")
        .args(["--build", "-Znone"])
        .args([&directory.join("package"), &archive])
        .run_ok()
        .expect("dpkg-deb");
    archive.to_str().expect("utf-8").to_owned()
}

#[test]
fn loop_while_we_hold_the_locks_dpkg_refuses_and_the_other_way_round() {
    support::require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let admin = directory.path().join("dpkg");
    fs::create_dir(&admin).expect("mkdir");
    fs::create_dir(directory.path().join("root")).expect("mkdir");
    for name in ["updates", "info", "triggers"] {
        fs::create_dir(admin.join(name)).expect("mkdir");
    }
    fs::write(admin.join("status"), "").expect("write");
    assert!(
        configure_all(&admin).status.success(),
        "{:?}",
        configure_all(&admin)
    );
    let held = DpkgLock::try_acquire(&admin).expect("lock").expect("free");
    let output = configure_all(&admin);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    // By "another process" until dpkg 1.22, which names it.
    assert!(said.contains("frontend lock was locked by "), "{said}");
    drop(held);
    assert!(configure_all(&admin).status.success());

    // A dpkg that waits in the middle of its work, in a maintainer script.
    let fifo = directory.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let package = waiting_package(directory.path(), &fifo);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| dpkg(&admin, &["--install", &package]));
        // Opening it for writing waits until the script reads.
        let writer = fs::OpenOptions::new()
            .write(true)
            .open(&fifo)
            .expect("fifo");
        let while_it_runs = DpkgLock::try_acquire(&admin).expect("lock").is_none();
        drop(writer);
        let output = waiting.join().expect("thread");
        assert!(output.status.success(), "{output:?}");
        assert!(while_it_runs, "dpkg holds its locks while it works");
    });
    assert!(DpkgLock::try_acquire(&admin).expect("lock").is_some());
    let error = DpkgLock::try_acquire(&directory.path().join("none")).expect_err("no database");
    assert!(error.is_not_found());
}
