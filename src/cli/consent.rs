//! Asks on a terminal whether a component may have the permissions that it requests.

use std::io::IsTerminal;
use std::pin::Pin;
use std::thread;

use tokio::sync::oneshot;

use crate::service::{Answer, Consent, Question};

use super::progress::Bar;
use super::screen::{Stream, YELLOW, bold};
use super::terminal;
use crate::text::line;

/// Asks the person at the terminal. Without a terminal there is no one to ask.
pub struct Prompt<'a> {
    /// Paused while the question is shown.
    pub bar: &'a Bar,
}

impl Consent for Prompt<'_> {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(async {
            if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
                return Answer::Unavailable;
            }
            self.bar.pause();
            match confirmed(&text(question)).await {
                true => Answer::Granted,
                false => Answer::Refused,
            }
        })
    }
}

/// Whether the person at the terminal answers yes.
pub async fn confirmed(question: &str) -> bool {
    eprint!("{question}");
    let (tell, told) = oneshot::channel();
    // On a thread of its own: an interrupt ends the program without waiting for
    // a line.
    thread::spawn(move || tell.send(terminal::line()));
    match told.await {
        Ok(Ok(line)) => ["y", "yes"].contains(&line.trim().to_lowercase().as_str()),
        _ => false,
    }
}

/// The component wrote parts of this, so each stays in its line.
fn text(question: &Question) -> String {
    let id = &question.component_id;
    let mut text = format!(
        "`{id}` from {} asks to\n",
        line(&question.source.shown().to_string())
    );
    for permission in &question.permissions {
        text.push_str(&format!("  - {}\n", line(&permission.to_string())));
    }
    if let Some(rest) = question.rest() {
        text.push_str(&format!("  - {rest}\n"));
    }
    let note = bold(Stream::Stderr, YELLOW, "note:");
    for remark in &question.remarks {
        text.push_str(&format!("  {note} {}\n", line(remark)));
    }
    text.push_str("Grant this? [y/N] ");
    text
}
