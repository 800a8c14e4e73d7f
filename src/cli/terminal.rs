//! What is typed at a terminal, by the line.
//!
//! The terminal is left to do the editing, as the user has set it up: then an
//! interrupt, whenever it comes, leaves little to be put in order.

use std::io::{self, BufRead, Read};

use console::Term;

/// Bytes of a line, at most.
const LONGEST: u64 = 64 * 1024;

/// A line without its end; empty at the end of the input.
pub(super) fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

/// Asks for a line on the terminal that standard input is, which does not show
/// what is typed meanwhile. However this ends, it does again.
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

    /// While this lives, the terminal does not show what is typed.
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
        // It is listened for before there is something to put in order.
        tokio::select! {
            biased;
            _ = &mut interrupt => return Err(io::ErrorKind::Interrupted.into()),
            () = std::future::ready(()) => {}
        }
        let _unseen = Unseen::begin()?;
        Term::stderr().write_str(prompt)?;
        let (tell, told) = oneshot::channel();
        // On a thread of its own, which an interrupt does not wait for.
        thread::spawn(move || tell.send(super::line()));
        tokio::select! {
            line = told => line.map_err(io::Error::other)?,
            _ = interrupt => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}
