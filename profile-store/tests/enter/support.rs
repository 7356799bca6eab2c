//! A pool with one profile over a tiny base, and the program that enters it.
//!
//! The base is made of programs of the machine: a shell and a few others with their libraries. What is entered is
//! driven through `examples/enter`, since an entry changes the root of its process.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Programs of the machine that the base has.
const PROGRAMS: &[&str] = &[
    "sh", "cat", "ls", "sleep", "readlink", "touch", "mkdir", "rm", "env",
];
/// How long anything may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The profile of every fixture.
pub const PROFILE: &str = "work";

/// A pool on an image file. The image goes with its directory; `NO_TEST_CLEAN_UP=1` keeps it.
#[derive(Debug)]
pub struct Fixture {
    pub directory: tempfile::TempDir,
    pub image: PathBuf,
}

impl Fixture {
    /// A pool with the profile `work`.
    pub fn new() -> Self {
        let uid = Command::new("id").arg("-u").output().expect("id");
        assert_eq!(
            uid.stdout, b"0\n",
            "loop_* tests need root; leave them out with `cargo test -- --skip loop_`"
        );
        let mut directory = tempfile::Builder::new()
            .prefix("flipper-enter-")
            .tempdir()
            .expect("temp dir");
        directory.disable_cleanup(std::env::var_os("NO_TEST_CLEAN_UP").is_some());
        let image = directory.path().join("pool.img");
        let fixture = Self { directory, image };
        let base = fixture.directory.path().join("base");
        make_base(&base);
        fixture.work(["pool"], ["402653184", "4096"]);
        fixture.work(["base"], [OsStr::new("one"), base.as_os_str()]);
        fixture.work(["profile"], [PROFILE]);
        fixture
    }

