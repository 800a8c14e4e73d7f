//! [Credential helpers][protocol]: programs named `docker-credential-NAME` that
//! print the credentials for a registry.
//!
//! [protocol]: https://github.com/docker/docker-credential-helpers#development

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::Credential;

/// Largest output, in bytes. Tokens of some clouds have several KiB.
const MAX_OUTPUT: u64 = 256 * 1024;
/// What helpers print on stdout if they have no credentials.
const NOT_FOUND: &str = "credentials not found";
/// The user name that marks the secret as an identity token.
const TOKEN_USER: &str = "<token>";

/// A request for credentials.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The name without `docker-credential-`.
    pub name: &'a str,
    pub server: String,
    pub limit: Duration,
}

/// One run of a helper: command, stdin and time limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub verb: &'static str,
    pub input: &'a str,
    pub limit: Duration,
}

/// A failed run of a helper. Does not quote its output, which may contain a
/// secret.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    #[error("`{}` is not the name of a credential helper", .name.escape_debug())]
    Name { name: String },
    #[error("the credential helper `{program}` is not installed")]
    Missing { program: String },
    #[error("the credential helper `{program}` cannot be run: {source}")]
    Run { program: String, source: io::Error },
    #[error("the credential helper `{program}` did not answer within {} s", .limit.as_secs_f32())]
    Timeout { program: String, limit: Duration },
    #[error("the credential helper `{program}` failed ({status})")]
    Failed { program: String, status: ExitStatus },
    #[error("the credential helper `{program}` printed something other than credentials")]
    Garbage { program: String },
}

pub(super) fn program(name: &str) -> String {
    format!("docker-credential-{name}")
}

/// The program for a name from a file. Rejects paths: the program must be found
/// in `PATH`.
pub(super) fn checked_program(name: &str) -> Result<String, HelperError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    match name.bytes().all(plain) {
        true => Ok(program(name)),
        false => Err(HelperError::Name { name: name.into() }),
    }
}

/// Asks a helper for credentials. It is killed with its child processes after
/// the time limit.
pub(super) async fn ask(asked: Asked<'_>) -> Result<Option<Credential>, HelperError> {
    let Asked {
        name,
        server,
        limit,
    } = asked;
    ask_program(checked_program(name)?, &server, limit).await
}

pub(super) async fn ask_program(
    program: String,
    server: &str,
    limit: Duration,
) -> Result<Option<Credential>, HelperError> {
    let question = Question {
        verb: "get",
        input: server,
        limit,
    };
    let (status, output) = run(&program, question).await?;
    if !status.success() {
        return match String::from_utf8_lossy(&output).contains(NOT_FOUND) {
            true => Ok(None),
            false => Err(HelperError::Failed { program, status }),
        };
    }
    match parse(&output) {
        Some(credential) => Ok(Some(credential)),
        None => Err(HelperError::Garbage { program }),
    }
}

/// Runs a helper and returns its exit status and output.
pub(super) async fn run(
    program: &str,
    question: Question<'_>,
) -> Result<(ExitStatus, Vec<u8>), HelperError> {
    let program = program.to_owned();
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => HelperError::Missing {
            program: program.clone(),
        },
        _ => HelperError::Run {
            program: program.clone(),
            source,
        },
    };
    let limit = question.limit;
    let mut running = Running::start(&program, question.verb).map_err(failed)?;
    let answer = tokio::time::timeout(limit, running.answer(question.input)).await;
    let timeout = |_| HelperError::Timeout {
        program: program.clone(),
        limit,
    };
    let (status, output) = answer.map_err(timeout)?.map_err(failed)?;
    match output.len() as u64 > MAX_OUTPUT {
        true => Err(HelperError::Garbage { program }),
        false => Ok((status, output)),
    }
}

pub(super) fn parse(output: &[u8]) -> Option<Credential> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    if output.len() as u64 > MAX_OUTPUT {
        return None;
    }
    let Answer { username, secret } = serde_json::from_slice(output).ok()?;
    if secret.is_empty() {
        return None;
    }
    Some(match username.as_str() {
        TOKEN_USER => Credential::IdentityToken(secret.into()),
        _ => Credential::Password {
            username,
            secret: secret.into(),
        },
    })
}

/// A running helper. Its process group is killed when this is dropped.
struct Running(Child);

impl Running {
    fn start(program: &str, verb: &str) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .arg(verb)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        command.spawn().map(Running)
    }

    async fn answer(&mut self, input: &str) -> io::Result<(ExitStatus, Vec<u8>)> {
        if let Some(mut stdin) = self.0.stdin.take() {
            // A helper may answer without reading its input.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let mut output = Vec::new();
        if let Some(stdout) = self.0.stdout.take() {
            let mut bounded = stdout.take(MAX_OUTPUT + 1);
            bounded.read_to_end(&mut output).await?;
        }
        if output.len() as u64 > MAX_OUTPUT {
            self.kill();
        }
        Ok((self.0.wait().await?, output))
    }
}

impl Running {
    #[cfg(unix)]
    fn kill(&mut self) {
        // `id` is present until the process has been waited for.
        let group = self.0.id().and_then(|id| i32::try_from(id).ok());
        if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }

    #[cfg(not(unix))]
    fn kill(&mut self) {
        let _ = self.0.start_kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
