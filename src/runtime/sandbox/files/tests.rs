//! Tests of the walk with directories and names that a guest could not arrange.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags};

use super::change;
use super::guard::Guard;
use super::listing::{Listing, Next};
use super::open::{Opened, Wish, open};
use super::quota::Usage;
use super::roots::Roots;
use super::walk::{Directory, End, LastLink, walk};
use super::withheld::Withheld;
use crate::policy::{Access, Policy, StorageRules};
use crate::runtime::sandbox::Denials;

/// A directory `in` that may be read and written, with `in/deny` denied.
struct World {
    root: PathBuf,
    _root: TempDir,
    rules: StorageRules,
    roots: Roots,
    denials: Denials,
    withheld: Withheld,
    usage: Usage,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for path in ["in/a/b", "in/deny", "out"] {
            std::fs::create_dir_all(root.join(path)).unwrap();
        }
        let policy = "version: \"1.0\"\npermissions:\n  storage:\n    allow: [{uri: \"fs://in/**\", access: [read, write]}]\n    deny: [{uri: \"fs://in/deny/**\"}]\n";
        let rules = Policy::parse(policy).unwrap().storage.resolve(&root);
        World {
            roots: Roots::new(rules.roots()),
            rules,
            root,
            _root: directory,
            denials: Denials::new(&crate::runtime::Sandbox::deny_all()),
            withheld: Withheld::new(Vec::new()),
            usage: Usage::default(),
        }
    }

    fn guard(&self) -> Guard<'_> {
        Guard {
            rules: &self.rules,
            roots: &self.roots,
            denials: &self.denials,
            withheld: &self.withheld,
            usage: &self.usage,
        }
    }

    fn open(&self, path: &str) -> Directory {
        let path = self.root.join(path);
        Directory {
            handle: Arc::new(std::fs::File::open(&path).unwrap()),
            path,
        }
    }

    fn walk(&self, path: &str, last: LastLink) -> Result<End, ErrorCode> {
        walk(&self.guard(), self.open("in"), path, last, Access::READ)
    }

    /// Returns the real path that a walk ends at, relative to the root.
    fn end(&self, path: &str, last: LastLink) -> String {
        let end = self.walk(path, last).unwrap().path();
        end.strip_prefix(&self.root).unwrap().display().to_string()
    }

    fn denied(&self) -> Vec<String> {
        let denials = self.denials.take().into_iter();
        let names = denials.map(|denial| denial.what.raw().to_owned());
        names
            .map(|name| name.replace(self.root.to_str().unwrap(), "$"))
            .collect()
    }
}

#[test]
fn paths_end_at_real_paths() {
    let world = World::new();
    symlink("b/../b", world.root.join("in/a/link")).unwrap();
    symlink(world.root.join("in/a"), world.root.join("in/absolute")).unwrap();
    for (path, followed, kept) in [
        (".", "in", "in"),
        ("a/b", "in/a/b", "in/a/b"),
        ("a//./b/", "in/a/b", "in/a/b"),
        ("a/b/../..", "in", "in"),
        ("a/link", "in/a/b", "in/a/link"),
        ("a/link/", "in/a/b", "in/a/b"),
        ("a/link/new", "in/a/b/new", "in/a/b/new"),
        ("absolute/link/../b", "in/a/b", "in/a/b"),
        ("absolute", "in/a", "in/absolute"),
        ("../in/a", "in/a", "in/a"),
    ] {
        assert_eq!(world.end(path, LastLink::Follow), followed, "{path}");
        assert_eq!(world.end(path, LastLink::Keep), kept, "{path}");
    }
    assert!(world.denied().is_empty());
}

#[test]
fn denials_name_what_was_meant() {
    let world = World::new();
    symlink("../../out", world.root.join("in/a/escape")).unwrap();
    for (path, what) in [
        ("../out/x", "$/out/x"),
        ("a/escape/x/y", "$/out/x/y"),
        ("deny/x", "$/in/deny/x"),
        ("../out/../in", "$/out"),
        ("/etc/passwd", "/etc/passwd"),
    ] {
        let error = world.walk(path, LastLink::Follow).unwrap_err();
        assert!(matches!(error, ErrorCode::NotPermitted), "{path}");
        assert_eq!(world.denied(), [what], "{path}");
    }
}

