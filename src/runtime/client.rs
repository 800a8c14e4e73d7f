//! The client of a call.

use tokio_util::sync::CancellationToken;

use super::limits::Reader;

/// The client that waits for the answer of a call.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Cancelled to end the call.
    pub stop: &'a CancellationToken,
    /// The reader of the answer, which is charged until the answer is read; none where the answer
    /// is used at once.
    pub reader: Option<&'a Reader>,
}

impl<'a> From<&'a CancellationToken> for Client<'a> {
    fn from(stop: &'a CancellationToken) -> Self {
        Client { stop, reader: None }
    }
}
