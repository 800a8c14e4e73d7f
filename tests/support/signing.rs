//! Signatures made by other programs: openssl keys, and Sigstore's JavaScript clients.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use wassette::digest::Digest;

use super::artifact::{Artifact, MANIFEST, descriptor};

pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// The accepted kinds of keys.
pub const KINDS: [&str; 4] = ["P-256", "P-384", "Ed25519", "RSA"];

/// A key pair made by openssl.
pub struct Key {
    dir: TempDir,
    kind: &'static str,
}

impl Key {
    pub fn new(kind: &'static str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let algorithm = match kind {
            "Ed25519" => "-algorithm ed25519".to_owned(),
            "RSA" => "-algorithm RSA -pkeyopt rsa_keygen_bits:2048".to_owned(),
            curve => format!("-algorithm EC -pkeyopt ec_paramgen_curve:{curve}"),
        };
        openssl(dir.path(), &format!("genpkey {algorithm} -out key.pem"));
        openssl(dir.path(), "pkey -in key.pem -pubout -out key.pub");
        Key { dir, kind }
    }

    pub fn public(&self) -> PathBuf {
        self.dir.path().join("key.pub")
    }

    pub fn private(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    /// Signs the bytes, using the hash that belongs to the key.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let dir = self.dir.path();
        std::fs::write(dir.join("message"), bytes).expect("written");
        let how = match self.kind {
            "Ed25519" => "pkeyutl -sign -rawin -inkey key.pem -in message -out signature",
            "P-384" => "dgst -sha384 -sign key.pem -out signature message",
            _ => "dgst -sha256 -sign key.pem -out signature message",
        };
        openssl(dir, how);
        std::fs::read(dir.join("signature")).expect("a signature")
    }

    /// Returns a bundle with a statement about the digest.
    pub fn statement(&self, digest: Digest) -> Value {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "component", "digest": { "sha256": digest.hex() } }],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        });
        let payload = statement.to_string();
        let encoded = format!(
            "DSSEv1 {} {IN_TOTO} {} {payload}",
            IN_TOTO.len(),
            payload.len()
        );
        json!({
            "mediaType": BUNDLE,
            "verificationMaterial": { "publicKey": { "hint": "" } },
            "dsseEnvelope": {
                "payloadType": IN_TOTO,
                "payload": STANDARD.encode(&payload),
                "signatures": [{ "sig": STANDARD.encode(self.sign(encoded.as_bytes())) }],
            },
        })
    }

    /// Returns a bundle with a signature over the bytes.
    pub fn message(&self, bytes: &[u8]) -> Value {
        json!({
            "mediaType": BUNDLE,
            "verificationMaterial": { "publicKey": { "hint": "" } },
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": STANDARD.encode(Digest::of(bytes).as_bytes()),
                },
                "signature": STANDARD.encode(self.sign(bytes)),
            },
        })
    }

    /// Returns the signature of a digest in cosign's first format.
    pub fn simple_signing(&self, digest: Digest) -> Cosign {
        let payload = payload(digest);
        let signature = STANDARD.encode(self.sign(payload.as_bytes()));
        Cosign {
            payload,
            annotations: BTreeMap::from([(SIGNATURE.to_owned(), signature)]),
        }
    }
}

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// A layer of the manifest under cosign's tag.
#[derive(Clone)]
pub struct Cosign {
    pub payload: String,
    pub annotations: BTreeMap<String, String>,
}

impl Cosign {
    /// Returns the manifest under cosign's tag.
    pub fn artifact(layers: &[Cosign]) -> Artifact {
        let blobs: Vec<(&str, &[u8])> = layers
            .iter()
            .map(|layer| (SIMPLE_SIGNING, layer.payload.as_bytes()))
            .collect();
        let config = b"{}".to_vec();
        let kind = "application/vnd.oci.image.config.v1+json";
        let mut artifact = Artifact::with_config(kind, config, &blobs);
        for (at, layer) in layers.iter().enumerate() {
            artifact.manifest["layers"][at]["annotations"] = json!(layer.annotations);
        }
        artifact
    }

