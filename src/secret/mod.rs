//! Secrets, and their removal from output.
//!
//! A [`Secret`] does not print or serialize its value. A [`Redactor`] replaces
//! the secrets of a component in everything that the component outputs.

mod forms;
mod redactor;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub use redactor::{Redactor, SHORTEST};
pub use stream::StreamRedactor;
pub use text::Secret;
