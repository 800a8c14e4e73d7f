//! Checks that a file starts like a component.
//!
//! The first eight bytes are the [component preamble][spec]: `\0asm`, a version
//! and a layer, which is 0 for core modules and 1 for components.
//!
//! [spec]: https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md#component-definitions

use super::error::ErrorKind;

/// Bytes that [`check`] needs.
pub(super) const LENGTH: usize = 8;

/// Rejects files that do not start like a component. Later stages validate the
/// rest.
pub(super) fn check(start: &[u8]) -> Result<(), ErrorKind> {
    match start {
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', _, _, 0, 0, ..] => Err(ErrorKind::CoreModule),
        _ => Err(ErrorKind::NotWasm { kind: kind(start) }),
    }
}

/// Describes the kind of file. The bytes are not quoted, because a caller could
/// otherwise use errors to read secret files.
fn kind(start: &[u8]) -> &'static str {
    match start {
        [] => "it is empty",
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            "it is an archive or compressed"
        }
        [b'<', ..] => "it looks like a web page",
        [b'(', ..] => "it looks like WebAssembly text, which is read from `.wat` files only",
        _ => "it does not begin as WebAssembly does",
    }
}
