//! Namespaces, children, and what can be seen of them from outside.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use profile_sys::namespace::{self, Kind, enter, fork_child, fork_child_bound, unshare};
use profile_sys::process::{self, Liveness, liveness};
use profile_sys::{mount, mountinfo, pid_one};
use support::require_root;

/// A child that tells its parent when it is ready and then lives until it is killed or let go.
struct Resident {
    child: namespace::Child,
    socket: UnixStream,
}

impl Resident {
    /// `prepare` runs in the child.
    fn start(prepare: impl FnOnce()) -> Self {
        let (mut socket, mut theirs) = UnixStream::pair().expect("socket pair");
        let child = fork_child_bound(move || {
            prepare();
            if theirs.write_all(b"r").is_err() {
                return 1;
            }
            // Until the parent lets go of its end.
            let _ = theirs.read(&mut [0]);
            0
        })
        .expect("fork");
        socket.read_exact(&mut [0]).expect("the child is ready");
        Self { child, socket }
    }

    fn end(self) {
        // Our end of the pair was copied into the child too, so only a shutdown reaches it.
        self.socket
            .shutdown(std::net::Shutdown::Both)
            .expect("shutdown");
        assert!(self.child.wait().expect("wait").success());
    }
}

fn eventually(what: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn loop_nothing_mounted_in_a_private_namespace_is_seen_outside() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let path = directory.path().to_owned();
    std::thread::spawn(move || {
        mount::private_namespace().expect("namespace");
        mount::tmpfs(&path, "size=1m").expect("tmpfs");
        fs::write(path.join("inside"), "").expect("write");
        assert!(support::is_mount_point(&path));
    })
    .join()
    .expect("thread");
    assert!(!directory.path().join("inside").exists());
    assert!(!support::is_mount_point(directory.path()));
}

#[test]
fn loop_mounts_of_every_namespace_are_found() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let marked = |name: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(&path).expect("mkdir");
        path
    };
    let (in_process, in_thread) = (marked("process"), marked("thread"));
    let resident = Resident::start(|| {
        mount::private_namespace().expect("namespace");
        mount::tmpfs(&in_process, "size=1m").expect("tmpfs");
    });
    // A thread with a namespace of its own, in a process whose other threads are elsewhere.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (ready, is_ready) = std::sync::mpsc::channel::<()>();
    let path = in_thread.clone();
    let thread = std::thread::spawn(move || {
        mount::private_namespace().expect("namespace");
        mount::tmpfs(&path, "size=1m").expect("tmpfs");
        ready.send(()).expect("ready");
        let _ = wait.recv();
    });
    is_ready.recv().expect("ready");
    let all = mountinfo::every_namespace().expect("survey");
    let found = |path: &Path| {
        all.mounts
            .iter()
            .find(|(_, mount)| mount.mount_point == path)
            .map(|(ns, _)| *ns)
    };
    let expected = namespace::id_of(resident.child.id(), Kind::Mount).expect("namespace id");
    assert_eq!(found(&in_process), Some(expected));
    assert!(found(&in_thread).is_some_and(|ns| ns != expected));
    assert_eq!(
        all.complete,
        namespace::in_initial_pid_namespace().expect("/proc")
    );
    resident.end();
    drop(go);
    thread.join().expect("thread");
    let all = mountinfo::every_namespace().expect("survey");
    assert!(
        !all.mounts
            .iter()
            .any(|(_, mount)| mount.mount_point == in_process)
    );
}

#[test]
fn loop_mounts_are_found_that_a_chroot_hides_from_the_only_process_of_a_namespace() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let (hidden, root) = (
        directory.path().join("hidden"),
        directory.path().join("root"),
    );
    fs::create_dir(&hidden).expect("mkdir");
    fs::create_dir(&root).expect("mkdir");
    let resident = Resident::start(|| {
        mount::private_namespace().expect("namespace");
        mount::tmpfs(&hidden, "size=1m").expect("tmpfs");
        nix::unistd::chroot(&root).expect("chroot");
    });
    let own = mountinfo::read_of(resident.child.id()).expect("mountinfo");
    assert!(own.is_empty(), "what it sees itself: {own:?}");
    let all = mountinfo::every_namespace().expect("survey");
    assert!(
        all.mounts
            .iter()
            .any(|(_, mount)| mount.mount_point == hidden)
    );
    resident.end();
}

