//! The operations that the command line and the MCP server offer. Only this module
//! knows the order of the pipeline:
//!
//! ```text
//! reference -> fetch -> verify -> schema -> store -> toolbox
//!                                    \-> runtime (compile, call)
//! ```
//!
//! The command line and the MCP server call these operations and do not depend on
//! each other.

mod agents;
mod apply;
mod cache;
mod call;
mod catalogs;
pub mod denied;
mod doctor;
mod error;
mod grants;
mod idle;
mod inspect;
mod known;
mod last_call;
mod list;
mod load;
mod login;
mod missing_code;
mod options;
mod reach;
mod secrets;
mod sign;
mod trust;
mod update;
mod validate;
mod verify;
mod watch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::fetch::{FetchOptions, Fetcher};
use crate::install::{ComponentLocks, Disk, Installer, Rules};
use crate::net::{self, Network};
use crate::reference::ComponentId;
use crate::registry::{self, CredentialOptions, LoginFile, PackageOptions};
use crate::runtime::{CodeSource, Program, Runtime, RuntimeOptions};
use crate::schema::Reach;
use crate::store::{Damage, Entry, Installed, Layout, Metadata, Store, StoreError};
use crate::toolbox::Toolbox;
use crate::verify::{TrustError, TrustRules};

use grants::Sandboxes;
use last_call::LastCalls;

pub use agents::Audience;
pub use cache::{
    CacheListing, CachedComponent, Clear, Cleared, Fault, FaultKind, Keep, Repair, Verdict,
    VerifyReport,
};
pub use call::CallReport;
pub use catalogs::{AddedCatalog, CatalogState, catalog_of};
pub use doctor::{Diagnosis, Finding, State};
pub use error::Error;
pub use grants::{PolicyReport, ReportedGrant};
pub use inspect::{Inspection, Target};
pub use known::KnownComponent;
pub use list::{ComponentSummary, Health};
pub use login::{LoggedIn, LoggedOut, LoginStore, LogoutStatus};
pub use secrets::{ListedSecret, SecretList, SecretNames, Values};
pub use trust::{CoveringRule, Explanation, RuleReport, TrustReport};
pub use update::{NotUpdated, Review, RolledBack, UpdateStatus, Updated, Updates};
pub use validate::EntryError;
pub use watch::Watch;

pub use crate::config::{AgentsConfig, ServerConfig};
pub use crate::install::{
    Answer, Change, Changes, Compile, Consent, Described, Freshness, LoadOutcome, LoadReceipt,
    LoadRequest, LoadStatus, NobodyToAsk, Outdated, PolicyChoice, Question, SignatureReport,
    SignerChange, SignerRequest, ToolChange, VerifyRequest,
};
pub use crate::publish::{Formats, Signed};
pub use crate::schema::Uncallable;
pub use crate::store::{FreedNames, Origin};

/// The settings of a [`Service`].
pub struct ServiceOptions {
    /// The directory that holds everything on disk.
    pub root: PathBuf,
    /// The directory whose configuration and logins are used, if it is not the root.
    pub settings: Option<PathBuf>,
    /// The `wassette` binary, which is run to compile components.
    pub compiler: PathBuf,
    /// Tool names that no component may take.
    pub reserved: Vec<String>,
    /// The longest a call may take; by default what the configuration says.
    pub call_timeout: Option<Duration>,
    /// Whether components may be fetched from other hosts.
    pub network: Network,
    /// Where to look for credentials besides the root's own logins.
    pub credentials: CredentialOptions,
    /// Where packages are found by their names.
    pub packages: PackageOptions,
    /// PEM files of certificate authorities to trust in addition to those of the
    /// system and of the configuration.
    pub ca_files: Vec<PathBuf>,
    /// Files of the server, in addition to its root, that no component gets.
    pub withheld: Vec<PathBuf>,
    /// From where agents can reach the server.
    pub audience: Audience,
}

/// One root with its components and their tools.
pub struct Service {
    disk: Disk,
    installer: Installer,
    sandboxes: Sandboxes,
    runtime: Arc<Runtime>,
    toolbox: Toolbox,
    programs: Mutex<HashMap<ComponentId, Arc<Program>>>,
    /// How long the code of a component stays in memory after a call.
    idle: Duration,
    last_calls: LastCalls,
    missing_code_made: AtomicBool,
    /// Loads whose question was not answered yet.
    asked: Mutex<HashMap<ComponentId, load::Asked>>,
    /// What agents may do.
    agents: AgentsConfig,
    server: ServerConfig,
    audience: Audience,
}

