//! A client that pushes to registries, and a registry that lists referrers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ferro_blob_store::InMemoryBlobStore;
use tokio::task::JoinHandle;
use wassette::digest::Digest;
use wassette::net;
use wassette::reference::{OciReference, Reference};
use wassette::registry::{
    BlobUpload, Client, CredentialOptions, Error, Options, Transfer, Uploaded, Writer,
};

use super::artifact::Artifact;
use super::reference_of;

/// A client whose retries pause for a millisecond.
pub struct Pusher {
    pub client: Client,
    pub transfer: Transfer,
}

impl Pusher {
    pub fn new() -> Self {
        Pusher::with(CredentialOptions::default())
    }

    pub fn with(credentials: CredentialOptions) -> Self {
        let http = net::Client::new(net::Options {
            retry_base: Duration::from_millis(1),
            retry_max: Duration::from_millis(1),
            ..net::Options::default()
        });
        let options = Options {
            credentials,
            ..Options::default()
        };
        Pusher {
            client: Client::new(http, options),
            transfer: Transfer::default(),
        }
    }

    pub fn to(&self, reference: &str) -> Writer<'_> {
        let writer = self.client.writer(&oci(reference), &self.transfer);
        writer.expect("a repository")
    }

    /// Pushes blobs and OCI manifest under the reference's tag.
    pub async fn push(&self, reference: &str, artifact: &Artifact) -> Result<Digest, Error> {
        let writer = self.to(reference);
        for blob in &artifact.blobs {
            let blob = BlobUpload::of_bytes(blob.clone().into());
            writer.put_blob(&blob, None).await?;
        }
        let manifest = Bytes::from(artifact.bytes());
        writer.put_manifest(&manifest, oci(reference).tag()).await
    }

    pub async fn push_blob(&self, reference: &str, blob: &[u8]) -> Result<Uploaded, Error> {
        let blob = BlobUpload::of_bytes(Bytes::copy_from_slice(blob));
        self.to(reference).put_blob(&blob, None).await
    }
}

fn oci(reference: &str) -> OciReference {
    match reference_of(reference) {
        Reference::Oci(oci) => oci,
        other => panic!("{other}"),
    }
}

/// A registry in this process that lists referrers; ends when dropped.
pub struct Ferro {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Ferro {
    pub async fn start() -> Self {
        let app = ferro_oci_server::build_app(Arc::new(InMemoryBlobStore::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ferro { address, task }
    }

    /// `oci://…/` and the name.
    pub fn reference(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
    }
}

impl Drop for Ferro {
    fn drop(&mut self) {
        self.task.abort();
    }
}
