//! Looks for signatures where they are stored beside an artifact: manifests
//! that refer to it, and cosign's tag.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;

use crate::digest::{Digest, Expected};
use crate::net;
use crate::reference::OciReference;
use crate::registry::{self, Descriptor, Document, Referrer, Repository, Transfer, Tried};

use super::super::formats::{ANY_BUNDLE, EMPTY, MOST_LAYERS, SIMPLE_SIGNING};
use super::answer::{Verdict, all_unreadable, needs_bytes, verdicts};
use super::{Answer, Attempt, Candidate, Material, RootedDemand, Subject};

/// Most referrers of an artifact that are read, the most likely first.
const MOST_REFERRERS: usize = 32;
/// Largest manifest of a referrer, in bytes.
const MAX_MANIFEST: u64 = 256 << 10;
/// Largest bundle or payload, in bytes.
const MAX_MATERIAL: u64 = 4 << 20;
/// Most bytes that one search reads.
const MAX_READ: u64 = 32 << 20;

/// The repository to search, and the signed digest.
pub struct Look<'a> {
    pub registries: &'a registry::Client,
    pub reference: &'a OciReference,
    /// The resolved digest, which is pulled.
    pub digest: Digest,
    /// Whether requests to the registry are retried after failures.
    pub insists: bool,
}

/// A place that may hold a signature.
enum Place {
    Referrer(Referrer),
    Layer(Layer),
}

/// A layer of cosign's tag.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: Digest,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl Look<'_> {
    /// Searches until every demand is met or nothing is left to read. Failures are part of the
    /// answer.
    pub async fn run(&self, demands: &[RootedDemand]) -> Answer {
        let mut answer = Answer::to(demands);
        let transfer = Transfer::default();
        let hosts = Repository::each_host(self.registries, self.reference, self.insists, &transfer);
        let hosts = match hosts {
            Ok(hosts) => hosts,
            Err(error) => {
                answer.unanswered.push(chain(&error));
                return answer;
            }
        };
        if !hosts.iter().any(Repository::is_upstream) {
            let registry = self.reference.registry();
            answer
                .unanswered
                .push(format!("`{registry}` itself is not asked"));
        }
        for repository in &hosts {
            if repository.is_upstream() {
                // Mirrors have no signatures of their own.
                answer.unanswered.clear();
            }
            let search = Search {
                repository,
                digest: self.digest,
                demands: Arc::from(demands),
                read: 0,
                document: None,
            };
            answer = search.run(answer).await;
            if answer.open().is_empty() {
                break;
            }
        }
        answer
    }
}

/// The state of a search.
struct Search<'a> {
    repository: &'a Repository<'a>,
    digest: Digest,
    demands: Arc<[RootedDemand]>,
    /// Bytes read so far.
    read: u64,
    /// The signed document, once a signature needs it.
    document: Option<Arc<[u8]>>,
}

