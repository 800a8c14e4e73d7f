//! Compiling in a process of its own, and the code kept on disk.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wassette::error::Diagnose;
use wassette::runtime::{CallError, CodeState, CompileError, Force, Returned, Runtime, Tier};

use crate::support::components_rt as components;
use crate::support::program::{Installed, call};
use crate::support::script;
use crate::support::wait::{DEADLINE, until, within_a_compile};

/// Compiles a component once, so that its code is on disk.
async fn compiled(wat: &str) -> Installed {
    let installed = Installed::new(wat);
    let report = installed.program().optimised(Force::No).await.unwrap();
    assert!(!report.cached);
    assert!(report.code_bytes > 0);
    installed
}

/// Whether a fresh program finds code on disk; the program works either way.
async fn finds_code(installed: &Installed) -> bool {
    let program = installed.program();
    let answer = call(&program, "add", json!({"a": 1, "b": 2}))
        .await
        .unwrap();
    assert_eq!(answer, Returned::Ok(json!(3)));
    program.optimised(Force::No).await.unwrap().cached
}

/// Replaces a file; mapped code must not be written to.
fn replace(path: &Path, bytes: &[u8]) {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, bytes).unwrap();
    set_mode(&fresh, 0o600);
    fs::rename(fresh, path).unwrap();
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn code_is_kept_for_the_next_start() {
    let installed = compiled(components::ADD).await;
    let metadata = fs::metadata(&installed.source.cwasm).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o600);
    assert!(finds_code(&installed).await);
    // The compilers' staging directories are gone.
    let staging = fs::read_dir(installed.root.path().join("downloads")).unwrap();
    assert_eq!(staging.count(), 0);
    // A start with cached code needs no compiler.
    let mut options = installed.options();
    options.compiler = "/nonexistent".into();
    let program = installed.program_with(options);
    call(&program, "add", json!({"a": 1, "b": 2}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_code_is_compiled_again() {
    let installed = compiled(components::ADD).await;
    let path = &installed.source.cwasm;
    let good = fs::read(path).unwrap();
    // Otherwise the code that other components could share would be used.
    let forget = || fs::remove_dir_all(installed.root.path().join("compiled")).unwrap();
    for at in [100, good.len() / 2, good.len() - 100] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        replace(path, &bytes);
        forget();
        assert!(!finds_code(&installed).await, "byte {at}");
        assert!(finds_code(&installed).await, "byte {at}");
    }
    replace(path, &good[..good.len() / 2]);
    forget();
    assert!(!finds_code(&installed).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_others_could_have_written_is_not_used() {
    let installed = compiled(components::ADD).await;
    set_mode(&installed.source.cwasm, 0o666);
    assert!(!finds_code(&installed).await);
    assert!(finds_code(&installed).await);
    fs::remove_dir_all(installed.root.path().join("compiled")).unwrap();
    set_mode(installed.root.path(), 0o777);
    assert!(!finds_code(&installed).await);
    set_mode(installed.root.path(), 0o700);
    assert!(finds_code(&installed).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn code_of_another_component_is_not_used() {
    let other = compiled(components::CHECK).await;
    let installed = Installed::new(components::ADD);
    fs::copy(&other.source.cwasm, &installed.source.cwasm).unwrap();
    set_mode(&installed.source.cwasm, 0o600);
    assert!(!finds_code(&installed).await);
}

/// Uses code as another version of this program would have left it.
#[tokio::test(flavor = "multi_thread")]
async fn code_for_another_engine_is_made_again_at_the_next_call() {
    let installed = compiled(components::ADD).await;
    let mut bytes = fs::read(&installed.source.cwasm).unwrap();
    let seal = bytes.iter().rposition(|byte| *byte == b'w').unwrap();
    assert!(
        bytes[seal..].starts_with(b"wasm-1 "),
        "the seal is not found"
    );
    let engine = seal + "wasm-1 ".len() + 64 + 1;
    bytes[engine] = if bytes[engine] == b'0' { b'1' } else { b'0' };
    replace(&installed.source.cwasm, &bytes);
    fs::remove_dir_all(installed.root.path().join("compiled")).unwrap();
    let state = || Runtime::new(installed.options()).examine(&installed.source);
    // It is not damaged, just not usable.
    assert_eq!(state(), CodeState::Absent);
    assert!(!finds_code(&installed).await);
    assert!(finds_code(&installed).await);
    assert_eq!(state(), CodeState::Sound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_changed_on_disk_is_refused() {
    let installed = Installed::new(components::ADD);
    let other = wat::parse_str(components::CHECK).unwrap();
    fs::write(&installed.source.wasm, other).unwrap();
    let error = call(&installed.program(), "add", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "digest-mismatch", "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn force_compiles_again() {
    let installed = compiled(components::ADD).await;
    let inode = || fs::metadata(&installed.source.cwasm).unwrap().ino();
    let before = inode();
    let program = installed.program();
    assert!(program.optimised(Force::No).await.unwrap().cached);
    assert_eq!(inode(), before);
    assert!(!program.optimised(Force::Yes).await.unwrap().cached);
    assert_ne!(inode(), before);
    call(&program, "add", json!({"a": 1, "b": 2}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_component_is_served_by_the_baseline_first() {
    let installed = Installed::new(&components::large_add());
    let place = |name: &str| installed.root.path().join(name);
    let (first, go_on) = (place("first"), place("go-on"));
    // The second compiler, Cranelift, waits.
    let text = format!(
        "if [ -e {first} ]; then until [ -e {go_on} ]; do sleep 0.05; done; fi\n\
         : > {first}\n\
         exec {} \"$@\"",
        env!("CARGO_BIN_EXE_wassette"),
        first = first.display(),
        go_on = go_on.display(),
    );
    let mut options = installed.options();
    options.compiler = place("compiler");
    script::write(&options.compiler, &text);
    let program = installed.program_with(options);
    let sum = call(&program, "add", json!({"a": 1, "b": 2}));
    let answer = within_a_compile("the baseline's answer", sum).await;
    assert_eq!(answer.unwrap(), Returned::Ok(json!(3)));
    assert!(!installed.source.cwasm.exists());
    fs::write(go_on, "").unwrap();
    let report = program.optimised(Force::No).await.unwrap();
    assert_eq!((report.tier, report.cached), (Tier::Optimised, false));
    assert!(installed.source.cwasm.exists());
    call(&program, "add", json!({"a": 1, "b": 2}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_winch_refuses_cranelift_compiles() {
    let padding = components::large_add();
    let start = padding.find("(core module $m").unwrap() + "(core module $m".len();
    let end = padding.find("(func (export \"add\")").unwrap();
    let functions = &padding[start..end];
    let wat = components::TAIL_CALL.replacen(
        "(core module $m",
        &format!("(core module $m {functions}"),
        1,
    );
    let installed = Installed::new(&wat);
    let answer = call(&installed.program(), "f", json!({})).await.unwrap();
    assert_eq!(answer, Returned::Ok(json!(7)));
    assert!(installed.source.cwasm.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_share_one_compile() {
    let installed = Installed::new(&components::large_add());
    let compiler = installed.root.path().join("compiler");
    let started = installed.root.path().join("started");
    let text = format!(
        "echo >> {}; exec {} \"$@\"",
        started.display(),
        env!("CARGO_BIN_EXE_wassette")
    );
    script::write(&compiler, &text);
    let mut options = installed.options();
    options.compiler = compiler;
    let program = installed.program_with(options);
    let calls: Vec<_> = (0..32)
        .map(|n| {
            let program = Arc::clone(&program);
            tokio::spawn(async move { call(&program, "add", json!({"a": n, "b": 1})).await })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap(), Returned::Ok(json!(n + 1)));
    }
    program.optimised(Force::No).await.unwrap();
    // One compiler for the first code, and one for the optimised code.
    assert_eq!(fs::read_to_string(&started).unwrap().lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_do_not_compile_are_refused() {
    let installed = Installed::new(components::ADD);
    fs::write(&installed.source.wasm, b"\0asm\x0d\0\x01\0garbage").unwrap();
    let error = call(&installed.program(), "add", json!({}))
        .await
        .unwrap_err();
    let CallError::Compile(error) = error else {
        panic!("{error:?}");
    };
    let CompileError::Refused { message, .. } = &*error else {
        panic!("{error:?}");
    };
    assert!(
        !message.is_empty() && !message.starts_with("error:"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_compiler_is_named_and_tried_again() {
    let installed = Installed::new(components::ADD);
    let binary = installed.root.path().join("wassette");
    let mut options = installed.options();
    let real = std::mem::replace(&mut options.compiler, binary.clone());
    let program = installed.program_with(options);
    let error = call(&program, "add", json!({})).await.unwrap_err();
    assert_eq!(error.code(), "compile-failed");
    std::os::unix::fs::symlink(real, binary).unwrap();
    call(&program, "add", json!({"a": 1, "b": 2}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiler_that_hangs_or_dies_is_stopped() {
    let installed = Installed::new(components::ADD);
    let script = installed.root.path().join("compiler");
    for (text, limit, code) in [
        ("sleep 600", Duration::from_secs(1), "compile-timeout"),
        ("kill -9 $$", DEADLINE, "compiler-crashed"),
    ] {
        script::write(&script, text);
        let mut options = installed.options();
        options.compiler = script.clone();
        options.compile_timeout = limit;
        let program = installed.program_with(options);
        let error = call(&program, "add", json!({})).await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_program_stops_its_compiler() {
    let installed = Installed::new(components::ADD);
    let (script, pid) = (
        installed.root.path().join("compiler"),
        installed.root.path().join("pid"),
    );
    let text = format!(
        "echo $$ > {0}.part\nmv {0}.part {0}\nexec sleep 600",
        pid.display()
    );
    script::write(&script, &text);
    let mut options = installed.options();
    options.compiler = script;
    let program = installed.program_with(options);
    program.warm();
    until("the compiler starts", || pid.exists()).await;
    let pid = fs::read_to_string(&pid).unwrap();
    drop(program);
    let process = Path::new("/proc").join(pid.trim());
    until("the compiler ends", || !process.exists()).await;
    let downloads = installed.root.path().join("downloads");
    until("its directory goes", || {
        fs::read_dir(&downloads).unwrap().count() == 0
    })
    .await;
}
