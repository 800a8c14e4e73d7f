//! Components made for the benchmark, and the real ones that the tests build.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::components_files;

/// A component with only `add(a, b)`.
pub fn tiny() -> Vec<u8> {
    component("tiny", "")
}

/// `add` under this name.
pub fn named(name: &str) -> Vec<u8> {
    component(name, "")
}

/// `add` with a custom section of `size` bytes that contains the name.
pub fn padded(name: &str, size: usize) -> Vec<u8> {
    let mut wasm = named(name);
    let mut content = vec![u8::try_from(name.len()).expect("a short name")];
    content.extend(name.as_bytes());
    content.resize(content.len() + size, 7);
    wasm.push(0);
    let mut left = content.len();
    loop {
        // LEB128, as the format encodes numbers.
        let low = (left & 0x7f) as u8;
        left >>= 7;
        wasm.push(if left == 0 { low } else { low | 0x80 });
        if left == 0 {
            break;
        }
    }
    wasm.extend(content);
    wasm
}

/// Over 3 MB of code around one small function.
pub fn three_megabytes(n: usize) -> Vec<u8> {
    component(&format!("add-{n}"), &filler(n))
}

/// `read(path)` opens a file; with over 3 MB of code beside it.
pub fn file_reader() -> Vec<u8> {
    let filler = format!("(component (core module $filler {})", filler(0));
    let text = components_files::OPENS.replacen("(component", &filler, 1);
    wat::parse_str(text).expect("valid text")
}

/// Functions of over 3 MB together.
fn filler(n: usize) -> String {
    let mut filler = String::new();
    for f in 0..2600 {
        write!(filler, "(func (param i32) (result i32) (local.get 0)").expect("a string");
        for k in 0..160 {
            write!(
                filler,
                "(i32.xor (i32.const {}))",
                1_000_000 + n * 7919 + f * 160 + k
            )
            .expect("a string");
            filler.push_str("(i32.rotl (i32.const 5))");
        }
        filler.push(')');
    }
    filler
}

/// `work(n)` counts to `n`.
pub fn work() -> Vec<u8> {
    let text = r#"(component
        (core module $m
            (func (export "work") (param i32) (result i32)
                (local $n i32)
                (loop $again
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $n) (local.get 0))))
                (local.get $n)))
        (core instance $i (instantiate $m))
        (func (export "work") (param "n" u32) (result u32)
            (canon lift (core func $i "work"))))"#;
    wat::parse_str(text).expect("valid text")
}

/// `length(text)` of a text, and `repeat(length)`, a text of that length, up to 4 MB.
pub fn texts() -> Vec<u8> {
    let text = r#"(component
        (core module $m
            (memory (export "memory") 64)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
            (func (export "length") (param i32 i32) (result i32) (local.get 1))
            (func (export "repeat") (param i32) (result i32)
                (memory.fill (i32.const 64) (i32.const 120) (local.get 0))
                (i32.store (i32.const 0) (i32.const 64))
                (i32.store (i32.const 4) (local.get 0))
                (i32.const 0)))
        (core instance $i (instantiate $m))
        (func (export "length") (param "text" string) (result u32)
            (canon lift (core func $i "length")
                (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
        (func (export "repeat") (param "length" u32) (result string)
            (canon lift (core func $i "repeat") (memory (core memory $i "memory")))))"#;
    wat::parse_str(text).expect("valid text")
}

/// `endless()` never returns.
pub fn endless() -> Vec<u8> {
    let text = r#"(component
        (core module $m (func (export "endless") (loop $again br $again)))
        (core instance $i (instantiate $m))
        (func (export "endless") (canon lift (core func $i "endless"))))"#;
    wat::parse_str(text).expect("valid text")
}

fn component(name: &str, filler: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (core module $m
                (func (export "add") (param i32 i32) (result i32)
                    (i32.add (local.get 0) (local.get 1)))
                {filler})
            (core instance $i (instantiate $m))
            (func (export "{name}") (param "a" s32) (param "b" s32) (result s32)
                (canon lift (core func $i "add"))))"#
    );
    wat::parse_str(text).expect("valid text")
}

pub fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(format!("{name}.wasm"));
    fs::write(&path, bytes).expect("writable");
    path
}

/// A component that `tests/components/install.sh` builds.
pub fn real(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("target/components").join(name);
    assert!(
        path.is_file(),
        "{} is missing: run tests/components/install.sh",
        path.display()
    );
    path
}

/// Installs a file with the command line.
pub fn install(root: &Path, file: &Path) {
    let output = Command::new(env!("CARGO_BIN_EXE_wassette"))
        .args(["load", "--uri"])
        .arg(file)
        .arg("--root")
        .arg(root)
        .output()
        .expect("wassette runs");
    assert!(output.status.success(), "{output:?}");
}
