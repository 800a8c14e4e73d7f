//! Components that real toolchains built from `examples/`: loaded, listed,
//! inspected and called on the command line.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::cli::Cli;
use crate::support::installed;

fn committed(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(path)
}

/// An installed component, with the output of `load`.
struct Installed {
    cli: Cli,
    id: String,
}

impl Installed {
    /// Loads a component and checks that all commands agree on its tools.
    fn load(path: &Path, tools: &[&str]) -> Self {
        let cli = Cli::new();
        let loaded = cli.load(path);
        assert_eq!(loaded["status"], "new");
        let id = loaded["component_id"].as_str().unwrap().to_owned();
        assert_eq!(sorted(&loaded["tool_names"]), tools);

        let listed = &cli.json(["list"])["components"][0];
        assert_eq!(listed["id"], id, "{listed}");
        assert_eq!(sorted(&listed["tool_names"]), tools);
        assert!(cli.is_tidy());
        Installed { cli, id }
    }

    fn inspect(&self) -> Value {
        self.cli.json(["inspect", &self.id])
    }

    fn call(&self, tool: &str, args: Value) -> Value {
        let answer = self.cli.json(["call", tool, "--args", &args.to_string()]);
        answer["result"].clone()
    }

    /// The error of a call that the tool answers with an error.
    fn refusal(&self, tool: &str, args: Value) -> String {
        self.cli
            .failure(["call", tool, "--args", &args.to_string()])
    }

    /// The description of a tool, as agents see it.
    fn description(&self, tool: &str) -> String {
        let inspected = self.inspect();
        let mut tools = inspected["tools"].as_array().unwrap().iter();
        let tool = tools.find(|t| t["normalized_name"] == tool).unwrap();
        tool["description"].as_str().unwrap().to_owned()
    }
}

fn sorted(names: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_str().unwrap())
        .collect();
    names.sort_unstable();
    names
}

const JSON_TOOLS: [&str; 6] = [
    "examples_json_query_compare",
    "examples_json_query_outline",
    "examples_json_query_parse-path",
    "examples_json_query_select",
    "format",
    "from-csv",
];

#[test]
fn javascript() {
    let json = Installed::load(&installed::component("json.wasm"), &JSON_TOOLS);
    assert_eq!(json.inspect()["imports"], json!([]));
    check_json(&json);
}

/// QuickJS leaves an export `init` behind, which must not become a tool.
#[test]
fn javascript_on_quickjs() {
    let json = Installed::load(&installed::component("json-qjs.wasm"), &JSON_TOOLS);
    let exports = json.inspect()["exports"].to_string();
    assert!(exports.contains("init"), "the leftover is gone: {exports}");
    check_json(&json);
}

fn check_json(json: &Installed) {
    let document = json!({ "users": [{ "name": "Ada" }, { "name": "Grace" }] }).to_string();
    assert_eq!(
        json.call(
            "examples_json_query_select",
            json!({ "document": document, "path": "users[-1].name" })
        ),
        json!([{ "path": "users[1].name", "kind": "text", "value": "\"Grace\"" }])
    );
    assert_eq!(
        json.call(
            "examples_json_query_compare",
            json!({ "before": "[1]", "after": "[2, 3]" })
        ),
        json!([
            { "path": "[0]", "before": "1", "after": "2" },
            { "path": "[1]", "before": null, "after": "3" },
        ])
    );
    assert_eq!(
        json.call("format", json!({ "document": "[1]" })),
        "[\n  1\n]"
    );
    assert_eq!(
        json.call(
            "examples_json_query_parse-path",
            json!({ "path": "a[*][0]" })
        ),
        json!([{ "tag": "key", "val": "a" }, { "tag": "every" }, { "tag": "index", "val": 0 }])
    );
    assert_eq!(
        json.call("from-csv", json!({ "csv": "a;b\n1;2", "separator": ";" })),
        r#"[{"a":"1","b":"2"}]"#
    );
    let refusal = json.refusal(
        "examples_json_query_select",
        json!({ "document": document, "path": "a..b" }),
    );
    assert!(refusal.contains("bad-path"), "{refusal}");
}

