//! Compressed data and tar archives, valid and malicious.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tar::{EntryType, Header};

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("memory");
    encoder.finish().expect("memory")
}

pub fn zstd(content: &[u8]) -> Vec<u8> {
    compress_to_vec(content, CompressionLevel::Fastest)
}

/// One entry of an archive.
pub struct Item {
    pub name: &'static str,
    pub kind: EntryType,
    pub content: Vec<u8>,
}

pub fn file(name: &'static str, content: &[u8]) -> Item {
    Item {
        name,
        kind: EntryType::Regular,
        content: content.to_vec(),
    }
}

pub fn entry(name: &'static str, kind: EntryType) -> Item {
    Item {
        name,
        kind,
        content: Vec::new(),
    }
}

/// Returns an archive of these entries; names are written unchecked.
pub fn tar(items: &[Item]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = Header::new_ustar();
        // The crate's own setter refuses the malicious names that the tests need.
        let name = &mut header.as_old_mut().name;
        name[..item.name.len()].copy_from_slice(item.name.as_bytes());
        header.set_entry_type(item.kind);
        header.set_mode(0o644);
        header.set_size(item.content.len() as u64);
        if item.kind.is_symlink() || item.kind.is_hard_link() {
            header.set_link_name("target").expect("a name");
        }
        header.set_cksum();
        builder
            .append(&header, item.content.as_slice())
            .expect("memory");
    }
    builder.into_inner().expect("memory")
}