#[test]
fn bad_paths_are_errors() {
    let world = World::new();
    std::fs::write(world.root.join("in/file"), "").unwrap();
    symlink("me", world.root.join("in/me")).unwrap();
    let deep = "a/../".repeat(800) + "a";
    for (path, expected) in [
        ("", ErrorCode::NoEntry),
        ("missing/x", ErrorCode::NoEntry),
        ("file/x", ErrorCode::NotDirectory),
        ("me", ErrorCode::Loop),
        ("a\0b", ErrorCode::Invalid),
        (&"x/".repeat(4000), ErrorCode::NameTooLong),
    ] {
        let error = world.walk(path, LastLink::Follow).unwrap_err();
        assert_eq!(error.name(), expected.name(), "{path:.20}");
    }
    assert_eq!(world.end(&deep, LastLink::Follow), "in/a");
    // Forty links are followed, but not 41.
    for at in 0..41 {
        symlink(format!("l{}", at + 1), world.root.join(format!("in/l{at}"))).unwrap();
    }
    std::fs::write(world.root.join("in/l41"), "").unwrap();
    assert!(world.walk("l0", LastLink::Follow).is_err());
    assert_eq!(world.end("l1", LastLink::Follow), "in/l41");
}

#[test]
fn what_is_swapped_after_the_walk_is_not_followed() {
    let world = World::new();
    let secret = world.root.join("out/secret");
    std::fs::write(&secret, "secret").unwrap();
    let wish = Wish::new(
        OpenFlags::CREATE | OpenFlags::TRUNCATE,
        DescriptorFlags::empty(),
    );
    let wish = wish.unwrap();
    let end = world.walk("a/b/file", LastLink::Follow).unwrap();
    symlink(&secret, world.root.join("in/a/b/file")).unwrap();
    assert!(open(&world.guard(), &end, wish).is_err());
    assert!(change::read_link(&world.guard(), &end).is_ok());

    // The open directory was moved, and a link has its old name.
    let end = world.walk("a/b/other", LastLink::Follow).unwrap();
    std::fs::rename(world.root.join("in/a/b"), world.root.join("in/old")).unwrap();
    symlink(world.root.join("out"), world.root.join("in/a/b")).unwrap();
    assert!(matches!(
        open(&world.guard(), &end, wish),
        Ok(Opened::File { .. })
    ));
    assert!(!world.root.join("out/other").exists());
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "secret");
}

#[test]
fn nothing_is_cut_or_made_before_it_is_granted() {
    let world = World::new();
    let kept = world.root.join("out/kept");
    std::fs::write(&kept, "text").unwrap();
    let end = End {
        directory: world.open("out"),
        name: Some("kept".into()),
        kind: super::walk::Kind::Any,
    };
    let how = [OpenFlags::TRUNCATE, OpenFlags::CREATE | OpenFlags::TRUNCATE];
    for how in how {
        let wish = Wish::new(how, DescriptorFlags::WRITE).unwrap();
        assert!(open(&world.guard(), &end, wish).is_err());
    }
    assert!(change::unlink(&world.guard(), &end).is_err());
    assert!(change::create_directory(&world.guard(), &end).is_err());
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "text");
}

#[test]
fn a_listing_leaves_out_what_is_denied() {
    let world = World::new();
    let mut listing = Listing::new(&world.guard(), world.open("in")).unwrap();
    let mut names = Vec::new();
    loop {
        match listing.next(&world.guard()).unwrap() {
            Next::Entry(entry) => names.push(entry.name),
            Next::Hidden => {}
            Next::End => break,
        }
    }
    assert_eq!(names, ["a"]);
    assert!(Listing::new(&world.guard(), world.open("out")).is_err());
}

#[test]
fn the_system_root_can_be_the_start() {
    let world = World::new();
    let path = world.root.join("in/a");
    let start = Directory::root().unwrap();
    let text = path.to_str().unwrap();
    let end = walk(
        &world.guard(),
        start.clone(),
        text,
        LastLink::Follow,
        Access::READ,
    )
    .unwrap();
    assert_eq!(end.path(), path);
    let end = walk(&world.guard(), start, "..", LastLink::Follow, Access::READ).unwrap();
    assert_eq!(end.path(), Path::new("/"));
}
