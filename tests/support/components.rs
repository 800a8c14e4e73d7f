//! Small components, as WebAssembly text.

/// An empty component.
pub const EMPTY: &str = "(component)";

/// Exports `answer`, which returns 42.
pub const ANSWER: &str = r#"
(component
  (core module $m
    (func (export "answer") (result i32) i32.const 42))
  (core instance $i (instantiate $m))
  (func (export "answer") (result u32) (canon lift (core func $i "answer"))))
"#;

/// Not a component.
pub const CORE_MODULE: &str = "(module)";

/// Returns the binary of a component in text form.
pub fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("WebAssembly text")
}

/// Returns a component of at least `size` bytes, in a custom section.
pub fn padded(size: usize) -> Vec<u8> {
    let content: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
    with_section(binary(EMPTY), "padding", &content)
}

/// Returns a component with a custom section at its end.
pub fn with_section(mut wasm: Vec<u8>, name: &str, content: &[u8]) -> Vec<u8> {
    wasm.push(0);
    leb128(&mut wasm, 1 + name.len() + content.len());
    wasm.push(name.len() as u8);
    wasm.extend_from_slice(name.as_bytes());
    wasm.extend_from_slice(content);
    wasm
}

fn leb128(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