impl Search<'_> {
    async fn run(mut self, mut answer: Answer) -> Answer {
        for place in self.places(&mut answer).await {
            if answer.open().is_empty() {
                break;
            }
            let what = match &place {
                Place::Referrer(referrer) => format!("referrer {}", referrer.digest),
                Place::Layer(layer) => format!("cosign signature {}", layer.digest),
            };
            match self.materials(place).await {
                Ok(materials) => {
                    for material in &materials {
                        let what = &what;
                        self.judge(Candidate { what, material }, &mut answer).await;
                    }
                }
                Err(Skipped::Rejected(reason)) => answer.rejected.push(Attempt { what, reason }),
                Err(Skipped::Unanswered(reason)) => {
                    answer.unanswered.push(format!("{what}: {reason}"));
                }
            }
        }
        answer
    }

    /// Queries the referrers and cosign's tag at the same time.
    async fn places(&self, answer: &mut Answer) -> Vec<Place> {
        let digest = self.digest;
        let tag = format!("sha256-{}.sig", digest.hex());
        let (referrers, signatures) = tokio::join!(
            self.repository
                .first(async |remote| remote.referrers(digest).await),
            self.repository
                .first(async |remote| remote.tagged(&tag).await),
        );
        let mut places = Vec::new();
        match referrers {
            Ok(mut referrers) => {
                referrers.sort_by_key(promise);
                answer.left_out += referrers.len().saturating_sub(MOST_REFERRERS);
                referrers.truncate(MOST_REFERRERS);
                places.extend(referrers.into_iter().map(Place::Referrer));
            }
            Err(error) => answer.unanswered.push(chain(&error.error)),
        }
        match signatures.map(|bytes| bytes.map(|bytes| layers(&bytes))) {
            Ok(None) => {}
            Ok(Some(Ok(mut layers))) => {
                answer.left_out += layers.len().saturating_sub(MOST_LAYERS);
                layers.truncate(MOST_LAYERS);
                places.extend(layers.into_iter().map(Place::Layer));
            }
            Ok(Some(Err(error))) => answer.rejected.push(Attempt {
                what: format!("tag {tag}"),
                reason: format!("it cannot be read: {error}"),
            }),
            Err(error) => answer.unanswered.push(chain(&error.error)),
        }
        places
    }

    async fn materials(&mut self, place: Place) -> Result<Vec<Material>, Skipped> {
        match place {
            Place::Referrer(referrer) => {
                let bytes = self.manifest(&referrer).await?;
                let document = Document::parse(&bytes).map_err(Skipped::rejected)?;
                let Document::Manifest(manifest) = document else {
                    return Ok(Vec::new());
                };
                let bundles = manifest.layers.iter();
                let mut materials = Vec::new();
                for layer in bundles.filter(|layer| layer.media_type.starts_with(ANY_BUNDLE)) {
                    let bundle = self.text(layer).await?;
                    materials.push(Material::Bundle { bundle });
                }
                Ok(materials)
            }
            Place::Layer(layer) => {
                let descriptor = Descriptor {
                    media_type: layer.media_type,
                    digest: layer.digest,
                    size: layer.size,
                    platform: None,
                };
                let payload = self.text(&descriptor).await?;
                Ok(vec![Material::SimpleSigning {
                    payload,
                    annotations: layer.annotations,
                }])
            }
        }
    }

    async fn manifest(&mut self, referrer: &Referrer) -> Result<bytes::Bytes, Skipped> {
        self.admit(referrer.size, MAX_MANIFEST)?;
        let expected = Expected {
            digest: Some(referrer.digest),
            size: Some(referrer.size),
            ..Expected::default()
        };
        let asked = self
            .repository
            .first(async |remote| remote.document(referrer.digest, expected).await);
        asked.await.map_err(Skipped::of)
    }

    async fn text(&mut self, descriptor: &Descriptor) -> Result<String, Skipped> {
        self.admit(descriptor.size, MAX_MATERIAL)?;
        let asked = self
            .repository
            .first(async |remote| remote.small_blob(descriptor, "the signature").await);
        let bytes = asked.await.map_err(Skipped::of)?;
        String::from_utf8(bytes.into()).map_err(Skipped::rejected)
    }

    /// Refuses to read more than the limit.
    fn admit(&mut self, size: u64, limit: u64) -> Result<(), Skipped> {
        self.read = self.read.saturating_add(size);
        match size <= limit && self.read <= MAX_READ {
            true => Ok(()),
            false => {
                self.read = self.read.saturating_sub(size);
                Err(Skipped::Rejected(format!(
                    "it has {size} bytes, which is too many"
                )))
            }
        }
    }

    /// Checks a signature against the demands that are not met yet.
    async fn judge(&mut self, candidate: Candidate<'_>, answer: &mut Answer) {
        let open = answer.open();
        let mut verdicts = self.verdicts(candidate.material, &open).await;
        if needs_bytes(&verdicts) && self.fetch_document().await {
            verdicts = self.verdicts(candidate.material, &open).await;
        }
        answer.record(candidate, verdicts);
    }

    async fn verdicts(&self, material: &Material, open: &[usize]) -> Vec<Verdict> {
        let (material, places, demands) = (material.clone(), open.to_vec(), self.demands.clone());
        let (digest, document) = (self.digest, self.document.clone());
        let work = move || {
            let bytes = document.as_deref();
            verdicts(&material, Subject { digest, bytes }, &demands, &places)
        };
        // A signature that makes the library panic is rejected.
        let checked = tokio::task::spawn_blocking(work).await;
        checked.unwrap_or_else(|error| all_unreadable(open, &error.to_string()))
    }

    async fn fetch_document(&mut self) -> bool {
        let digest = self.digest;
        let expected = Expected {
            digest: Some(digest),
            ..Expected::default()
        };
        let asked = self
            .repository
            .first(async |remote| remote.document(digest, expected).await);
        match asked.await {
            Ok(bytes) => {
                self.document = Some(bytes.to_vec().into());
                true
            }
            Err(_) => false,
        }
    }
}

/// The reason why a candidate was skipped.
enum Skipped {
    Rejected(String),
    Unanswered(String),
}

impl Skipped {
    fn rejected(error: impl std::error::Error) -> Self {
        Skipped::Rejected(format!("it cannot be read: {error}"))
    }

    /// A candidate that is missing or malformed is not a signature. After any other failure it is
    /// unknown whether there is one.
    fn of(tried: Tried<registry::Error>) -> Self {
        let error = tried.error;
        match error.net() {
            Some(net) if !is_missing(net) => Skipped::Unanswered(chain(&error)),
            _ => Skipped::Rejected(chain(&error)),
        }
    }
}

/// The most likely signatures come first. Older tools and some registries leave the type out, or
/// replace it.
fn promise(referrer: &Referrer) -> u8 {
    match referrer.artifact_type.as_deref() {
        Some(kind) if kind.starts_with(ANY_BUNDLE) => 0,
        None | Some("" | EMPTY) => 1,
        Some(_) => 2,
    }
}

fn layers(bytes: &[u8]) -> serde_json::Result<Vec<Layer>> {
    #[derive(Deserialize)]
    struct Signatures {
        layers: Vec<Layer>,
    }
    let mut layers = serde_json::from_slice::<Signatures>(bytes)?.layers;
    layers.retain(|layer| layer.media_type == SIMPLE_SIGNING);
    Ok(layers)
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn is_missing(error: &net::Error) -> bool {
    matches!(error, net::Error::Refused { status, .. } if *status == StatusCode::NOT_FOUND)
}
