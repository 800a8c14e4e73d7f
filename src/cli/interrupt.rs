//! Handles SIGINT and SIGTERM: dropping a command's future undoes its work; then the
//! process ends itself by the same signal.

use std::process::ExitCode;

use crate::error::{Class, Diagnose};

/// A signal that ends a command.
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

/// Waits for SIGINT or SIGTERM.
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
    // If no handler can be installed, the signal ends the process anyway.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    Signal::Interrupt
}

/// Ends the process by the signal that `class` stands for.
///
/// A shell leaves a loop on Ctrl-C only if the command in it died of SIGINT; after an
/// exit with code 130 it runs the next iteration. Safe Rust cannot remove a signal
/// handler, but `exec` resets them: a shell replaces this process and sends itself
/// the signal.
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
        // `exec` returns only if there is no shell.
        let _ = std::process::Command::new("/bin/sh")
            .args(["-c", &script])
            .exec();
    }
    ExitCode::from(code)
}
