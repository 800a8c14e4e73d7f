//! What an installed component asks for, and what a load grants of it.

use std::sync::Arc;

use crate::policy::{Permission, Policy};
use crate::reference::ComponentId;
use crate::store::{Granted, Grantor, Metadata, Origin, RequestSource, Standing, StoreError};

use super::consent::{Answer, Consent, Question};
use super::is_the_one;
use super::report::{Described, describe, described};
use crate::service::load::LoadStatus;
use crate::service::{BundledPolicy, Error, Service};

/// What becomes of what a component asks to be allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PolicyChoice {
    /// As the configuration says: the user is asked, unless it says otherwise.
    #[default]
    Bundled,
    /// Nothing, whatever the configuration says: grants stay as they are.
    Leave,
    /// It is granted.
    GrantRequested,
    /// This is granted, whatever it asks for, in place of all other grants.
    Given(Box<Policy>),
}

/// The request in a component's metadata.
#[derive(Clone)]
pub(in crate::service) struct Request {
    pub policy: Policy,
    pub remarks: Vec<String>,
}

impl Request {
    pub fn of(metadata: &Metadata) -> Self {
        let policy = match &metadata.requested_permissions {
            None => Policy::default(),
            Some(permissions) => {
                let document = serde_json::json!({
                    "version": "1.0",
                    "permissions": permissions,
                });
                // JSON is YAML. What was installed before requests were read
                // strictly may not be one: then nothing is asked for.
                Policy::parse(&document.to_string()).unwrap_or_else(|error| {
                    let id = &metadata.component_id;
                    tracing::warn!("the request of `{id}` is passed over: {error}");
                    Policy::default()
                })
            }
        };
        let remarks = policy.unexpected(&metadata.component_info.imports);
        Request { policy, remarks }
    }

    /// `granted` and these permissions. What the request excludes of itself is
    /// excluded too.
    fn added_to(&self, granted: &Policy, permissions: Vec<Permission>) -> Policy {
        let mut policy = granted.clone();
        for permission in permissions {
            if !granted.covers(&permission) {
                policy.grant(permission);
            }
        }
        add_missing(&mut policy.network.deny, &self.policy.network.deny);
        add_missing(&mut policy.storage.deny, &self.policy.storage.deny);
        policy
    }
}

