//! Calls: results, errors, traps, many at once, cancellation.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wassette::error::{Class, Diagnose, Report};
use wassette::policy::Policy;
use wassette::runtime::{CallError, Environment, Returned, Sandbox, SandboxOptions};
use wassette::schema::ExportPath;

use crate::support::components_rt as components;
use crate::support::program::{Installed, call, export};
use crate::support::wait::DEADLINE;

#[tokio::test(flavor = "multi_thread")]
async fn functions_of_the_world_and_of_interfaces() {
    let installed = Installed::new(components::ADD);
    let program = installed.program();
    let three = Returned::Ok(json!(3));
    let args = json!({"a": 1, "b": 2});
    assert_eq!(call(&program, "add", args.clone()).await.unwrap(), three);
    let path = ExportPath {
        interface: Some("test:calc/math@1.0.0".into()),
        function: "add".into(),
    };
    let args = args.as_object().unwrap().clone();
    let sandbox = Sandbox::deny_all();
    assert_eq!(
        program
            .call(&path, args, &sandbox, &CancellationToken::new())
            .await
            .outcome
            .unwrap(),
        three
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_is_told_apart() {
    let installed = Installed::new(components::CHECK);
    let program = installed.program();
    let answer = call(&program, "check", json!({"n": 5})).await.unwrap();
    assert_eq!(answer, Returned::Ok(json!(5)));
    let answer = call(&program, "check", json!({"n": 0})).await.unwrap();
    assert_eq!(answer, Returned::Err(json!("zero is not allowed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_names_the_functions() {
    let installed = Installed::new(components::TRAP);
    let error = call(&installed.program(), "fail", json!({}))
        .await
        .unwrap_err();
    let CallError::Trap {
        message, backtrace, ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert!(message.contains("unreachable"), "{message}");
    let names: Vec<_> = backtrace.iter().map(|name| name.raw()).collect();
    assert_eq!(names, ["inner!divide_by_zero", "inner!demo::outer"]);
    let report = Report::new(&error).to_string();
    assert!(report.contains("divide_by_zero"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let installed = Installed::new(components::ADD);
    let program = installed.program();
    let error = call(&program, "subtract", json!({})).await.unwrap_err();
    assert_eq!(error.class(), Class::NotFound);
    assert!(error.to_string().contains("`subtract`"), "{error}");
    // An interface is not a function.
    let error = call(&program, "test:calc/math@1.0.0", json!({})).await;
    assert!(matches!(error, Err(CallError::UnknownExport { .. })));

    let error = call(&program, "add", json!({"a": 1, "b": "two"}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "invalid-arguments");
    assert!(error.to_string().contains("args.b"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_import_is_named() {
    let installed = Installed::new(components::UNKNOWN_IMPORT);
    let error = call(&installed.program(), "f", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "unknown-import");
    let report = Report::new(&error).to_string();
    assert!(report.contains("`acme:secret/door@1.0.0`"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exit_is_reported() {
    let installed = Installed::new(components::EXIT);
    let error = call(&installed.program(), "exit", json!({}))
        .await
        .unwrap_err();
    assert!(
        matches!(error, CallError::Exit { status: 1, .. }),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_granted_environment_is_the_config_store() {
    let installed = Installed::new(components::CONFIG);
    let program = installed.program();
    let ask = async |sandbox: &Sandbox| {
        let args = json!({"key": "CITY"});
        let args = args.as_object().unwrap().clone();
        program
            .call(&export("get"), args, sandbox, &CancellationToken::new())
            .await
            .outcome
            .unwrap()
    };
    assert_eq!(ask(&Sandbox::deny_all()).await, Returned::Ok(Value::Null));
    let text = "version: \"1.0\"\npermissions: {environment: {allow: [{key: CITY}]}}";
    let granted = Sandbox::new(SandboxOptions {
        policy: &Policy::parse(text).unwrap(),
        working_directory: Path::new("/"),
        variables: Arc::new(Environment {
            variables: vec![
                ("CITY".into(), "Oslo".into()),
                ("PATH".into(), "/bin".into()),
            ]
            .into(),
            ..Environment::default()
        }),
    });
    assert_eq!(ask(&granted).await, Returned::Ok(json!("Oslo")));
}

#[tokio::test(flavor = "multi_thread")]
async fn loops_do_not_stop_other_calls() {
    let installed = Installed::new(components::SPIN);
    let program = installed.timed(DEADLINE * 10);
    call(&program, "add", json!({"a": 0, "b": 0}))
        .await
        .unwrap();
    // More than there are processors.
    let loops: Vec<_> = (0..4)
        .map(|_| {
            let program = Arc::clone(&program);
            tokio::spawn(async move { call(&program, "spin", json!({})).await })
        })
        .collect();
    let calls = (0..40).map(|n| {
        let program = Arc::clone(&program);
        tokio::spawn(async move { call(&program, "add", json!({"a": n, "b": 1})).await })
    });
    for (n, call) in calls.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap(), Returned::Ok(json!(n + 1)));
    }
    for task in &loops {
        assert!(!task.is_finished());
        task.abort();
    }
}

/// Guests run on the threads of the runtime that calls them. This test gives its threads a name of
/// their own, to measure their processor time.
#[cfg(target_os = "linux")]
#[test]
fn dropping_a_call_ends_the_guest() {
    use crate::support::processor;

    const THREADS: &str = "dropped-calls";
    let used = || processor::of_threads(THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(THREADS)
        .enable_all()
        .build()
        .unwrap();
    let installed = Installed::new(components::SPIN);
    let program = installed.timed(DEADLINE * 10);
    runtime.block_on(async {
        for _ in 0..3 {
            let (program, before) = (Arc::clone(&program), used());
            let spin = tokio::spawn(async move { call(&program, "spin", json!({})).await });
            processor::until_running(before, used).await;
            spin.abort();
            assert!(spin.await.unwrap_err().is_cancelled());
        }
    });
    processor::until_idle(used);
}
