//! Shows progress on a terminal: bytes while fetching, otherwise a spinner.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::{Stream, is_utf8};
use crate::fetch::{Progress, Step};

/// Draws on stderr, and only on a terminal that takes escape sequences.
pub struct Bar {
    bar: ProgressBar,
    /// The name of the component, if there are several.
    name: Option<String>,
}

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
        Bar { bar, name: None }
    }

    /// A progress line among those of other components.
    pub fn among(bars: &MultiProgress, name: &str) -> Self {
        let bar = bars.add(ProgressBar::no_length().with_style(spinner()));
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Bar {
            bar,
            name: Some(name.to_owned()),
        }
    }

    /// Hides the progress, so that others can use the line.
    pub fn pause(&self) {
        self.bar.disable_steady_tick();
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn step(&self, step: Step) {
        self.bar.set_style(spinner());
        self.bar.set_message(match &self.name {
            Some(name) => format!("{name}: {step}"),
            None => step.to_string(),
        });
    }

    fn bytes(&self, done: u64, total: Option<u64>) {
        if let Some(total) = total
            && self.bar.length() != Some(total)
        {
            self.bar.set_length(total);
            self.bar.set_style(download());
            self.bar.set_position(done);
            // Draw even short steps.
            self.bar.force_draw();
        }
        self.bar.set_position(done);
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
