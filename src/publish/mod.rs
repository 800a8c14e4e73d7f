//! Publishing for authors of components: signing.

mod error;
mod key;
mod secretbox;
mod sign;

pub use error::SignError;
pub use key::{EncryptedKey, InvalidSigningKey, SigningKey};
pub use sign::{Formats, Signed, sign};
