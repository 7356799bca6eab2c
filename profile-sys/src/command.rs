//! Starting other programs: the only place that does.
//!
//! A program is found in a fixed list of directories, never through the caller's PATH; it gets a clean
//! environment in the C.UTF-8 locale and no descriptor of ours but those asked for; its failure carries its
//! name, its arguments, how it ended and the end of what it wrote to standard error.

mod pipe;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

pub use pipe::{CommandStream, pipe};

use crate::{Error, Result, fault};

/// Where programs are looked for, in this order.
pub const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// How much of a failed program's standard error goes into the error, in bytes.
const STDERR_KEPT_BYTES: usize = 1024;

/// A program to be run.
#[derive(Debug)]
pub struct Command {
    program: String,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    stdin: Option<File>,
    stdout: Option<File>,
}

/// How a program ended and what it wrote.
#[derive(Debug, Clone)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Command {
    /// A program by its bare name, looked for in [`DIRECTORIES`], or by its absolute path.
    #[must_use]
    pub fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            stdin: None,
            stdout: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// Sets a variable of its environment, which else holds only PATH and LC_ALL.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it in a directory.
    #[must_use]
    pub fn current_directory(mut self, path: &Path) -> Self {
        self.directory = Some(path.to_owned());
        self
    }

    /// Lets it read a file; without this it reads nothing.
    #[must_use]
    pub fn stdin(mut self, file: File) -> Self {
        self.stdin = Some(file);
        self
    }

    /// Lets it write to a file instead of into [`Output::stdout`].
    #[must_use]
    pub fn stdout(mut self, file: File) -> Self {
        self.stdout = Some(file);
        self
    }

    /// Runs it to its end; that it reports failure is no error here.
    ///
    /// # Errors
    /// [`Error::CommandMissing`], [`Error::CommandStart`].
    pub fn run(mut self) -> Result<Output> {
        let mut command = self.prepare()?;
        let captures = self.stdout.is_none();
        command.stdout(self.stdout.take().map_or_else(Stdio::piped, Stdio::from));
        command.stderr(Stdio::piped());
        let child = command
            .spawn()
            .map_err(|source| self.start_failed(source))?;
        // Dropped now, or a pipe given as stdout would stay open here and never end for its reader.
        drop(command);
        let output = child
            .wait_with_output()
            .map_err(|source| self.start_failed(source))?;
        let stdout = if captures { output.stdout } else { Vec::new() };
        Ok(Output {
            status: output.status,
            stdout,
            stderr: output.stderr,
        })
    }

    /// Runs it to its end and takes any exit status but 0 for an error.
    ///
    /// # Errors
    /// As [`Self::run`], and [`Error::CommandFailed`].
    pub fn run_ok(self) -> Result<Output> {
        let (program, arguments) = (self.program.clone(), self.arguments.clone());
        let output = self.run()?;
        if output.status.success() {
            return Ok(output);
        }
        Err(failed(&program, &arguments, output.status, &output.stderr))
    }

    /// Runs it to its end with our standard input, output and error, as for a program that talks to the user.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn status_inherit(mut self) -> Result<ExitStatus> {
        let mut command = self.prepare()?;
        command.stdin(self.stdin.take().map_or_else(Stdio::inherit, Stdio::from));
        command.stdout(self.stdout.take().map_or_else(Stdio::inherit, Stdio::from));
        command.stderr(Stdio::inherit());
        command.status().map_err(|source| self.start_failed(source))
    }

    /// The command for the standard library, with standard input settled and output still open.
    fn prepare(&mut self) -> Result<std::process::Command> {
        let path = find(&self.program)?;
        fault::point("run", &path)?;
        let mut command = std::process::Command::new(path);
        command
            .args(&self.arguments)
            .env_clear()
            .env("PATH", DIRECTORIES.join(":"))
            .env("LC_ALL", "C.UTF-8")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(match self.stdin.take() {
            Some(file) => Stdio::from(file),
            None => Stdio::null(),
        });
        Ok(command)
    }

    fn start_failed(&self, source: std::io::Error) -> Error {
        Error::CommandStart {
            program: self.program.clone(),
            source,
        }
    }
}

/// The path of a program.
///
/// # Errors
/// [`Error::CommandMissing`].
pub fn find(program: &str) -> Result<PathBuf> {
    let missing = || Error::CommandMissing {
        program: program.to_owned(),
    };
    if program.starts_with('/') {
        let path = PathBuf::from(program);
        return if path.exists() {
            Ok(path)
        } else {
            Err(missing())
        };
    }
    DIRECTORIES
        .iter()
        .map(|directory| Path::new(directory).join(program))
        .find(|path| path.is_file())
        .ok_or_else(missing)
}

/// The error for a program that reported failure.
fn failed(program: &str, arguments: &[OsString], status: ExitStatus, stderr: &[u8]) -> Error {
    let kept = &stderr[stderr.len().saturating_sub(STDERR_KEPT_BYTES)..];
    Error::CommandFailed {
        program: program.to_owned(),
        args: arguments
            .iter()
            .map(|text| text.to_string_lossy().into_owned())
            .collect(),
        status: describe(status),
        stderr: String::from_utf8_lossy(kept).trim().to_owned(),
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests;
