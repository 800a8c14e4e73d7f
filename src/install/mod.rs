//! Installs a component from a reference: the single pipeline behind `load`, `update`, `inspect`
//! and all other commands that fetch a component.
//!
//! ```text
//! lock -> stage (fetch, verify, describe, lay out) -> commit (all or none) -> settle grants
//! ```
//!
//! Nothing here depends on MCP, the command line or the offered names of tools: [`crate::service`]
//! offers the tools of committed components.

mod apply;
mod candidate;
mod changes;
mod consent;
mod content;
mod danger;
mod described;
mod disk;
mod error;
mod examine;
mod lock;
mod order;
mod outcome;
mod outdated;
mod package;
mod plan;
mod proposal;
mod report;
mod request;
mod settle;
mod signature;
mod stage;

use std::sync::Arc;

use crate::config::{BundledPolicy, Digests};
use crate::fetch::Fetcher;
use crate::net::Network;
use crate::policy::Limits;
use crate::runtime::Runtime;
use crate::verify::TrustRules;

pub use apply::{Applied, ManyProgress};
pub use candidate::{Candidate, Committed, Part};
pub use changes::{Change, Changes, ToolChange};
pub use consent::{Answer, Consent, NobodyToAsk, Question};
pub use content::{content_digest, content_of};
pub use described::{Described, described};
pub use disk::Disk;
pub use error::Error;
pub use examine::{Examined, describe};
pub use lock::{ComponentLock, ComponentLocks};
pub use order::{Check, Failures, Order, Surplus, Unreachable, Wanted};
pub use outcome::{LoadOutcome, LoadReceipt, LoadStatus, Loaded};
pub use outdated::{Asked, Freshness, Outdated, SourceAnswer};
pub use plan::{Action, GrantChanges, NotPlanned, Plan, Planned};
pub use proposal::Proposal;
pub use report::{FoundSignature, SignatureReport, VerifyRequest};
pub use request::{Compile, LoadRequest, PolicyChoice, SignerChange, SignerRequest};
pub use settle::{Request, Settled, Settlement, is_the_one};
pub(crate) use signature::{Enforcement, Found, TrustQuestion};
pub use stage::{Staged, Unchanged};

/// The operator's settings for all installed components.
pub struct Rules {
    pub network: Network,
    /// Whether components from web servers need a digest.
    pub digests: Digests,
    pub bundled: BundledPolicy,
    /// The limits that apply if a policy sets none.
    pub limits: Limits,
    /// Which components must be signed, and by whom.
    pub trust: Arc<TrustRules>,
}

/// Installs components into one root.
pub struct Installer {
    pub(crate) disk: Disk,
    pub(crate) fetcher: Fetcher,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) locks: ComponentLocks,
    pub(crate) rules: Rules,
}
