//! SIGHUP: a server without a terminal reads its files again.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::error::Report;
use crate::http::Tokens;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The hangups that this process is sent. None where it has a controlling terminal:
/// there the signal means that the terminal was closed, and ends the server.
pub(super) struct Hangups {
    #[cfg(unix)]
    signals: Option<Signal>,
}

impl Hangups {
    /// From now on SIGHUP does not end a server without a terminal.
    pub fn outlive() -> Self {
        Hangups {
            #[cfg(unix)]
            signals: match std::fs::File::open("/dev/tty") {
                Ok(_) => None,
                Err(_) => signal(SignalKind::hangup()).ok(),
            },
        }
    }

    /// At each hangup, reads the token file and looks at every component at once. Both
    /// are followed without it too, and grants are read at each call.
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

    /// Waits for the next; false when there is none to wait for.
    async fn next(&mut self) -> bool {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals {
            return signals.recv().await.is_some();
        }
        false
    }
}