    fn work<S: AsRef<OsStr>>(&self, verb: [&str; 1], rest: impl IntoIterator<Item = S>) {
        let output = enter()
            .args(verb)
            .arg(&self.image)
            .args(rest)
            .output()
            .expect("start");
        assert!(
            output.status.success(),
            "{verb:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// An entry that runs a shell script in the profile; not started yet.
    pub fn entry(&self, script: &str) -> Command {
        self.command(&["sh", "-c", script])
    }

    /// An entry that runs a command in the profile; not started yet.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = enter();
        command
            .arg("run")
            .arg(&self.image)
            .args([PROFILE, "--"])
            .args(words)
            .stdin(Stdio::null());
        command
    }

    /// Runs a script in the profile to its end.
    pub fn run(&self, script: &str) -> Output {
        self.entry(script).output().expect("start")
    }

    /// Runs a script in another profile, made for this.
    pub fn run_as(&self, name: &str, script: &str) -> Output {
        self.work(["profile"], [name]);
        let mut command = enter();
        command
            .arg("run")
            .arg(&self.image)
            .args([name, "--", "sh", "-c", script]);
        command.stdin(Stdio::null()).output().expect("start")
    }

    /// What a script prints, which must succeed.
    pub fn printed(&self, script: &str) -> String {
        let output = self.run(script);
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Starts a script that says "in" when it runs, waits for that, and leaves it running.
    pub fn session(&self, script: &str) -> Session {
        let mut child = self
            .entry(&format!("echo in; {script}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("start");
        let mut said = [0; 3];
        child
            .stdout
            .as_mut()
            .expect("a pipe")
            .read_exact(&mut said)
            .expect("the session says that it runs");
        assert_eq!(&said, b"in\n");
        Session { child }
    }

    /// The holder's number, as the library finds it.
    pub fn holder(&self) -> Option<u32> {
        let output = enter()
            .arg("holder")
            .arg(&self.image)
            .arg(PROFILE)
            .output()
            .expect("start");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .expect("text")
            .trim()
            .parse()
            .ok()
    }

    /// What a process in the profile reads from a file.
    pub fn look(&self, path: &str) -> Output {
        enter()
            .arg("look")
            .arg(&self.image)
            .args([PROFILE, path])
            .output()
            .expect("start")
    }

    /// Waits until the profile is mounted nowhere and nothing has the pool any more.
    pub fn wait_until_gone(&self) {
        wait_until("nothing has the pool mounted", || {
            self.mounts().is_empty() && self.loops().is_empty()
        });
    }

    /// Lines of any process's mount table that name an overlay of ours or this pool's device.
    pub fn mounts(&self) -> Vec<String> {
        let devices = self.loops();
        let mut found = BTreeSet::new();
        for entry in fs::read_dir("/proc").expect("/proc") {
            let path = entry.expect("/proc").path().join("mountinfo");
            // Gone meanwhile, or no process.
            let Ok(text) = fs::read_to_string(path) else {
                continue;
            };
            for line in text.lines() {
                let ours = line.contains(&self.upper_marker())
                    || devices
                        .iter()
                        .any(|device| line.contains(&format!(" {device} ")));
                if ours {
                    found.insert(line.to_owned());
                }
            }
        }
        found.into_iter().collect()
    }

    /// Loop devices of the image.
    pub fn loops(&self) -> Vec<String> {
        let output = Command::new("losetup")
            .args(["-n", "-O", "NAME", "-j"])
            .arg(&self.image)
            .output()
            .expect("losetup");
        String::from_utf8_lossy(&output.stdout)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    fn upper_marker(&self) -> String {
        let name = self.directory.path().join("upper-uuid");
        fs::read_to_string(name).unwrap_or_else(|_| "no session yet".into())
    }

    /// Remembers which overlay is this fixture's, from inside of it.
    pub fn remember_upper(&self) -> (String, String) {
        let session = self.printed("cat /run/flipper-profile/session.json");
        let (upper, base) = (
            json_text(&session, "upper_uuid"),
            json_text(&session, "base_uuid"),
        );
        fs::write(self.directory.path().join("upper-uuid"), &upper).expect("note");
        (upper, base)
    }
}

/// The text of a field in JSON that we wrote, which has no escapes.
pub fn json_text(json: &str, name: &str) -> String {
    let start = json
        .find(&format!("\"{name}\":\""))
        .unwrap_or_else(|| panic!("{name} in {json}"))
        + name.len()
        + 4;
    json[start..].split('"').next().expect("a text").to_owned()
}

/// A command that runs in the profile.
#[derive(Debug)]
pub struct Session {
    pub child: Child,
}

impl Session {
    /// Waits for the end: the exit status.
    pub fn end(&mut self) -> Option<i32> {
        wait_until("the session ends", || {
            self.child.try_wait().expect("wait").is_some()
        });
        self.child.wait().expect("wait").code()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Only what a failed test leaves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends SIGKILL.
pub fn kill(pid: u32) {
    signal(pid, "KILL");
}

/// Sends a signal by its name.
pub fn signal(pid: u32, name: &str) {
    signal_all(&[pid], name);
}

/// Sends a signal to several at once. By the shell's own `kill`: a small Debian has no other.
pub fn signal_all(pids: &[u32], name: &str) {
    let status = Command::new("sh")
        .args(["-c", r#"kill "$@""#, "sh", &format!("-{name}")])
        .args(pids.iter().map(u32::to_string))
        .status()
        .expect("sh");
    assert!(status.success());
}

/// Fails the test when `reached` does not become true in time.
pub fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !reached() {
        assert!(begin.elapsed() < PATIENCE, "still waiting until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// `examples/enter`, which cargo builds with the tests.
pub fn enter() -> Command {
    let mut path = std::env::current_exe().expect("this program");
    path.pop();
    path.set_file_name("examples");
    path.push("enter");
    assert!(
        path.exists(),
        "{} is missing: `cargo test` builds it, a single --test does not",
        path.display()
    );
    Command::new(path)
}

/// A root with a shell, and what makes it pass for Debian.
fn make_base(root: &Path) {
    for directory in [
        "dev",
        "proc",
        "sys",
        "run",
        "tmp",
        "etc",
        "root",
        "usr/bin",
        "usr/sbin",
        "var/lib/dpkg/info",
    ] {
        fs::create_dir_all(root.join(directory)).expect("directory");
    }
    for name in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(root.join("usr").join(name)).expect("directory");
        std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name)).expect("symlink");
    }
    for program in PROGRAMS {
        let path = ["/usr/bin", "/bin"].map(|directory| Path::new(directory).join(program));
        let path = path
            .iter()
            .find(|path| path.exists())
            .expect("a program of the machine");
        fs::copy(path, root.join("usr/bin").join(program)).expect("copy");
        for library in libraries(path) {
            let target = root.join(library.strip_prefix("/").expect("absolute"));
            fs::create_dir_all(target.parent().expect("parent")).expect("directory");
            fs::copy(&library, target).expect("copy");
        }
    }
    for (path, content) in [
        ("usr/bin/dpkg", ""),
        ("usr/bin/apt-get", ""),
        ("var/lib/dpkg/status", ""),
        ("usr/lib/os-release", "VERSION_CODENAME=trixie\n"),
        ("etc/hostname", "tiny\n"),
    ] {
        fs::write(root.join(path), content).expect("file");
    }
}

/// The libraries of a program, as absolute paths, the loader among them.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("ldd");
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}