#[test]
fn loop_a_namespace_kept_by_a_bind_mount_alone_is_found() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let (pin, hidden) = (
        directory.path().join("pin"),
        directory.path().join("hidden"),
    );
    fs::write(&pin, "").expect("write");
    fs::create_dir(&hidden).expect("mkdir");
    // A namespace can be pinned only from one that is older, by a number that newer kernels count on each
    // processor for itself: stay on one.
    let mut one = nix::sched::CpuSet::new();
    one.set(nix::sched::sched_getcpu().expect("cpu"))
        .expect("cpu");
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &one).expect("affinity");
    mount::private_namespace().expect("namespace");
    let resident = Resident::start(|| {
        mount::private_namespace().expect("namespace");
        mount::tmpfs(&hidden, "size=1m").expect("tmpfs");
    });
    let file = format!("/proc/{}/ns/mnt", resident.child.id());
    mount::bind(Path::new(&file), &pin).expect("pin");
    let id = namespace::id_of(resident.child.id(), Kind::Mount).expect("namespace id");
    resident.end();
    let all = mountinfo::every_namespace().expect("survey");
    let found = all
        .mounts
        .iter()
        .find(|(_, mount)| mount.mount_point == hidden);
    assert_eq!(
        found.map(|(ns, _)| *ns),
        Some(id),
        "complete: {}",
        all.complete
    );
    // Not at once: the survey opened it, and the kernel closes files a moment after their last user.
    mount::unmount_detach(&pin).expect("unpin");
}

#[test]
fn loop_a_survey_from_a_nested_pid_namespace_is_not_complete() {
    require_root();
    support::in_child(|| {
        if unshare(&[Kind::Pid]).is_err() {
            return 1;
        }
        // The child of this one is in the new namespace.
        let inner = fork_child(|| {
            let nested = || -> profile_sys::Result<bool> {
                mount::private_namespace()?;
                mount::proc(Path::new("/proc"))?;
                let survey = mountinfo::every_namespace()?;
                Ok(!survey.complete && !namespace::in_initial_pid_namespace()?)
            };
            i32::from(!matches!(nested(), Ok(true)))
        });
        match inner.and_then(|child| child.wait()) {
            Ok(status) => status.code().unwrap_or(2),
            Err(_) => 3,
        }
    });
}

#[test]
fn loop_a_process_is_told_alive_across_pid_namespaces() {
    require_root();
    // Written by a process in a nested namespace about itself, read outside.
    let (mut ours, mut theirs) = UnixStream::pair().expect("socket pair");
    let outer = fork_child_bound(move || {
        if unshare(&[Kind::Pid]).is_err() {
            return 1;
        }
        let inner = fork_child_bound(move || {
            let mut nested = move || -> profile_sys::Result<()> {
                mount::private_namespace()?;
                mount::proc(Path::new("/proc"))?;
                let own = process::current()?;
                let line = format!(
                    "{} {} {} {}\n",
                    own.pid, own.start_time, own.pid_ns, own.boot_id
                );
                let _ = theirs.write_all(line.as_bytes());
                // A process outside cannot be told about from in here.
                let mut outside = own.clone();
                outside.pid_ns = 0xEFFF_FFFC;
                let unknown = liveness(&outside)? == Liveness::Unknown;
                let alive = liveness(&own)? == Liveness::Alive;
                let _ = theirs.write_all(if unknown && alive { b"y\n" } else { b"n\n" });
                let _ = theirs.read(&mut [0]);
                Ok(())
            };
            i32::from(nested().is_err())
        });
        match inner.and_then(|child| child.wait()) {
            Ok(status) => status.code().unwrap_or(2),
            Err(_) => 3,
        }
    })
    .expect("fork");
    let mut text = String::new();
    let mut byte = [0];
    while text.matches('\n').count() < 2 {
        assert_eq!(ours.read(&mut byte).expect("two lines"), 1);
        text.push(char::from(byte[0]));
    }
    let (line, verdict) = text.trim().split_once('\n').expect("two lines");
    assert_eq!(
        verdict, "y",
        "inside: itself alive, what is outside unknown"
    );
    let mut words = line.split(' ');
    let mut number = || {
        words
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .expect("a number")
    };
    let identity = process::Identity {
        pid: number() as u32,
        start_time: number(),
        pid_ns: number(),
        boot_id: words.next().expect("boot id").to_owned(),
    };
    assert_eq!(identity.pid, 1, "its number inside");
    assert_eq!(liveness(&identity).expect("/proc"), Liveness::Alive);
    let mut later = identity.clone();
    later.start_time += 1;
    assert_eq!(
        liveness(&later).expect("/proc"),
        Liveness::Dead,
        "another process of that number"
    );
    ours.shutdown(std::net::Shutdown::Both).expect("shutdown");
    assert!(outer.wait().expect("wait").success());
    assert_eq!(
        liveness(&identity).expect("/proc"),
        Liveness::Dead,
        "its namespace is gone"
    );
}

