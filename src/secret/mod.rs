//! What must not be seen, and how it is kept from being seen.
//!
//! A [`Secret`] shows itself to nobody by accident; a [`Redactor`] takes the
//! secrets of a component out of whatever that component says.

mod forms;
mod redactor;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub use redactor::{Redactor, SHORTEST};
pub use stream::StreamRedactor;
pub use text::Secret;
