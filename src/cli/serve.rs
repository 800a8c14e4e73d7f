use std::io::IsTerminal;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio_util::sync::CancellationToken;

use crate::error::{Class, Diagnose};
use crate::http::{Auth, HttpLimits, HttpOptions, HttpServer, Tokens};
use crate::mcp::{self, AuditLog, Builtins, CallTool, Changes, Grants, Offer, Settings};
use crate::service::{Audience, Service, Watch};
use crate::share::{self, Scope};
use crate::store::Store;

use super::allocator::return_freed_memory;
use super::authorities::AuthorityArgs;
use super::fleet::NeedsFile;
use super::fleet::provision::{follow, provision};
use super::hangup::Hangups;
use super::{Failure, Global, Opening, Root, SetupError, interrupted, parse_timeout, usage};

/// Stack of a worker thread in bytes, as large as that of the main thread usually is. The
/// futures of a load exceed tokio's 2 MiB in builds without optimization.
const WORKER_STACK: usize = 8 << 20;
/// Where the HTTP transports listen by default.
const BIND: &str = "127.0.0.1:8089";

/// Serve the installed components over the Model Context Protocol
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette serve
  wassette serve --transport sse              # also /mcp, on http://127.0.0.1:8089
  wassette serve --transport streamable-http --bind 127.0.0.1:9000
  wassette serve --transport sse --manifest fleet.yaml
  wassette serve --transport sse --share      # other nodes list this one as a mirror
  wassette serve --transport sse --bind 0.0.0.0:8089 --auth-token-file token \\
    --allowed-host mcp.example.com --read-only --audit-log audit.jsonl")]
pub struct Serve {
    /// How clients connect; the two HTTP transports are one server
    #[arg(long, value_enum, default_value_t = Transport::Stdio)]
    transport: Transport,

    /// Address of the HTTP transports; other than loopback only with a token or --no-auth
    /// [default: 127.0.0.1:8089]
    #[arg(long, value_name = "HOST:PORT")]
    bind: Option<String>,

    /// Serve only HTTP clients that show a token in this file, one a line
    #[arg(long, value_name = "FILE", conflicts_with = "no_auth")]
    auth_token_file: Option<PathBuf>,

    /// Serve everyone who can reach the address, even from other machines
    #[arg(long)]
    no_auth: bool,

    /// Host name besides the loopback ones that clients may use (repeatable)
    #[arg(long, value_name = "HOST")]
    allowed_host: Vec<String>,

    /// Origin of web pages that may use the server (repeatable)
    #[arg(long, value_name = "ORIGIN")]
    allowed_origin: Vec<String>,

    /// Sessions that each HTTP transport may have open
    /// [default: 1024]
    #[arg(long, value_name = "N")]
    max_sessions: Option<usize>,

    /// HTTP requests worked on at once; more are answered with 503
    /// [default: 1024]
    #[arg(long, value_name = "N")]
    max_requests: Option<usize>,

    /// Bytes that one message of a client may have [default: 4194304]
    #[arg(long, value_name = "BYTES")]
    max_body: Option<NonZeroUsize>,

    /// Offer the tools of components, but none of the server's own
    #[arg(long)]
    disable_builtin_tools: bool,

    /// Let agents look and call, but not load, unload or grant
    #[arg(long)]
    read_only: bool,

    /// Let no agent grant permissions
    #[arg(long)]
    no_grants: bool,

    /// Let other nodes pull what is installed and public: a read-only OCI registry under /v2/
    #[arg(long)]
    share: bool,

    /// Share also what was pulled with credentials
    #[arg(long, requires = "share")]
    share_private: bool,

    /// Apply this manifest, like `wassette apply`, before the server is ready
    #[arg(long, value_name = "FILE|URL")]
    manifest: Option<String>,

    /// Apply the manifest again when one of its files, or its lock, changes
    #[arg(long, requires = "manifest")]
    watch: bool,

    /// Append a line of JSON for every call to this file
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,

    /// How long one tool call may take, as in `30s` or `5m` [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_timeout)]
    call_timeout: Option<Duration>,

    #[command(flatten)]
    authorities: AuthorityArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Transport {
    Stdio,
    Sse,
    StreamableHttp,
}

impl Serve {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        // Wrong options are reported before anything is done.
        self.check_transport()?;
        if self.watch
            && self
                .manifest
                .as_ref()
                .is_some_and(|one| one.contains("://"))
        {
            return Err(NeedsFile { option: "--watch" }.into());
        }
        let mut settings = self.settings()?;
        let mut http = self.http()?;
        self.scope()?;
        let own = [&self.audit_log, &self.auth_token_file].into_iter();
        let service = global.open(Opening {
            root: Root::MayBeNew,
            call_timeout: self.call_timeout,
            ca: self.authorities.ca.clone(),
            withheld: own.flatten().cloned().collect(),
            audience: self.audience(),
            ..Opening::default()
        })?;
        for remark in service.trust_remarks() {
            tracing::warn!("{remark}");
        }
        let max_body = self.max_body.or(service.server().max_body);
        http.memory = Some(service.memory().clone());
        http.limits.body_bytes = max_body.map_or(http.limits.body_bytes, NonZeroUsize::get);
        if let Some(bytes) = service.server().answer_memory {
            http.limits.answer_memory = bytes.get();
        }
        if !service.agents().call_tool {
            settings.offer.call_tool = CallTool::Off;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_stack_size(WORKER_STACK)
            .build()
            .map_err(SetupError::Runtime)?;
        let result = runtime.block_on(self.serve(service, settings, http));
        // A guest that blocks a thread must not delay the exit.
        runtime.shutdown_background();
        result
    }

