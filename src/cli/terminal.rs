//! Reads lines from the terminal.
//!
//! The terminal does the line editing, as the user has configured it, so an interrupt
//! leaves little to restore.

use std::io::{self, BufRead, Read};

use console::Term;

use crate::text::without_bom;

/// Most bytes of a line.
const LONGEST: u64 = 64 * 1024;

/// Reads a line without its line end; empty at the end of the input.
pub(super) fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    Ok(without_bom(&line).trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks for a line on the terminal at standard input, without echoing what is typed.
/// The echo is restored however this ends.
#[cfg(unix)]
pub(super) fn unseen_line(prompt: &str) -> io::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let line = runtime.block_on(unix::unseen_line(prompt));
    Term::stderr().write_line("")?;
    line
}

#[cfg(not(unix))]
pub(super) fn unseen_line(prompt: &str) -> io::Result<String> {
    let terminal = Term::stderr();
    terminal.write_str(prompt)?;
    terminal.read_secure_line()
}

#[cfg(unix)]
mod unix {
    use std::io::{self, stdin};
    use std::pin::pin;
    use std::thread;

    use console::Term;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
    use tokio::sync::oneshot;

    use crate::cli::interrupted;

    /// Turns off the terminal's echo until it is dropped.
    struct Unseen {
        before: Termios,
    }

    impl Unseen {
        fn begin() -> io::Result<Self> {
            let before = tcgetattr(stdin())?;
            let mut unseen = before.clone();
            unseen.local_modes.remove(LocalModes::ECHO);
            tcsetattr(stdin(), OptionalActions::Flush, &unseen)?;
            Ok(Unseen { before })
        }
    }

    impl Drop for Unseen {
        fn drop(&mut self) {
            let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.before);
        }
    }

    pub async fn unseen_line(prompt: &str) -> io::Result<String> {
        let mut interrupt = pin!(interrupted());
        // Install the signal handlers before changing the terminal.
        tokio::select! {
            biased;
            _ = &mut interrupt => return Err(io::ErrorKind::Interrupted.into()),
            () = std::future::ready(()) => {}
        }
        let _unseen = Unseen::begin()?;
        Term::stderr().write_str(prompt)?;
        let (tell, told) = oneshot::channel();
        // On a thread of its own, so that an interrupt need not wait for it.
        thread::spawn(move || tell.send(super::line()));
        tokio::select! {
            line = told => line.map_err(io::Error::other)?,
            _ = interrupt => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}