fn add_missing<T: Clone + PartialEq>(list: &mut Vec<T>, wanted: &[T]) {
    for item in wanted {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

/// What a load granted.
#[derive(Default)]
pub(in crate::service) struct Settled {
    pub granted: Vec<Described>,
    pub not_granted: Vec<Described>,
    pub remarks: Vec<String>,
}

/// A component that was loaded, and under which conditions.
pub(in crate::service) struct Settlement<'a> {
    pub metadata: &'a Metadata,
    pub status: LoadStatus,
    pub choice: PolicyChoice,
    /// By what means what is granted was granted.
    pub origin: Origin,
    pub consent: &'a dyn Consent,
}

impl Service {
    /// Grants what the user wants a loaded component to be granted. What it
    /// asked for beyond that is told.
    pub(in crate::service) async fn settle(
        self: &Arc<Self>,
        settlement: Settlement<'_>,
    ) -> Result<Settled, Error> {
        let metadata = settlement.metadata;
        let request = Request::of(metadata);
        let granted = match self.decide(&settlement, &request).await? {
            Decided::Leave => self.granted_now(&metadata.component_id),
            Decided::Add(origin, permissions) => {
                let grantor = grantor(origin, metadata);
                let asked = request.clone();
                self.settle_grants(metadata, move |standing| {
                    let granted = standing.granted?;
                    let policy = asked.added_to(&granted.policy, permissions);
                    Ok(granted.changed(policy, &grantor))
                })
                .await?
            }
            Decided::Replace(policy) => {
                let grantor = Grantor::from(settlement.origin);
                self.settle_grants(metadata, move |standing| {
                    let granted = standing.granted.unwrap_or_default();
                    Ok(granted.changed(*policy, &grantor))
                })
                .await?
            }
        };
        Ok(Settled {
            granted: describe(&granted.policy),
            not_granted: described(self.beyond(&request.policy, &granted.policy)),
            remarks: request.remarks,
        })
    }

    async fn decide(
        &self,
        settlement: &Settlement<'_>,
        request: &Request,
    ) -> Result<Decided, Error> {
        let metadata = settlement.metadata;
        match &settlement.choice {
            PolicyChoice::Given(policy) => return Ok(Decided::Replace(policy.clone())),
            PolicyChoice::GrantRequested => {
                let all = request.policy.permissions();
                return Ok(Decided::Add(settlement.origin, all));
            }
            PolicyChoice::Leave => return Ok(Decided::Leave),
            PolicyChoice::Bundled => {}
        }
        let beyond = self.open_requests(&metadata.component_id, request);
        if beyond.is_empty() {
            return Ok(Decided::Leave);
        }
        match self.bundled {
            BundledPolicy::Ignore => Ok(Decided::Leave),
            // The operator accepted what a component asks for when it comes,
            // not what its later versions add to that, nor more of the machine
            // than the same configuration allows.
            BundledPolicy::Apply => Ok(match settlement.status {
                LoadStatus::New => {
                    let mut applied = request.policy.permissions();
                    let is_limit = |asked: &Permission| matches!(asked, Permission::Limit(_));
                    applied.retain(|asked| !is_limit(asked) || !beyond.contains(asked));
                    Decided::Add(Origin::Config, applied)
                }
                LoadStatus::Replaced | LoadStatus::AlreadyLoaded => Decided::Leave,
            }),
            BundledPolicy::Ask => {
                let question = Question::new(metadata, beyond, request.remarks.clone());
                if question.permissions.is_empty() {
                    return Ok(Decided::Leave);
                }
                Ok(match settlement.consent.ask(&question).await {
                    Answer::Granted => Decided::Add(settlement.origin, question.permissions),
                    Answer::Refused | Answer::Unavailable | Answer::Later => Decided::Leave,
                })
            }
        }
    }

    /// What `request` asks for beyond what is granted. A limit that is not above
    /// the one that holds is none.
    pub(super) fn beyond(&self, request: &Policy, granted: &Policy) -> Vec<Permission> {
        let mut in_force = granted.clone();
        in_force.limits = granted.limits.or(&self.limits);
        request.beyond(&in_force)
    }

    /// What is asked for and not granted; nothing when the policy in place is
    /// damaged, since no answer could be added to it.
    fn open_requests(&self, id: &ComponentId, request: &Request) -> Vec<Permission> {
        match self.store.granted(id) {
            Ok(granted) => self.beyond(&request.policy, &granted.policy),
            Err(_) => Vec::new(),
        }
    }

    fn granted_now(&self, id: &ComponentId) -> Granted {
        self.store.granted(id).unwrap_or_else(|error| {
            tracing::warn!("{}", crate::error::Report::new(&error));
            Granted::default()
        })
    }

    /// Changes grants, unless another component has taken the id meanwhile:
    /// an answer is only about what was asked.
    async fn settle_grants(
        self: &Arc<Self>,
        metadata: &Metadata,
        change: impl FnOnce(Standing) -> Result<Granted, StoreError> + Send + 'static,
    ) -> Result<Granted, Error> {
        let asked = metadata.digests.component;
        self.change_grants(&metadata.component_id, move |standing| {
            if !is_the_one(standing.component.as_deref(), asked) {
                return Ok(standing.granted?);
            }
            Ok(change(standing)?)
        })
        .await
    }
}

/// What to do with the grants of a component that was loaded.
enum Decided {
    Leave,
    /// Add these.
    Add(Origin, Vec<Permission>),
    /// Grant this and nothing else.
    Replace(Box<Policy>),
}

fn grantor(origin: Origin, metadata: &Metadata) -> Grantor {
    Grantor {
        origin,
        request: Some(RequestSource {
            source: metadata.source.clone(),
            digest: metadata.digests.component,
        }),
    }
}
