//! The direction of dependencies, which one crate cannot enforce by itself.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules in the order in which they may depend on each other, as `lib.rs`
/// gives it: a module sees only those before it.
const ORDER: &[&str] = &[
    "text",
    "error",
    "file",
    "digest",
    "secret",
    "reference",
    "catalog",
    "policy",
    "schema",
    "net",
    "registry",
    "fetch",
    "config",
    "manifest",
    "verify",
    "store",
    "runtime",
    "toolbox",
    "install",
    "publish",
    "service",
    "http",
    "share",
    "mcp",
    "cli",
    "fuzz",
    "main",
];

/// Crates that stay behind the modules that wrap them.
const CONFINED: &[(&str, &[&str])] = &[
    ("rmcp", &["mcp"]),
    ("clap", &["cli"]),
    ("reqwest", &["net"]),
    ("wasmtime", &["runtime", "schema"]),
    ("sigstore_verify", &["verify"]),
    ("cryptoxide", &["publish"]),
    ("regex", &["config"]),
    ("axum", &["http", "share", "mcp"]),
    ("tower", &["http", "share", "mcp"]),
];

/// Faces of the service that must not know each other, except for what the
/// command line starts.
const MCP_FOR_CLI: [&str; 2] = ["src/cli/opening.rs", "src/cli/serve.rs"];

#[test]
fn modules_import_only_what_stands_before_them() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let place = position(&module_of(&path));
        for used in crate_paths(&code) {
            if position(&used) > place {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_command_line_meets_mcp_only_to_serve() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(path, code)| {
            module_of(path) == "cli"
                && crate_paths(code).iter().any(|used| used == "mcp")
                && !MCP_FOR_CLI.iter().any(|allowed| path.ends_with(allowed))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn wrapped_crates_stay_wrapped() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let module = module_of(&path);
        for &(name, homes) in CONFINED {
            if mentions_crate(&code, name) && !homes.contains(&module.as_str()) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn there_is_one_unsafe_block_and_it_says_why() {
    let blocks: Vec<_> = sources()
        .into_iter()
        .flat_map(|(path, code)| {
            let lines: Vec<_> = code.lines().map(str::to_owned).collect();
            let found: Vec<_> = (0..lines.len())
                .filter(|&n| lines[n].contains("unsafe {"))
                .map(|n| {
                    let above = lines[n.saturating_sub(8)..n].join("\n");
                    (path.clone(), n + 1, above.contains("SAFETY:"))
                })
                .collect();
            found
        })
        .collect();
    assert_eq!(blocks.len(), 1, "{blocks:?}");
    assert!(blocks[0].2, "no SAFETY comment: {blocks:?}");
}

/// Files that are opened otherwise than by `crate::file`, and why they may be.
const OPENED_PLAINLY: [(&str, &str); 6] = [
    ("src/file/mod.rs", "directories, to sync them"),
    ("src/cli/hangup.rs", "whether there is a terminal"),
    ("src/runtime/limits/total.rs", "the kernel's own files"),
    (
        "src/runtime/compile.rs",
        "its parent process names the file",
    ),
    ("src/store/replace.rs", "a directory, to set its time"),
    ("src/store/wait.rs", "the kernel's own files"),
];

/// A plain open waits where a pipe is, and a plain read has no bound.
#[test]
fn files_are_opened_without_waiting_and_read_within_bounds() {
    let plain = ["File::open(", "fs::read(", "fs::read_to_string("];
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| !path.to_string_lossy().contains("tests"))
        .filter(|(path, _)| !OPENED_PLAINLY.iter().any(|(file, _)| path.ends_with(file)))
        .filter(|(_, code)| {
            let code = code.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            plain.iter().any(|call| code.contains(call))
        })
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), without_comments(&path)));
            }
        }
    }
    assert!(found.len() > 40, "the sources were not found");
    found
}

fn without_comments(path: &Path) -> String {
    let code = fs::read_to_string(path).unwrap();
    let keep = |line: &&str| {
        let line = line.trim_start();
        !line.starts_with("//") || line.starts_with("// SAFETY:")
    };
    code.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

/// The first part of the path below `src`.
fn module_of(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let below = path.strip_prefix(root).unwrap();
    let first = below.components().next().unwrap();
    let name = first.as_os_str().to_str().unwrap();
    name.trim_end_matches(".rs").to_owned()
}

fn position(module: &str) -> usize {
    match module {
        // The map itself may name all of them.
        "lib" => ORDER.len(),
        _ => ORDER
            .iter()
            .position(|known| *known == module)
            .unwrap_or_else(|| panic!("`{module}` has no place in ORDER")),
    }
}

/// The modules named in `crate::…` paths.
fn crate_paths(code: &str) -> Vec<String> {
    code.split("crate::")
        .skip(1)
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or("").split(',').collect(),
            None => vec![rest],
        })
        .map(|path| {
            let path = path.trim_start();
            let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
            path[..end.unwrap_or(path.len())].to_owned()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// Whether `name` or a crate of its family (`name_…`) is used in a path.
fn mentions_crate(code: &str, name: &str) -> bool {
    let boundary = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back().is_none_or(boundary);
        let after = &code[at + name.len()..];
        let family = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        before && (after.starts_with("::") || after.starts_with('_')) && family.starts_with("::")
    })
}
