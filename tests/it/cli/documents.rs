//! The documents match the code.

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
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = fs::read_dir(root.join("docs")).unwrap();
    let pages = pages.map(|page| page.unwrap().path());
    let mut documents: Vec<PathBuf> = pages.filter(|page| page.is_file()).collect();
    for readme in ["", "examples", "examples/ci", "examples/clients"] {
        documents.push(root.join(readme).join("README.md"));
    }
    for document in documents {
        let folder = document.parent().unwrap();
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let target: String = target.split_whitespace().collect();
            let outside = target.contains("://") || target.is_empty();
            assert!(
                outside || folder.join(&target).exists(),
                "{}: {target}",
                document.display()
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

/// Commands in documents that need the internet or do not end.
const NOT_RUN: [&str; 9] = [
    "oci://ghcr.io",
    "acme:weather",
    "wassette load get-weather-js",
    "wassette doctor",
    "serve --",
    "registry validate",
    "registry add",
    "registry update",
    "registry remove",
];

/// Runs the commands of a document one after the other, with a fresh home.
fn run_line_by_line(document: &str) -> usize {
    let cli = crate::support::cli::Cli::new();
    let program = Path::new(env!("CARGO_BIN_EXE_wassette"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let text = read(document);
    let lines = text
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
        // Each error that the document shows is really printed.
        let shown = text
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
    ran
}

#[test]
fn the_commands_of_documents_work_line_by_line() {
    for (document, commands) in [
        ("README.md", 16),
        ("docs/tutorial.md", 11),
        ("docs/authors.md", 5),
        ("docs/catalogs.md", 4),
    ] {
        let ran = run_line_by_line(document);
        assert!(
            ran >= commands,
            "{document}: only {ran} commands were found"
        );
    }
}

/// docs/session.py draws it.
#[test]
fn the_picture_of_a_session_is_of_the_tutorial() {
    let picture = read("docs/session.svg").replace("&quot;", "\"");
    let tutorial = read("docs/tutorial.md");
    let commands = tutorial
        .lines()
        .filter(|line| line.starts_with("$ wassette"));
    for command in commands.take(5) {
        assert!(picture.contains(&format!(">{command}<")), "{command}");
    }
}
