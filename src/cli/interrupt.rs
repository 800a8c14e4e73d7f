//! SIGINT and SIGTERM: a command's work is dropped, which undoes it, and then
//! the process dies of the signal.

use std::process::ExitCode;

use crate::error::{Class, Diagnose};

/// A signal that asks a command to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Interrupt,
    Terminate,
}

#[derive(Debug, thiserror::Error)]
#[error("Interrupted")]
pub struct Interrupted(pub Signal);

impl Diagnose for Interrupted {
    fn code(&self) -> &'static str {
        "interrupted"
    }

    fn class(&self) -> Class {
        match self.0 {
            Signal::Interrupt => Class::Interrupted,
            Signal::Terminate => Class::Terminated,
        }
    }
}

/// Returns the first SIGINT or SIGTERM.
pub async fn interrupted() -> Signal {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            return tokio::select! {
                _ = terminate.recv() => Signal::Terminate,
                _ = tokio::signal::ctrl_c() => Signal::Interrupt,
            };
        }
    }
    // Without a handler the signal ends the process by itself.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    Signal::Interrupt
}

/// Ends the process by the signal that `class` stands for.
///
/// A shell leaves a loop on Ctrl-C only when the command in it died of SIGINT;
/// one that exits with 130 is run again. Signal handlers cannot be taken back
/// in safe Rust, but `exec` resets them: a shell takes the place of this process
/// and sends itself the signal.
pub fn end(class: Class) -> ExitCode {
    let code = class.exit_code();
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let signal = if class == Class::Terminated {
            "TERM"
        } else {
            "INT"
        };
        let script = format!("kill -{signal} $$; exit {code}");
        // It returns only when there is no shell.
        let _ = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .exec();
    }
    ExitCode::from(code)
}
