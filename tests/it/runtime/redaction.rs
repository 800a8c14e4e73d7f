//! Secrets in the results of a guest.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, json};
use tokio_util::sync::CancellationToken;
use wassette::policy::Policy;
use wassette::runtime::{Environment, Returned, Sandbox, SandboxOptions};
use wassette::secret::{Redactor, Secret};

use crate::support::components_rt::TELLTALE;
use crate::support::program::{Installed, export};

const SECRET: &str = "hunter22-\"quoted\"";

fn sandbox(redactor: Redactor) -> Sandbox {
    let text = "version: \"1.0\"\npermissions: {environment: {allow: [{key: TOKEN}]}}";
    Sandbox::new(SandboxOptions {
        policy: &Policy::parse(text).unwrap(),
        working_directory: Path::new("/"),
        variables: Arc::new(Environment {
            variables: vec![("TOKEN".into(), SECRET.into())].into(),
            redactor,
        }),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn results_and_error_values_are_cleaned() {
    let installed = Installed::new(TELLTALE);
    let program = installed.program();
    let secret = Secret::from(SECRET);
    let call = async |function: &str, sandbox: &Sandbox| {
        let called = program
            .call(
                &export(function),
                Map::new(),
                sandbox,
                &CancellationToken::new(),
            )
            .await;
        called.outcome.unwrap()
    };
    let open = sandbox(Redactor::default());
    // Without secrets to redact, the whole result is returned.
    assert_eq!(
        call("env", &open).await,
        Returned::Ok(json!([["TOKEN", SECRET]]))
    );
    let closed = sandbox(Redactor::new([&secret]));
    assert_eq!(
        call("env", &closed).await,
        Returned::Ok(json!([["TOKEN", "[redacted]"]]))
    );
    assert_eq!(call("fail", &open).await, Returned::Err(json!(SECRET)));
    assert_eq!(
        call("fail", &closed).await,
        Returned::Err(json!("[redacted]"))
    );
}
