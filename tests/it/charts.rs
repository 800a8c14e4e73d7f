//! The charts that `cargo bench` draws.

#[path = "../../benches/wassette/chart.rs"]
mod chart;

use chart::{Group, Row, draw};

fn row(name: &str, value: f64, unit: &str, ratio: Option<(f64, &str)>) -> Row {
    Row {
        name: name.into(),
        value,
        unit: unit.into(),
        ratio: ratio.map(|(ratio, base)| (ratio, base.into())),
    }
}

#[test]
fn a_bar_is_as_long_as_its_share_of_the_longest_of_its_unit() {
    let groups = [
        Group {
            title: "calls & starts <now>".into(),
            rows: vec![
                row("fast", 50.0, "ms", None),
                row("slow", 200.0, "ms", Some((4.0, "fast"))),
                row("memory", 3.0, "MiB", None),
                row("unknown", f64::NAN, "MiB", None),
            ],
        },
        Group {
            title: "empty".into(),
            rows: Vec::new(),
        },
    ];
    let svg = draw(&groups);
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(svg.contains("calls &amp; starts &lt;now&gt;") && !svg.contains("empty"));
    let lengths: Vec<&str> = svg
        .split(r#" height="12"/>"#)
        .filter_map(|part| part.rsplit_once("width=\"").map(|(_, length)| length))
        .collect();
    assert_eq!(lengths[..3], ["60.0\"", "240.0\"", "240.0\""]);
    for told in ["50.00 ms", "200.00 ms (4.000 x fast)", "3.00 MiB"] {
        assert!(svg.contains(&format!(">{told}</text>")), "{told}");
    }
}

#[test]
fn the_documentation_has_a_chart() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/benchmarks.md")).unwrap();
    assert!(page.contains("](benchmarks.svg)"));
    let svg = std::fs::read_to_string(root.join("docs/benchmarks.svg")).unwrap();
    assert!(svg.contains("a process of fixed answers</text>"));
}