/// componentize-py leaves an interface `exports` behind, which must not become tools.
#[test]
fn python() {
    let tools = [
        "evaluate",
        "examples_stats_sample_fit",
        "examples_stats_sample_histogram",
        "examples_stats_sample_summarise",
        "factorise",
    ];
    let stats = Installed::load(&installed::component("stats.wasm"), &tools);
    let exports = stats.inspect()["exports"].to_string();
    assert!(
        exports.contains("\"exports\""),
        "the leftover is gone: {exports}"
    );

    let summary = stats.call(
        "examples_stats_sample_summarise",
        json!({ "values": [1, 2, 3.5] }),
    );
    assert_eq!(summary["count"], 3);
    assert_eq!(summary["median"], 2.0);
    assert_eq!(
        stats.call("factorise", json!({ "number": 360 })),
        json!([[2, 3], [3, 2], [5, 1]])
    );
    let area = json!({ "expression": "side ** 2", "variables": [["side", 1.5]] });
    assert_eq!(stats.call("evaluate", area), 2.25);
    let outside = json!({ "expression": "open('/etc/passwd')", "variables": [] });
    assert!(
        stats
            .refusal("evaluate", outside)
            .contains("unknown function")
    );
    let empty = stats.refusal("examples_stats_sample_summarise", json!({ "values": [] }));
    assert!(empty.contains("too-few"), "{empty}");
}

#[test]
fn c() {
    let tools = [
        "crc32",
        "examples_text_analysis_count",
        "examples_text_analysis_find",
        "examples_text_analysis_frequent-words",
        "slug",
    ];
    let text = Installed::load(&committed("text-c/text.wasm"), &tools);
    assert_eq!(
        text.description("examples_text_analysis_count"),
        "Counts bytes, characters, words and lines."
    );
    assert_eq!(
        text.description("crc32"),
        "The CRC-32 checksum of bytes, as used by zip and gzip."
    );
    assert_eq!(
        text.call(
            "examples_text_analysis_count",
            json!({ "text": "Grüße\nan alle\n" })
        ),
        json!({ "bytes": 16, "characters": 14, "words": 3, "lines": 2 })
    );
    assert_eq!(
        text.call(
            "examples_text_analysis_frequent-words",
            json!({ "text": "a b A", "limit": 1 })
        ),
        json!([{ "word": "a", "count": 2 }])
    );
    // The check value of CRC-32: the nine digits, in base64.
    assert_eq!(
        text.call("crc32", json!({ "data": "MTIzNDU2Nzg5" })),
        0xCBF4_3926_u32
    );
    let refusal = text.refusal(
        "examples_text_analysis_find",
        json!({ "text": "a", "needle": "" }),
    );
    assert!(refusal.contains("empty-needle"), "{refusal}");
}

#[test]
fn rust() {
    let tools = [
        "examples_units_duration_read",
        "examples_units_duration_split",
        "examples_units_duration_write",
        "examples_units_measure_convert",
        "examples_units_measure_units",
        "from-roman",
        "to-roman",
    ];
    let units = Installed::load(&committed("units-rust/units.wasm"), &tools);
    assert_eq!(
        units.description("to-roman"),
        "Writes a number from 1 to 3999 as a Roman numeral."
    );
    assert_eq!(
        units.description("examples_units_duration_split"),
        "Takes a number of seconds apart."
    );
    assert_eq!(units.call("to-roman", json!({ "number": 2026 })), "MMXXVI");
    assert_eq!(
        units.call(
            "examples_units_duration_write",
            json!({ "seconds": 3601, "style": ["short", "skip-zeros"] })
        ),
        "1h 1s"
    );
    // 64-bit numbers are exact: this one is too large for a double.
    let seconds = json!({ "text": "9007199254740993s" });
    assert_eq!(
        units.call("examples_units_duration_read", seconds),
        9_007_199_254_740_993_u64
    );
    let refusal = units.refusal(
        "examples_units_measure_convert",
        json!({ "value": 1, "from": "mi", "to": "kg" }),
    );
    assert!(refusal.contains("mismatch"), "{refusal}");
}

#[test]
fn text_format() {
    let tools = [
        "examples_calc_arithmetic_add",
        "examples_calc_arithmetic_divide",
        "examples_calc_arithmetic_greatest-common-divisor",
        "square-root",
    ];
    let calc = Installed::load(&committed("calc-wat/calc.wat"), &tools);
    assert_eq!(
        calc.description("examples_calc_arithmetic_add"),
        "Adds two whole numbers."
    );
    assert_eq!(
        calc.description("square-root"),
        "The square root; NaN for negative numbers."
    );
    assert_eq!(
        calc.call(
            "examples_calc_arithmetic_divide",
            json!({ "a": 7, "b": -2 })
        ),
        -3
    );
    let refusal = calc.refusal("examples_calc_arithmetic_divide", json!({ "a": 1, "b": 0 }));
    assert!(refusal.contains("division by zero"), "{refusal}");
}