#[test]
fn loop_entering_the_namespaces_of_another_shows_its_mounts() {
    require_root();
    let directory = tempfile::tempdir().expect("temp dir");
    let path = directory.path().to_owned();
    let resident = Resident::start(|| {
        mount::private_namespace().expect("namespace");
        unshare(&[Kind::Uts]).expect("uts");
        mount::tmpfs(&path, "size=1m").expect("tmpfs");
        fs::write(path.join("inside"), "").expect("write");
    });
    let pid = resident.child.id();
    support::in_child(|| match enter(pid, &[Kind::Uts, Kind::Mount]) {
        Ok(()) => i32::from(!path.join("inside").exists()),
        Err(_) => 2,
    });
    assert!(!path.join("inside").exists());
    resident.end();
    let error = enter(pid, &[Kind::Mount]).expect_err("gone");
    assert!(error.is_not_found(), "{error:?}");
}

#[test]
fn loop_a_child_bound_to_its_parent_dies_with_it() {
    require_root();
    let (mut ours, mut theirs) = UnixStream::pair().expect("socket pair");
    let middle = fork_child(move || {
        let inner = fork_child_bound(move || {
            let _ = theirs.write_all(format!("{}\n", std::process::id()).as_bytes());
            std::thread::sleep(Duration::from_secs(60));
            0
        });
        i32::from(inner.is_err()) // ends at once, without waiting
    })
    .expect("fork");
    // The first line may never come: then it died before it could write, which is as good.
    let mut text = String::new();
    assert!(middle.wait().expect("wait").success());
    ours.set_read_timeout(Some(Duration::from_secs(10)))
        .expect("timeout");
    // End of file comes when the last copy of the other end is gone; ours is the only one left.
    let outcome = ours.read_to_string(&mut text);
    assert!(
        outcome.is_ok(),
        "the child outlived its parent: {outcome:?}"
    );
    if let Ok(pid) = text.trim().parse::<u32>() {
        assert!(eventually(|| process::info(pid).expect("/proc").is_none()));
    }
}

#[test]
fn loop_an_init_reaps_orphans_and_passes_the_main_status_on() {
    require_root();
    support::in_child(|| {
        // Orphans of this process's descendants come to it, as to the first one of a pid namespace.
        if nix::sys::prctl::set_child_subreaper(true).is_err() {
            return 10;
        }
        let Ok(main) = fork_child(|| {
            // Leaves an orphan, which ends first.
            let _ = fork_child(|| 9);
            std::thread::sleep(Duration::from_millis(200));
            42
        }) else {
            return 11;
        };
        match namespace::reap_until(&main) {
            Ok(status) if status.code() == Some(42) => 0,
            _ => 12,
        }
    });
}

#[test]
fn loop_the_end_of_a_namespace_does_not_wait_for_a_parent_outside() {
    require_root();
    support::in_child(|| {
        let Ok((mut ours, mut theirs)) = UnixStream::pair() else {
            return 1;
        };
        if unshare(&[Kind::Pid]).is_err() {
            return 2;
        }
        let init = fork_child(move || {
            let ready = mount::private_namespace().and_then(|()| mount::proc(Path::new("/proc")));
            // Until the other one is there.
            let _ = theirs.read(&mut [0]);
            i32::from(
                ready.is_err() || pid_one::end_others().is_err() || theirs.write_all(b"e").is_err(),
            )
        });
        // A child of this process, which does not wait for it: killed, it stays in the table.
        let other = fork_child(|| {
            std::thread::sleep(Duration::from_secs(60));
            0
        });
        let (Ok(init), Ok(other)) = (init, other) else {
            return 3;
        };
        let limit = ours.set_read_timeout(Some(Duration::from_secs(10)));
        if limit.is_err() || ours.write_all(b"r").is_err() || ours.read_exact(&mut [0]).is_err() {
            return 4;
        }
        match (other.wait(), init.wait()) {
            (Ok(_), Ok(status)) => status.code().unwrap_or(5),
            _ => 6,
        }
    });
}

#[test]
fn loop_a_detached_child_has_no_terminal_and_no_descriptors() {
    require_root();
    let keep = tempfile::tempfile().expect("file");
    let other = fs::File::open("/dev/null").expect("open");
    support::in_child(|| {
        use std::os::fd::{AsFd, AsRawFd};
        if namespace::detach_from_terminal(&[keep.as_fd()]).is_err() {
            return 1;
        }
        let is_open = |number: i32| Path::new(&format!("/proc/self/fd/{number}")).exists();
        let session = nix::unistd::getsid(None) == Ok(nix::unistd::getpid());
        let null = fs::metadata("/proc/self/fd/1")
            .map(|meta| meta.rdev())
            .unwrap_or(0);
        let expected = fs::metadata("/dev/null")
            .map(|meta| meta.rdev())
            .unwrap_or(1);
        i32::from(
            !(session
                && null == expected
                && is_open(keep.as_raw_fd())
                && !is_open(other.as_raw_fd())),
        )
    });
}

#[test]
fn loop_a_panicking_child_ends_and_does_not_run_on_as_its_parent() {
    require_root();
    let child = fork_child(|| panic!("as asked")).expect("fork");
    assert_eq!(child.wait().expect("wait").code(), Some(255));
}
