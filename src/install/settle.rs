//! Compares the permissions that an installed component requests with its grants, and grants what
//! a load allows.

use crate::config::BundledPolicy;
use crate::digest::Digest;
use crate::policy::{Permission, Policy};
use crate::reference::ComponentId;
use crate::store::{
    Granted, Grantor, Metadata, Origin, RequestSource, Standing, Store, StoreError,
};

use super::{
    Answer, Consent, Described, Error, Installer, LoadStatus, PolicyChoice, Question, described,
};

/// The request in a component's metadata.
#[derive(Clone)]
pub struct Request {
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
                // JSON is YAML. A component installed before requests were checked strictly may
                // have an invalid one; it then requests nothing.
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

    /// `granted` with these permissions added. The exclusions in the request are added too.
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

/// The grants that a load made.
#[derive(Default)]
pub struct Settled {
    pub granted: Vec<Described>,
    pub not_granted: Vec<Described>,
    pub remarks: Vec<String>,
    /// The user's answer, if there was a question.
    pub answer: Option<Answer>,
}

/// A loaded component, and the conditions of the load.
pub struct Settlement<'a> {
    pub metadata: &'a Metadata,
    pub status: LoadStatus,
    pub choice: PolicyChoice,
    /// The origin to record for the grants.
    pub origin: Origin,
    pub consent: &'a dyn Consent,
}

impl Installer {
    /// Grants what the user allows. Requested permissions beyond that are reported.
    pub async fn settle(&self, settlement: Settlement<'_>) -> Result<Settled, Error> {
        let metadata = settlement.metadata;
        let request = Request::of(metadata);
        let (decided, answer) = self.decide(&settlement, &request).await?;
        let granted = match decided {
            Decided::Leave => self.granted_now(&metadata.component_id).await?,
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
            granted: described(granted.policy.permissions()),
            not_granted: described(self.beyond(&request.policy, &granted.policy)),
            remarks: request.remarks,
            answer,
        })
    }

    async fn decide(
        &self,
        settlement: &Settlement<'_>,
        request: &Request,
    ) -> Result<(Decided, Option<Answer>), Error> {
        let metadata = settlement.metadata;
        match &settlement.choice {
            PolicyChoice::Given(policy) => return Ok((Decided::Replace(policy.clone()), None)),
            PolicyChoice::GrantRequested => {
                let all = request.policy.permissions();
                return Ok((Decided::Add(settlement.origin, all), None));
            }
            PolicyChoice::Leave => return Ok((Decided::Leave, None)),
            PolicyChoice::Bundled => {}
        }
        let beyond = self.open_requests(&metadata.component_id, request).await?;
        if beyond.is_empty() {
            return Ok((Decided::Leave, None));
        }
        Ok(match self.rules.bundled {
            BundledPolicy::Ignore => (Decided::Leave, None),
            // The operator accepts the permissions that a component requests when it is first
            // loaded, but not those that later versions add, nor limits above the configured ones.
            BundledPolicy::Apply => match settlement.status {
                LoadStatus::New => {
                    let mut applied = request.policy.permissions();
                    let is_limit = |asked: &Permission| matches!(asked, Permission::Limit(_));
                    applied.retain(|asked| !is_limit(asked) || !beyond.contains(asked));
                    (Decided::Add(Origin::Config, applied), None)
                }
                LoadStatus::Replaced | LoadStatus::AlreadyLoaded => (Decided::Leave, None),
            },
            BundledPolicy::Ask => {
                let question = Question::new(metadata, beyond, request.remarks.clone());
                if question.permissions.is_empty() {
                    return Ok((Decided::Leave, None));
                }
                let answer = settlement.consent.ask(&question).await;
                let decided = match answer {
                    Answer::Granted => Decided::Add(settlement.origin, question.permissions),
                    Answer::Refused | Answer::Unavailable | Answer::Later => Decided::Leave,
                };
                (decided, Some(answer))
            }
        })
    }

    /// The permissions in `request` that are not in `granted`. A requested limit that does not
    /// exceed the present one is not among them.
    pub fn beyond(&self, request: &Policy, granted: &Policy) -> Vec<Permission> {
        let mut in_force = granted.clone();
        in_force.limits = granted.limits.or(&self.rules.limits);
        request.beyond(&in_force)
    }

    /// The requested permissions that are not granted; none if the policy is damaged, because no
    /// answer could be added to it.
    async fn open_requests(
        &self,
        id: &ComponentId,
        request: &Request,
    ) -> Result<Vec<Permission>, Error> {
        let id = id.clone();
        Ok(
            match self.disk.run(move |store| store.granted(&id)).await? {
                Ok(granted) => self.beyond(&request.policy, &granted.policy),
                Err(_) => Vec::new(),
            },
        )
    }

    async fn granted_now(&self, id: &ComponentId) -> Result<Granted, Error> {
        let id = id.clone();
        let granted = self.disk.run(move |store| store.granted(&id)).await?;
        Ok(granted.unwrap_or_else(|error| {
            tracing::warn!("{}", crate::error::Report::new(&error));
            Granted::default()
        }))
    }

    /// Changes the grants, unless another component has the id by now: the answer applies only to
    /// the component in the question.
    async fn settle_grants(
        &self,
        metadata: &Metadata,
        change: impl FnOnce(Standing) -> Result<Granted, StoreError> + Send + 'static,
    ) -> Result<Granted, Error> {
        let asked = metadata.digests.component;
        let id = metadata.component_id.clone();
        let work = move |store: &Store| {
            store.change_grants(&id, move |standing| {
                if !is_the_one(standing.component.as_deref(), asked) {
                    return standing.granted;
                }
                change(standing)
            })
        };
        Ok(self.disk.run(work).await??)
    }
}

/// The decision about the grants of a loaded component.
enum Decided {
    Leave,
    /// Adds these permissions.
    Add(Origin, Vec<Permission>),
    /// Replaces all grants by this policy.
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

/// Whether the installed component, if it can be read, has this digest.
pub fn is_the_one(component: Option<&Metadata>, digest: Digest) -> bool {
    component.is_some_and(|component| component.digests.component == digest)
}
