//! Signs an artifact in a registry, or a file.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::file::{Links, read_regular};
use crate::reference::{OciReference, Reference, Shown};
use crate::registry::{self, BlobUpload, Client, Document, MANIFEST_TYPE, Transfer, Writer};

use crate::verify::formats::{
    BESIDE, BUNDLE, EMPTY, IN_TOTO, MOST_LAYERS, PAYLOAD, SIGN, SIGNATURE, SIMPLE_SIGNING,
    STATEMENT,
};

use super::{InvalidSigningKey, SignError, SigningKey};

const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// The formats of a signature stored in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formats {
    /// A Sigstore bundle as a referrer of the artifact.
    Bundle,
    /// The bundle, and cosign's first format under its tag.
    BundleAndTag,
}

/// The result of signing.
#[derive(Debug, Serialize)]
pub struct Signed {
    pub reference: Shown,
    /// The signed digest: of an OCI manifest, an image index or a file.
    pub digest: Digest,
    /// SHA-256 of the public key.
    pub key: Digest,
    /// The locations of the signatures.
    pub stored: Vec<String>,
}

/// The repository that the signatures are written to.
struct Target<'a> {
    writer: Writer<'a>,
    reference: &'a OciReference,
}

/// Signs the content that a reference names, and stores the signature in its registry or beside
/// the file.
///
/// # Errors
///
/// When the content is missing, or the signature cannot be stored.
pub async fn sign(
    registries: &Client,
    reference: &Reference,
    key: SigningKey,
    formats: Formats,
) -> Result<Signed, SignError> {
    match reference {
        Reference::Oci(oci) => sign_artifact(registries, oci, &key, formats).await,
        Reference::File(path) => {
            let path = path.clone();
            tokio::task::spawn_blocking(move || sign_file(&path, &key)).await?
        }
        Reference::Https(_) | Reference::Layout(_) | Reference::Package(_) => {
            Err(SignError::Place {
                reference: reference.shown().to_string(),
            })
        }
    }
}

async fn sign_artifact(
    registries: &Client,
    reference: &OciReference,
    key: &SigningKey,
    formats: Formats,
) -> Result<Signed, SignError> {
    let transfer = Transfer::default();
    let writer = registries.writer(reference, &transfer);
    let target = Target {
        writer: writer.map_err(|source| failed(reference, source))?,
        reference,
    };
    let wanted = reference.digest();
    let name = wanted.map(|digest| digest.to_string());
    let name = name.as_deref().or(reference.tag()).unwrap_or("latest");
    let signed = target.document(name).await?;
    let signed = signed.ok_or_else(|| SignError::Absent {
        reference: reference.to_string(),
    })?;
    let digest = Digest::of(&signed);
    if wanted.is_some_and(|wanted| wanted != digest) {
        return Err(SignError::OtherDigest {
            reference: reference.to_string(),
            found: digest,
        });
    }
    let mut stored = vec![target.attach(&signed, key).await?];
    if formats == Formats::BundleAndTag {
        stored.push(target.add_to_tag(digest, key).await?);
    }
    Ok(Signed {
        reference: Reference::Oci(reference.clone()).shown(),
        digest,
        key: key.fingerprint(),
        stored,
    })
}