/// What an unload removed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Unloaded {
    pub component_id: ComponentId,
    pub tool_names: Vec<String>,
}

impl Service {
    /// Reads the configuration; touches neither the network nor components.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the configuration is not valid.
    pub fn open(setup: ServiceOptions) -> Result<Arc<Self>, Error> {
        let settings = Layout::new(setup.settings.unwrap_or_else(|| setup.root.clone()));
        let store = Store::new(setup.root).with_builtin_tools(setup.reserved.clone());
        let file = settings.config();
        let config = options::read_config(&file)?;
        let store = store
            .with_name_length(config.tools.name_length)
            .with_tool_rules(config.tools.rules);
        let directory = file.parent().unwrap_or(&file);
        let credentials = CredentialOptions {
            login_file: Some(LoginFile::of_root(settings.root())),
            helper_timeout: config
                .registry
                .helper_timeout
                .unwrap_or(setup.credentials.helper_timeout),
            ..setup.credentials
        };
        let mirrors = options::mirrors(&config.registry, directory);
        let mut fetch = FetchOptions {
            net: net::Options {
                network: setup.network,
                plain_http: config.registry.plain_http,
                ..net::Options::default()
            },
            registry: registry::Options {
                mirrors,
                credentials,
                packages: setup.packages,
            },
            parts: Some(store.layout().parts()),
            ..FetchOptions::default()
        };
        options::apply(&config.network, &mut fetch.net, settings.root());
        fetch.net.ca_files.extend(setup.ca_files);
        if let Some(bytes) = config.limits.component_size {
            fetch.max_component_bytes = bytes;
        }
        let mut runtime = RuntimeOptions::new(setup.compiler, store.layout().clone());
        runtime.network.ca_files.clone_from(&fetch.net.ca_files);
        if let Some(limit) = setup.call_timeout.or(config.limits.call_timeout) {
            runtime.call_timeout = limit;
        }
        if let Some(bytes) = config.limits.memory {
            runtime.memory_limit = bytes;
        }
        if let Some(jobs) = config.limits.compile_jobs {
            runtime.compile_jobs = jobs.get();
        }
        runtime.withheld = setup.withheld;
        runtime.total_memory = config.limits.total_memory;
        let rules = Rules {
            network: setup.network,
            digests: config.network.require_digest,
            bundled: config.policy.bundled,
            limits: runtime.limits(),
            trust: Arc::new(TrustRules::new(config.trust.0, directory)),
        };
        let (disk, runtime) = (Disk::new(store), Runtime::new(runtime));
        Ok(Arc::new(Service {
            installer: Installer {
                disk: disk.clone(),
                fetcher: Fetcher::new(fetch),
                runtime: runtime.clone(),
                locks: ComponentLocks::default(),
                rules,
            },
            disk,
            sandboxes: Sandboxes::default(),
            runtime,
            toolbox: Toolbox::new(setup.reserved),
            programs: Mutex::default(),
            idle: config.limits.idle.unwrap_or(idle::IDLE),
            last_calls: LastCalls::default(),
            missing_code_made: AtomicBool::new(false),
            asked: Mutex::default(),
            agents: config.agents,
            server: config.server,
            audience: setup.audience,
        }))
    }

    /// Offers the tools of all installed components, from metadata alone.
    ///
    /// A damaged component is skipped with a warning, so that the others are still
    /// served. One whose bytes changed is moved to the quarantine.
    pub fn offer_installed(&self) -> Result<(), Error> {
        let store = self.disk.blocking();
        let mut sound = Vec::new();
        for entry in store.list()? {
            match entry {
                Entry::Sound(installed) => match self.denial(&installed.metadata) {
                    None => sound.push(installed.metadata),
                    Some(reason) => {
                        let id = &installed.metadata.component_id;
                        tracing::warn!("component `{id}` is not served: {reason}");
                    }
                },
                Entry::Damaged { id, damage, reason } => self.set_aside(&id, damage, &reason),
            }
        }
        let names = store.names_of_all(&sound.iter().collect::<Vec<_>>());
        for metadata in sound {
            let id = &metadata.component_id;
            let imports = Reach::of_imports(&metadata.component_info.imports);
            self.toolbox.set_reach(id, reach::reach(store, id, imports));
            self.list_tools(id, names.offered(&metadata));
        }
        Ok(())
    }

