//! Programs whose output is read while they run.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Stdio};
use std::thread::JoinHandle;

use super::{Command, failed};
use crate::{Error, Result};

/// The standard output of a running program: read it to its end.
///
/// When the program reports failure, reading ends with that error instead of with the end of file, so what
/// was read to its end is whole. Dropped before, the program is killed.
#[derive(Debug)]
pub struct CommandStream {
    program: String,
    arguments: Vec<OsString>,
    stdout: Option<ChildStdout>,
    running: Option<(Child, JoinHandle<Vec<u8>>)>,
}

impl Command {
    /// Starts it, to read its output while it runs.
    ///
    /// # Errors
    /// As [`Command::run`].
    pub fn stream(mut self) -> Result<CommandStream> {
        let mut command = self.prepare()?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|source| self.start_failed(source))?;
        drop(command);
        let stdout = child.stdout.take();
        let stderr = collect(&mut child);
        Ok(CommandStream {
            program: self.program,
            arguments: self.arguments,
            stdout,
            running: Some((child, stderr)),
        })
    }
}

/// Reads a child's standard error in a thread, so that a talkative program is never stuck on it.
fn collect(child: &mut Child) -> JoinHandle<Vec<u8>> {
    let stderr = child.stderr.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stderr) = stderr {
            // What was read before a failure is all there is to show.
            let _ = stderr.read_to_end(&mut bytes);
        }
        bytes
    })
}

impl CommandStream {
    fn finish(&mut self) -> Result<()> {
        self.stdout = None;
        let Some((mut child, stderr)) = self.running.take() else {
            return Ok(());
        };
        let status = child.wait().map_err(|source| Error::CommandStart {
            program: self.program.clone(),
            source,
        })?;
        let stderr = stderr.join().unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        Err(failed(&self.program, &self.arguments, status, &stderr))
    }
}

impl Read for CommandStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(stdout) = &mut self.stdout else {
            return Ok(0);
        };
        let count = stdout.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.finish().map_err(io::Error::other)?;
        }
        Ok(count)
    }
}

impl Drop for CommandStream {
    fn drop(&mut self) {
        self.stdout = None;
        if let Some((mut child, stderr)) = self.running.take() {
            // The output was given up: how the program ends no longer matters, only that it does.
            let _ = child.kill();
            let _ = child.wait();
            let _ = stderr.join();
        }
    }
}

/// Runs `producer | consumer` to their end.
///
/// # Errors
/// [`Error::CommandFailed`] of the producer before the consumer's: the cause before its consequence, unless the
/// producer only died of SIGPIPE because the consumer had gone.
pub fn pipe(mut producer: Command, mut consumer: Command) -> Result<()> {
    let mut first = producer.prepare()?;
    first.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut first_child = first
        .spawn()
        .map_err(|source| producer.start_failed(source))?;
    let first_stderr = collect(&mut first_child);
    let second = consumer.prepare().and_then(|mut second| {
        if let Some(stdout) = first_child.stdout.take() {
            second.stdin(stdout);
        }
        second.stdout(consumer.stdout.take().map_or_else(Stdio::null, Stdio::from));
        second.stderr(Stdio::piped());
        // The command, and with it our copy of the pipe's reading end, is dropped here.
        second
            .spawn()
            .map_err(|source| consumer.start_failed(source))
    });
    let second_outcome = second.and_then(|mut child| {
        let stderr = collect(&mut child);
        let status = child
            .wait()
            .map_err(|source| consumer.start_failed(source))?;
        Ok((status, stderr.join().unwrap_or_default()))
    });
    // When the consumer did not start, the reading end is still ours.
    first_child.stdout = None;
    let status = first_child
        .wait()
        .map_err(|source| producer.start_failed(source))?;
    let stderr = first_stderr.join().unwrap_or_default();
    let (second_status, second_stderr) = second_outcome?;
    // A producer that only lost its reader failed because the consumer did.
    let broke_off = status.signal() == Some(libc::SIGPIPE) && !second_status.success();
    if !status.success() && !broke_off {
        return Err(failed(
            &producer.program,
            &producer.arguments,
            status,
            &stderr,
        ));
    }
    if !second_status.success() {
        return Err(failed(
            &consumer.program,
            &consumer.arguments,
            second_status,
            &second_stderr,
        ));
    }
    Ok(())
}
