//! The main workflow: starts the server, connects to it as an MCP client, loads a component, lists
//! the tools, and calls one.
//!
//! ```text
//! cargo run --example quickstart
//! ```
//!
//! The example is its own server: with arguments, it is the `wassette` command line.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, JsonObject};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};
use tokio::process::Command;

const COMPONENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/text-c/text.wasm");

const TOOL: &str = "examples_text_analysis_count";

type Client = RunningService<RoleClient, ()>;

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        return wassette::cli::main();
    }
    let runtime = tokio::runtime::Runtime::new();
    match runtime.map_err(Into::into).and_then(|r| r.block_on(tour())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn tour() -> Result<(), Box<dyn Error>> {
    let root = tempfile::tempdir()?;
    println!("1. Start `wassette serve` and connect to it over stdio");
    let client = connect(root.path()).await?;
    let server = client
        .peer_info()
        .ok_or("the server did not introduce itself")?;
    println!(
        "   connected, {}",
        serde_json::to_string(&server.server_info)?
    );

    println!("2. Load {COMPONENT}");
    let started = Instant::now();
    let loaded = call(&client, "load-component", json!({ "uri": COMPONENT })).await?;
    println!("   {loaded}");
    println!("   tools offered after {:?}", started.elapsed());

    println!("3. List the tools");
    for tool in client.list_all_tools().await? {
        println!("   {}: {}", tool.name, tool.description.unwrap_or_default());
    }

    println!("4. Call one");
    let answer = call(&client, TOOL, json!({ "text": "Any component, as tools." })).await?;
    println!("   {TOOL} answers {answer}");
    client.cancel().await?;
    Ok(())
}

async fn connect(root: &Path) -> Result<Client, Box<dyn Error>> {
    let mut server = Command::new(std::env::current_exe()?);
    server.arg("--root").arg(root).arg("serve");
    Ok(().serve(TokioChildProcess::new(server)?).await?)
}

async fn call(client: &Client, tool: &str, arguments: Value) -> Result<Value, Box<dyn Error>> {
    let arguments: JsonObject = serde_json::from_value(arguments)?;
    let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
    let result = client.call_tool(request).await?;
    if result.is_error == Some(true) {
        return Err(format!("{tool} failed: {}", serde_json::to_string(&result.content)?).into());
    }
    Ok(result.structured_content.unwrap_or_default())
}
