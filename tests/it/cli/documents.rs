//! The documents say what the code says.

use std::fs;
use std::path::{Path, PathBuf};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn every_error_code_is_documented() {
    let documented = read("docs/errors.md");
    let codes = codes();
    assert!(codes.len() > 40, "the codes were not found: {codes:?}");
    let missing: Vec<_> = codes
        .iter()
        .filter(|code| !documented.contains(&format!("`{code}`")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in [
        "README.md",
        "docs/architecture.md",
        "docs/troubleshooting.md",
        "examples/README.md",
        "examples/clients/README.md",
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let folder = folder.parent().unwrap();
        for link in read(document).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let outside = target.contains("://") || target.is_empty();
            assert!(
                outside || folder.join(target).exists(),
                "{document}: {target}"
            );
        }
    }
}

/// The kebab-case literals in functions whose name ends in `code`.
fn codes() -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.extend(codes_in(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

fn codes_in(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in source.lines() {
        if line.contains("code(&self") && line.contains("-> &'static str {") {
            inside = true;
        } else if line == "    }" {
            inside = false;
        } else if inside {
            let literals = line.split('"').skip(1).step_by(2);
            found.extend(literals.filter(|text| !text.is_empty()).map(str::to_owned));
        }
    }
    found
}

/// Commands of README that need the internet, or do not end.
const NOT_RUN: [&str; 4] = [
    "oci://ghcr.io",
    "get-weather-js",
    "wassette doctor",
    "serve --",
];

#[test]
fn the_commands_of_the_readme_work_line_by_line() {
    let cli = crate::support::cli::Cli::new();
    let program = Path::new(env!("CARGO_BIN_EXE_wassette"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let readme = read("README.md");
    let lines = readme
        .lines()
        .filter_map(|line| line.strip_prefix("$ wassette"));
    let mut ran = 0;
    for line in lines.map(|rest| format!("wassette{rest}")) {
        if NOT_RUN.iter().any(|part| line.contains(part)) {
            continue;
        }
        let mut shell = std::process::Command::new("sh");
        let of_cli = cli.command();
        for (name, value) in of_cli.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.env("PATH", &path).stdin(std::process::Stdio::null());
        let output = shell
            .args(["-c", &line])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // What README shows as an error is one.
        let shown = readme
            .split(&format!("$ {line}\n"))
            .nth(1)
            .unwrap_or_default();
        let fails = shown.starts_with("error:");
        assert_eq!(output.status.success(), !fails, "{line}: {said}");
        if fails {
            let first = shown.lines().next().unwrap();
            assert!(said.starts_with(first), "{line}: {said}");
        }
        ran += 1;
    }
    assert!(ran > 15, "only {ran} commands were found");
}
