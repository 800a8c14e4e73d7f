//! What the first bytes of a file tell.
//!
//! The eight bytes are the [component preamble][spec]: `\0asm`, a version and
//! a layer, the layer being 0 for core modules and 1 for components.
//!
//! [spec]: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md#component-definitions

use super::error::ErrorKind;

/// How many bytes [`check`] looks at.
pub(super) const LENGTH: usize = 8;

/// Refuses what does not start like a component. Whether it is a valid one is
/// for later stages.
pub(super) fn check(start: &[u8]) -> Result<(), ErrorKind> {
    match start {
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(ErrorKind::CoreModule),
        _ => Err(ErrorKind::NotWasm {
            start: start.escape_ascii().to_string(),
        }),
    }
}
