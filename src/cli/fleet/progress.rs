//! Shows one line for each component that is being fetched.

use indicatif::{MultiProgress, ProgressDrawTarget};

use crate::cli::progress::Bar;
use crate::cli::screen::Stream;
use crate::fetch::Progress;
use crate::install::ManyProgress;
use crate::reference::ComponentId;

/// Draws on stderr, and only on a terminal that takes escape sequences.
pub struct Bars(MultiProgress);

impl Bars {
    pub fn new() -> Self {
        Bars(MultiProgress::with_draw_target(
            match Stream::Stderr.takes_escapes() {
                true => ProgressDrawTarget::stderr(),
                false => ProgressDrawTarget::hidden(),
            },
        ))
    }
}

impl ManyProgress for Bars {
    fn of(&self, id: &ComponentId) -> Box<dyn Progress> {
        Box::new(Bar::among(&self.0, id.as_str()))
    }
}
