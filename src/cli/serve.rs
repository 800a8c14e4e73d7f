use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::mcp::{self, HttpOptions};
use crate::service::Watch;

use super::{Failure, Global, SetupError, interrupted};

/// Serve the installed components over the Model Context Protocol
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette serve
  wassette serve --transport sse              # also /mcp, on http://127.0.0.1:8089
  wassette serve --transport streamable-http --bind 127.0.0.1:9000")]
pub struct Serve {
    /// How clients connect; the two HTTP transports are one server
    #[arg(long, value_enum, default_value_t = Transport::Stdio)]
    transport: Transport,

    /// Address of the HTTP transports
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8089")]
    bind: String,

    /// Host name besides the loopback ones that clients may use (repeatable)
    #[arg(long, value_name = "HOST")]
    allowed_host: Vec<String>,

    /// Seconds one tool call may take [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    call_timeout: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Transport {
    Stdio,
    Sse,
    StreamableHttp,
}

impl Serve {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(self.call_timeout.map(Duration::from_secs))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(SetupError::Runtime)?;
        let result = runtime.block_on(async {
            let shutdown = CancellationToken::new();
            let signal = shutdown.clone();
            tokio::spawn(async move {
                interrupted().await;
                signal.cancel();
            });
            let http = match self.transport {
                Transport::Stdio => None,
                // An address in use is reported before anything else is done.
                Transport::Sse | Transport::StreamableHttp => Some(mcp::bind(&self.bind).await?),
            };
            let watch = Watch::begin(service.clone())?;
            service.offer_installed()?;
            tokio::spawn(watch.run());
            let sweeper = service.clone();
            tokio::task::spawn_blocking(move || sweeper.sweep());
            match http {
                None => mcp::serve_stdio(service, shutdown).await?,
                Some(listener) => {
                    if let Ok(address) = listener.local_addr() {
                        eprintln!("listening on http://{address}");
                    }
                    let options = HttpOptions {
                        allowed_hosts: self.allowed_host,
                        ..HttpOptions::default()
                    };
                    mcp::serve_http(service, listener, options, shutdown).await?;
                }
            }
            Ok(())
        });
        // A guest that blocks a thread must not hold up the exit.
        runtime.shutdown_background();
        result
    }
}
