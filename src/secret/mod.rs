//! What must not be seen, and how it is kept from being seen.
//!
//! A [`Secret`] shows itself to nobody by accident; a [`Redactor`] takes the
//! secrets of a component out of whatever that component says.

mod forms;
mod private_dir;
mod redactor;
mod stream;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use private_dir::private_dir;
pub use redactor::{Redactor, SHORTEST};
pub use stream::StreamRedactor;
pub use text::Secret;
