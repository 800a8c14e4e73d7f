//! Sends `notifications/progress` while a component is loaded.

use std::pin::pin;
use std::time::Duration;

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext, RoleServer};
use tokio::sync::watch;

use crate::fetch::{Progress, Step};

/// Shortest time between two notifications.
const INTERVAL: Duration = Duration::from_millis(100);

/// Bytes after which a transfer of unknown size is shown as half done.
const HALF_WAY: f64 = 8.0 * 1024.0 * 1024.0;

const STEPS: f64 = 4.0;

/// Notifies the client of a request's progress, if it asked for that.
pub(super) struct Reporter {
    client: Option<(Peer<RoleServer>, ProgressToken)>,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    step: Option<Step>,
    done: u64,
    total: Option<u64>,
}

impl Progress for Reporter {
    fn bytes(&self, done: u64, total: Option<u64>) {
        self.state.send_modify(|state| {
            state.done = done;
            state.total = total;
        });
    }

    fn step(&self, step: Step) {
        self.state.send_replace(State {
            step: Some(step),
            ..State::default()
        });
    }
}

impl Reporter {
    pub(super) fn of(context: &RequestContext<RoleServer>) -> Self {
        let token = context.meta.get_progress_token();
        Reporter {
            client: token.map(|token| (context.peer.clone(), token)),
            state: watch::Sender::default(),
        }
    }

    /// Runs `work` and reports its progress; a slow client does not slow the work.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let Some((peer, token)) = &self.client else {
            return work.await;
        };
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = report(peer, token, self.state.subscribe()) => {}
        }
        work.await
    }
}

/// Sends the latest state whenever it has advanced, until the client is gone.
async fn report(
    peer: &Peer<RoleServer>,
    token: &ProgressToken,
    mut states: watch::Receiver<State>,
) {
    let mut reached = -1.0;
    while states.changed().await.is_ok() {
        let state = *states.borrow_and_update();
        // The specification requires increasing values.
        if state.progress() > reached {
            reached = state.progress();
            let news = ProgressNotificationParam::new(token.clone(), reached)
                .with_total(STEPS)
                .with_message(state.message());
            if peer.notify_progress(news).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

impl State {
    /// The completed steps plus the done share of the present one, out of [`STEPS`].
    fn progress(&self) -> f64 {
        let behind = match self.step {
            None | Some(Step::Resolving) => 0.0,
            Some(Step::Fetching) => 1.0,
            Some(Step::Verifying) => 2.0,
            Some(Step::Compiling) => 3.0,
        };
        let done = self.done as f64;
        let whole = self.total.map_or(done + HALF_WAY, |total| total as f64);
        behind
            + if whole > 0.0 {
                (done / whole).min(1.0)
            } else {
                0.0
            }
    }

    fn message(&self) -> String {
        let step = self.step.unwrap_or(Step::Resolving);
        match (self.done, self.total) {
            (0, _) => step.to_string(),
            (done, None) => format!("{step}: {done} bytes"),
            (done, Some(total)) => format!("{step}: {done} of {total} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(step: Step, done: u64, total: Option<u64>) -> State {
        State {
            step: Some(step),
            done,
            total,
        }
    }

    #[test]
    fn progress_grows_through_the_steps() {
        let states = [
            state(Step::Resolving, 0, None),
            state(Step::Fetching, 0, Some(100)),
            state(Step::Fetching, 50, Some(100)),
            state(Step::Verifying, 0, None),
            state(Step::Compiling, 0, None),
        ];
        let values: Vec<f64> = states.iter().map(State::progress).collect();
        assert_eq!(values, [0.0, 1.0, 1.5, 2.0, 3.0]);
        assert!(state(Step::Fetching, u64::MAX, None).progress() <= 2.0);
        assert!(state(Step::Fetching, 5, Some(0)).progress() <= 2.0);
    }

    #[test]
    fn messages_say_what_is_going_on() {
        assert_eq!(State::default().message(), "resolving");
        let fetching = state(Step::Fetching, 5, Some(10));
        assert_eq!(fetching.message(), "fetching: 5 of 10 bytes");
    }
}
