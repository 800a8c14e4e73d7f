//! SIGHUP makes a server without a controlling terminal reload its files.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::error::Report;
use crate::http::Tokens;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The SIGHUP signals sent to this process. There are none if it has a controlling terminal:
/// then the signal means that the terminal was closed, and ends the server.
pub(super) struct Hangups {
    #[cfg(unix)]
    signals: Option<Signal>,
}

impl Hangups {
    /// Starts to receive the signals, so that they no longer end a server without a terminal.
    pub fn outlive() -> Self {
        Hangups {
            #[cfg(unix)]
            signals: match std::fs::File::open("/dev/tty") {
                Ok(_) => None,
                Err(_) => signal(SignalKind::hangup()).ok(),
            },
        }
    }

    /// Reloads the token file and checks every component at each signal. Without a signal, both
    /// are polled; grants are read at each call anyway.
    pub async fn reload(mut self, tokens: Option<Tokens>, components: Arc<Notify>) {
        while self.next().await {
            components.notify_one();
            let told = match &tokens {
                None => String::new(),
                Some(tokens) => match tokens.reload().await {
                    Ok(count) => format!(", and the token file: {count} tokens are valid"),
                    Err(error) => format!("; the tokens stay as they are: {}", Report::new(&error)),
                },
            };
            tracing::info!("SIGHUP: the components and their grants are read again{told}");
        }
    }

    /// Waits for the next signal; returns false if there will be none.
    async fn next(&mut self) -> bool {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals {
            return signals.recv().await.is_some();
        }
        false
    }
}