    /// The reason why a rule forbids serving an installed component, if one does.
    fn denial(&self, metadata: &Metadata) -> Option<TrustError> {
        let digests = &metadata.digests;
        let digests = digests.manifest.into_iter().chain([digests.component]);
        self.installer.rules.trust.admit(digests, None).err()
    }

    /// Logs why a component is not served, and prevents further attempts.
    fn set_aside(&self, id: &ComponentId, damage: Damage, reason: &str) {
        tracing::warn!("component `{id}` is not served: {reason}");
        if damage == Damage::Content {
            match self.disk.blocking().quarantine(id) {
                Ok(Some(place)) => tracing::warn!("it was moved to `{}`", place.display()),
                Ok(None) => tracing::info!("component `{id}` was replaced meanwhile"),
                Err(error) => tracing::warn!("it stays where it is: {error}"),
            }
        }
    }

    /// Removes what killed processes left, and logs it.
    pub fn sweep(&self) {
        match self.disk.blocking().sweep() {
            Ok(swept) => {
                for path in swept {
                    let path = path.display();
                    tracing::warn!("removed `{path}`, which a process that was cut off left");
                }
            }
            Err(error) => tracing::warn!("unfinished downloads remain: {error}"),
        }
        for path in self.disk.blocking().sweep_compiled() {
            tracing::info!("removed `{}`, which nothing uses", path.display());
        }
    }

    /// The configuration's settings for serving.
    pub fn server(&self) -> &ServerConfig {
        &self.server
    }

    /// The directory that holds everything on disk.
    pub fn root(&self) -> &Path {
        self.disk.layout().root()
    }

    pub fn toolbox(&self) -> &Toolbox {
        &self.toolbox
    }

    /// Removes a component with its tools and grants; running calls are not
    /// interrupted.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotInstalled`] when it is not installed.
    pub async fn unload(
        self: &Arc<Self>,
        id: &ComponentId,
        names: FreedNames,
    ) -> Result<Unloaded, Error> {
        let _lock = self.installer.lock(id).await?;
        let removed = id.clone();
        let removal = self.disk.run(move |store| store.remove(&removed, names));
        removal.await??;
        Ok(Unloaded {
            component_id: id.clone(),
            tool_names: self.withdraw(id),
        })
    }

    /// Stops offering a component's tools, and returns their names.
    fn withdraw(&self, id: &ComponentId) -> Vec<String> {
        self.lock_programs().remove(id);
        self.sandboxes.forget(id);
        self.toolbox.remove(id)
    }

    async fn installed(&self, id: &ComponentId) -> Result<Installed, Error> {
        let wanted = id.clone();
        let installed = self.disk.run(move |store| store.get(&wanted)).await??;
        Ok(installed.ok_or_else(|| StoreError::NotInstalled { id: id.clone() })?)
    }

    /// The code of an installed component; it is compiled or mapped at its first
    /// call.
    async fn program(&self, id: &ComponentId) -> Result<Arc<Program>, Error> {
        if let Some(program) = self.lock_programs().get(id) {
            return Ok(program.clone());
        }
        let installed = self.installed(id).await?;
        Ok(self.program_of(&installed))
    }

    fn program_of(&self, installed: &Installed) -> Arc<Program> {
        let program = self.runtime.program(code_source(installed));
        let id = installed.metadata.component_id.clone();
        self.lock_programs().entry(id).or_insert(program).clone()
    }

    fn lock_programs(&self) -> std::sync::MutexGuard<'_, HashMap<ComponentId, Arc<Program>>> {
        // No statement leaves the map half-changed.
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn code_source(installed: &Installed) -> CodeSource {
    CodeSource {
        wasm: installed.files.wasm.clone(),
        digest: installed.metadata.digests.component,
        cwasm: installed.files.cwasm.clone(),
    }
}