    /// Converts a bundle that signs a payload to the first format.
    pub fn of_bundle(payload: String, bundle: &Value) -> Self {
        let material = &bundle["verificationMaterial"];
        let der = material["certificate"]["rawBytes"].as_str().expect("DER");
        let lines: Vec<&str> = der
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("base64"))
            .collect();
        let certificate = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        );
        let entry = &material["tlogEntries"][0];
        let number = |name: &str| -> u64 {
            let text = entry[name].as_str().expect("a number");
            text.parse().expect("a number")
        };
        let log_id = entry["logId"]["keyId"].as_str().expect("an id");
        let log_id = STANDARD.decode(log_id).expect("base64");
        let log_entry = json!({
            "SignedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
            "Payload": {
                "body": entry["canonicalizedBody"],
                "integratedTime": number("integratedTime"),
                "logIndex": number("logIndex"),
                "logID": log_id.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            },
        });
        let signature = bundle["messageSignature"]["signature"].as_str();
        Cosign {
            payload,
            annotations: BTreeMap::from([
                (SIGNATURE.to_owned(), signature.expect("a signature").into()),
                ("dev.sigstore.cosign/certificate".into(), certificate),
                ("dev.sigstore.cosign/bundle".into(), log_entry.to_string()),
            ]),
        }
    }
}

/// Returns the payload of cosign's first format.
pub fn payload(digest: Digest) -> String {
    json!({
        "critical": {
            "identity": { "docker-reference": "example/component" },
            "image": { "docker-manifest-digest": digest.to_string() },
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string()
}

/// Returns a manifest that refers to another and holds a bundle.
pub fn referrer(subject: &Artifact, bundle: &Value) -> Artifact {
    let text = bundle.to_string();
    let mut artifact = Artifact::with_config(
        "application/vnd.oci.empty.v1+json",
        b"{}".to_vec(),
        &[(BUNDLE, text.as_bytes())],
    );
    artifact.manifest["artifactType"] = json!(BUNDLE);
    artifact.manifest["subject"] = descriptor(MANIFEST, &subject.bytes());
    artifact
}

/// A request to Sigstore's clients.
pub struct Ask<'a> {
    pub subject: &'a str,
    pub issuer: &'a str,
    pub what: What<'a>,
}

pub enum What<'a> {
    Message(&'a [u8]),
    Statement(Digest),
}

/// The results of Sigstore's clients, and the trust root for them.
pub struct Keyless {
    dir: TempDir,
    pub bundles: Vec<Value>,
}

impl Keyless {
    /// Signs with certificates of a Sigstore instance that the tests run.
    pub fn sign(asks: &[Ask<'_>]) -> Self {
        let requests: Vec<Value> = asks
            .iter()
            .map(|ask| match &ask.what {
                What::Message(bytes) => json!({
                    "subject": ask.subject,
                    "issuer": ask.issuer,
                    "kind": "message",
                    "data": std::str::from_utf8(bytes).expect("text"),
                }),
                What::Statement(digest) => json!({
                    "subject": ask.subject,
                    "issuer": ask.issuer,
                    "kind": "statement",
                    "digest": digest.hex(),
                }),
            })
            .collect();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut node = super::installed::client("node")
            .arg(here.join("tests/clients/sigstore.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let mut stdin = node.stdin.take().expect("it is piped");
        let request = Value::from(requests).to_string();
        stdin.write_all(request.as_bytes()).expect("it reads");
        drop(stdin);
        let output = node.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
        let mut made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let dir = TempDir::new().expect("a temporary directory");
        let root = made["trustedRoot"].to_string();
        std::fs::write(dir.path().join("trusted_root.json"), root).expect("written");
        let bundles = made["bundles"].take();
        Keyless {
            dir,
            bundles: bundles.as_array().expect("a list").clone(),
        }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("trusted_root.json")
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(dir)
        .output()
        .expect("openssl");
    assert!(output.status.success(), "{arguments}: {output:?}");
}