impl Target<'_> {
    /// Stores a bundle as a referrer of the artifact. Returns its name.
    async fn attach(&self, signed: &Bytes, key: &SigningKey) -> Result<String, SignError> {
        let document =
            Document::parse(signed).map_err(|error| failed(self.reference, error.into()))?;
        let name = self.name();
        let bundle = statement(&name, Digest::of(signed), key)?.to_string();
        let bundle = self.put(BUNDLE, bundle).await?;
        let config = self.put(EMPTY, "{}".to_owned()).await?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": BUNDLE,
            "config": config,
            "layers": [bundle],
            "subject": {
                "mediaType": document.media_type(),
                "digest": Digest::of(signed),
                "size": signed.len(),
            },
            "annotations": {
                "dev.sigstore.bundle.content": "dsse-envelope",
                "dev.sigstore.bundle.predicateType": SIGN,
                "org.opencontainers.image.created": now(),
            },
        });
        let digest = self.store(&manifest, None).await?;
        Ok(format!("referrer {digest}"))
    }

    /// Adds a signature under cosign's tag. Returns its name.
    async fn add_to_tag(&self, digest: Digest, key: &SigningKey) -> Result<String, SignError> {
        let tag = format!("sha256-{}.sig", digest.hex());
        let unreadable = |reason: String| SignError::Tag {
            tag: tag.clone(),
            reason,
        };
        let mut layers = match self.document(&tag).await? {
            None => Vec::new(),
            Some(bytes) => layers(&bytes).map_err(unreadable)?,
        };
        if layers.len() >= MOST_LAYERS {
            return Err(unreadable(format!("there are {} already", layers.len())));
        }
        let payload = json!({
            "critical": {
                "identity": { "docker-reference": self.name() },
                "image": { "docker-manifest-digest": digest },
                "type": PAYLOAD,
            },
            "optional": null,
        })
        .to_string();
        let signature = STANDARD.encode(key.sign(payload.as_bytes())?);
        let mut layer = self.put(SIMPLE_SIGNING, payload).await?;
        layer["annotations"] = json!({ SIGNATURE: signature });
        layers.push(layer);
        let diffs: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
        let config = json!({
            "architecture": "",
            "os": "",
            "created": now(),
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": diffs },
        });
        let config = self.put(IMAGE_CONFIG, config.to_string()).await?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config,
            "layers": layers,
        });
        self.store(&manifest, Some(&tag)).await?;
        Ok(format!("tag {tag}"))
    }

    async fn document(&self, name: &str) -> Result<Option<Bytes>, SignError> {
        let document = self.writer.document(name).await;
        document.map_err(|source| failed(self.reference, source))
    }

    /// Uploads a text. Returns its descriptor.
    async fn put(&self, media_type: &str, text: String) -> Result<Value, SignError> {
        let blob = BlobUpload::of_bytes(Bytes::from(text));
        let put = self.writer.put_blob(&blob, None).await;
        put.map_err(|source| failed(self.reference, source))?;
        Ok(json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.size }))
    }

    async fn store(&self, manifest: &Value, tag: Option<&str>) -> Result<Digest, SignError> {
        let bytes = Bytes::from(manifest.to_string());
        let stored = self.writer.put_manifest(&bytes, tag).await;
        stored.map_err(|source| failed(self.reference, source))
    }

    /// The registry and the repository.
    fn name(&self) -> String {
        format!(
            "{}/{}",
            self.reference.registry(),
            self.reference.repository()
        )
    }
}

fn failed(reference: &OciReference, source: registry::Error) -> SignError {
    SignError::Registry {
        reference: reference.to_string(),
        registry: reference.registry().to_owned(),
        source,
    }
}

fn layers(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let mut manifest: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match manifest.get_mut("layers").map(Value::take) {
        Some(Value::Array(layers)) => Ok(layers),
        _ => Err("it is no OCI manifest".into()),
    }
}

/// A bundle with a statement about the digest.
fn statement(name: &str, digest: Digest, key: &SigningKey) -> Result<Value, InvalidSigningKey> {
    let statement = json!({
        "_type": STATEMENT,
        "subject": [{ "name": name, "digest": { "sha256": digest.hex() } }],
        "predicateType": SIGN,
        "predicate": {},
    })
    .to_string();
    // DSSE signs the type and the payload, each with its length.
    let encoded = format!(
        "DSSEv1 {} {IN_TOTO} {} {statement}",
        IN_TOTO.len(),
        statement.len()
    );
    let signature = STANDARD.encode(key.sign(encoded.as_bytes())?);
    Ok(bundle(
        key,
        "dsseEnvelope",
        json!({
            "payloadType": IN_TOTO,
            "payload": STANDARD.encode(&statement),
            "signatures": [{ "sig": signature }],
        }),
    ))
}

fn bundle(key: &SigningKey, kind: &str, content: Value) -> Value {
    let hint = STANDARD.encode(key.fingerprint().as_bytes());
    json!({
        "mediaType": BUNDLE,
        "verificationMaterial": { "publicKey": { "hint": hint } },
        kind: content,
    })
}

/// Writes a bundle beside the file, replacing an existing one.
fn sign_file(path: &Path, key: &SigningKey) -> Result<Signed, SignError> {
    let failed = |verb, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound if verb == "read" => SignError::Absent {
                reference: path.display().to_string(),
            },
            _ => SignError::File { verb, path, source },
        }
    };
    let bytes = read_regular(path, u64::MAX, Links::Follow).map_err(failed("read", path))?;
    let digest = Digest::of(&bytes);
    let bundle = bundle(
        key,
        "messageSignature",
        json!({
            "messageDigest": {
                "algorithm": "SHA2_256",
                "digest": STANDARD.encode(digest.as_bytes()),
            },
            "signature": STANDARD.encode(key.sign(&bytes)?),
        }),
    );
    let mut beside = path.as_os_str().to_owned();
    beside.push(BESIDE);
    let beside = PathBuf::from(beside);
    let write = || -> io::Result<()> {
        let directory = beside.parent().unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = builder.tempfile_in(directory)?;
        file.write_all(format!("{bundle}\n").as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&beside)?;
        Ok(())
    };
    write().map_err(failed("write", &beside))?;
    Ok(Signed {
        reference: Reference::File(path.to_owned()).shown(),
        digest,
        key: key.fingerprint(),
        stored: vec![beside.display().to_string()],
    })
}

fn now() -> String {
    Timestamp::now().strftime("%FT%TZ").to_string()
}
