//! Decoders get arbitrary bytes.

use proptest::prelude::*;

use super::*;

/// Decodes the bytes; this always ends, and leaves no file after a failure.
fn run(packing: Packing, form: Form, packed: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    let target = dir.path().join("component.wasm");
    let unpack = Unpack {
        packing,
        form,
        limit: 1 << 20,
        diff_id: None,
    };
    let unpacked = unpack.run(packed, &target);
    assert_eq!(unpacked.is_ok(), target.exists());
}

fn archive(content: &[u8]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for name in ["a.txt", "a.wasm"] {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        let appended = builder.append_data(&mut header, name, content);
        appended.expect("memory");
    }
    builder.into_inner().expect("memory")
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        for packing in [Packing::None, Packing::Gzip, Packing::Zstd] {
            for form in [Form::Component, Form::Archive] {
                run(packing, form, &bytes);
            }
        }
    }

    #[test]
    fn damage_never_panics(at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let mut plain = archive(b"\0asm\x0d\0\x01\0 and the rest of it");
        let mut packed = zstd(&plain);
        let place = at.index(packed.len());
        packed[place] = with;
        run(Packing::Zstd, Form::Archive, &packed);
        let place = at.index(plain.len());
        plain[place] = with;
        run(Packing::None, Form::Archive, &plain);
    }
}
