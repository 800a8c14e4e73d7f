//! Progress on a terminal: bytes while fetching, a spinner for the rest.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::{Stream, is_utf8};
use crate::fetch::{Progress, Step};

/// Draws on stderr, and only on a terminal that takes escape sequences.
pub struct Bar(ProgressBar);

impl Bar {
    pub fn new() -> Self {
        let bar = ProgressBar::no_length();
        bar.set_draw_target(if Stream::Stderr.takes_escapes() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        bar.set_style(spinner());
        bar.enable_steady_tick(Duration::from_millis(100));
        Bar(bar)
    }

    /// Leaves the line to others.
    pub fn pause(&self) {
        self.0.disable_steady_tick();
        self.0.set_draw_target(ProgressDrawTarget::hidden());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Bar {
    fn step(&self, step: Step) {
        self.0.set_style(spinner());
        self.0.set_message(step.to_string());
    }

    fn bytes(&self, done: u64, total: Option<u64>) {
        if let Some(total) = total
            && self.0.length() != Some(total)
        {
            self.0.set_length(total);
            self.0.set_style(download());
            self.0.set_position(done);
            // What is soon done is seen as well.
            self.0.force_draw();
        }
        self.0.set_position(done);
    }
}

fn spinner() -> ProgressStyle {
    style("{spinner} {msg} {elapsed}")
}

fn download() -> ProgressStyle {
    style("{spinner} {msg} {wide_bar} {bytes}/{total_bytes} {eta}")
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    match is_utf8() {
        true => style,
        false => style.tick_chars("|/-\\ ").progress_chars("##-"),
    }
}
