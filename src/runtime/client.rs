//! Who a call is made for.

use tokio_util::sync::CancellationToken;

use super::limits::Reader;

/// Whoever waits for the answer of a call.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Cancelled to end the call.
    pub stop: &'a CancellationToken,
    /// Who reads the answer, and is charged for it until then; none where the
    /// answer is used at once.
    pub reader: Option<&'a Reader>,
}

impl<'a> From<&'a CancellationToken> for Client<'a> {
    fn from(stop: &'a CancellationToken) -> Self {
        Client { stop, reader: None }
    }
}