    async fn serve(
        &self,
        service: Arc<Service>,
        settings: Settings,
        http: HttpOptions,
    ) -> Result<(), Failure> {
        let shutdown = CancellationToken::new();
        let signal = shutdown.clone();
        tokio::spawn(async move {
            interrupted().await;
            signal.cancel();
        });
        let hangups = Hangups::outlive();
        let tokens = http.auth.tokens().cloned();
        let scope = self.scope()?;
        let limits = http.limits.clone();
        let server = match self.transport {
            Transport::Stdio => None,
            // An address in use is reported before anything else is done.
            Transport::Sse | Transport::StreamableHttp => {
                Some(HttpServer::bind(self.bind.as_deref().unwrap_or(BIND), http).await?)
            }
        };
        if let Some(manifest) = &self.manifest {
            let provisioning = shutdown.run_until_cancelled(provision(&service, manifest));
            let provisioned = match &server {
                None => provisioning.await,
                Some(server) => {
                    eprintln!("starting on http://{}", server.address());
                    server.until_ready(provisioning).await
                }
            };
            // Nothing is half-done where it was interrupted.
            let Some(provisioned) = provisioned else {
                return Ok(());
            };
            let provisioned = provisioned?;
            if self.watch {
                tokio::spawn(follow(service.clone(), manifest.clone(), provisioned));
            }
        }
        let watch = Watch::begin(service.clone())?;
        service.offer_installed()?;
        tokio::spawn(hangups.reload(tokens, watch.asked()));
        tokio::spawn(watch.run());
        tokio::spawn(Service::let_idle_rest(Arc::downgrade(&service)));
        tokio::spawn(return_freed_memory(service.memory().clone()));
        let sweeper = service.clone();
        tokio::task::spawn_blocking(move || sweeper.sweep());
        match server {
            None => {
                if std::io::stdin().is_terminal() {
                    eprintln!(
                        "speaking MCP over standard input and output, as clients start it; \
                         for an HTTP server add `--transport sse`, for the end press Ctrl-D"
                    );
                }
                mcp::serve_stdio(service, settings, limits, shutdown).await?;
            }
            Some(mut server) => {
                if let Some(scope) = scope {
                    share::mount(&mut server, Store::new(service.root()), scope);
                }
                eprintln!("listening on http://{}", server.address());
                mcp::serve_http(service, settings, server, shutdown).await;
            }
        }
        Ok(())
    }

    /// From where agents can reach the server: any address that does not parse as a
    /// loopback address counts as reachable from other machines.
    fn audience(&self) -> Audience {
        let bind = self.bind.as_deref().unwrap_or(BIND);
        let host = bind.rsplit_once(':').map_or("", |(host, _)| host);
        let address = host.trim_start_matches('[').trim_end_matches(']').parse();
        let is_loopback = address.is_ok_and(|address: IpAddr| address.is_loopback());
        match self.transport {
            Transport::Stdio => Audience::ThisMachine,
            _ if is_loopback || host == "localhost" => Audience::ThisMachine,
            _ => Audience::Others,
        }
    }

    /// Refuses options of the HTTP transports with a transport that would ignore
    /// them.
    fn check_transport(&self) -> Result<(), Failure> {
        let given = [
            ("--bind", self.bind.is_some()),
            ("--auth-token-file", self.auth_token_file.is_some()),
            ("--no-auth", self.no_auth),
            ("--allowed-host", !self.allowed_host.is_empty()),
            ("--allowed-origin", !self.allowed_origin.is_empty()),
            ("--max-sessions", self.max_sessions.is_some()),
            ("--max-requests", self.max_requests.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((option, _)) if self.transport == Transport::Stdio => {
                let message = format!(
                    "`{option}` is for the HTTP transports: add `--transport sse` or \
                     `--transport streamable-http`"
                );
                Err(usage::conflict("serve", message))
            }
            _ => Ok(()),
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let offer = Offer {
            builtins: if self.disable_builtin_tools {
                Builtins::Off
            } else {
                Builtins::Offered
            },
            changes: if self.read_only {
                Changes::ReadOnly
            } else {
                Changes::Allowed
            },
            grants: if self.no_grants {
                Grants::Off
            } else {
                Grants::Allowed
            },
            call_tool: CallTool::Offered,
        };
        let audit = self.audit_log.as_deref().map(AuditLog::open).transpose()?;
        Ok(Settings { offer, audit })
    }

    fn http(&self) -> Result<HttpOptions, Failure> {
        let auth = match &self.auth_token_file {
            Some(file) => Auth::Tokens(Tokens::read(file)?),
            None if self.no_auth => Auth::Disabled,
            None => Auth::Loopback,
        };
        let limits = HttpLimits::default();
        Ok(HttpOptions {
            auth,
            allowed_hosts: self.allowed_host.clone(),
            allowed_origins: self.allowed_origin.clone(),
            limits: HttpLimits {
                sessions: self.max_sessions.unwrap_or(limits.sessions),
                requests: self.max_requests.unwrap_or(limits.requests),
                ..limits
            },
            memory: None,
        })
    }

    /// Which components are shared with other nodes.
    fn scope(&self) -> Result<Option<Scope>, Failure> {
        match (self.share, self.share_private) {
            (true, _) if self.transport == Transport::Stdio => Err(ShareTransport.into()),
            (true, false) => Ok(Some(Scope::Public)),
            (true, true) => Ok(Some(Scope::Private)),
            (false, _) => Ok(None),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("Only the HTTP transports can share the installed components")]
struct ShareTransport;

impl Diagnose for ShareTransport {
    fn code(&self) -> &'static str {
        "share-needs-http"
    }

    fn class(&self) -> Class {
        Class::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("add `--transport sse` or `--transport streamable-http`".into())
    }
}
