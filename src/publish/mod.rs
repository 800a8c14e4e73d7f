//! What authors of components do with what they made: sign it.

mod key;
mod secretbox;
mod sign;

pub use key::{EncryptedKey, InvalidSigningKey, SigningKey};
pub use sign::{Formats, SignError, Signed, sign};
