//! cosign's first format: a payload that names the signed digest, and a
//! signature over the payload.
//!
//! The proof of a certificate is in the layer's annotations. It is converted to a bundle of the
//! oldest version, which has the same parts, and verified as a bundle.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sigstore_verify::types::{Bundle, DerCertificate};

use crate::digest::Digest;

use super::super::Signer;
use super::super::formats::{CERTIFICATE, CHAIN, LOG_ENTRY, PAYLOAD, SIGNATURE, TIMESTAMP};
use super::check::{check_bundle, parse};
use super::{Believed, Rejected, Subject};

/// `application/vnd.dev.cosign.simplesigning.v1+json`.
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
    r#type: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// An entry of the log, as cosign writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogEntry {
    signed_entry_timestamp: String,
    payload: LogPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogPayload {
    body: String,
    integrated_time: i64,
    log_index: u64,
    #[serde(rename = "logID")]
    log_id: String,
}

/// Kind and version of an entry's body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    kind: String,
    api_version: String,
}

/// Checks that one of the signers signed a payload that names the digest.
pub(super) fn check(
    payload: &str,
    annotations: &BTreeMap<String, String>,
    digest: Digest,
    believed: Believed<'_>,
) -> Result<Signer, Rejected> {
    let named: Payload =
        serde_json::from_str(payload).map_err(|error| Rejected::Unreadable(error.to_string()))?;
    if named.critical.r#type != PAYLOAD {
        return Err(Rejected::Unreadable(
            "its payload is of another type".into(),
        ));
    }
    if named.critical.image.digest != digest.to_string() {
        return Err(Rejected::OtherDigest);
    }
    let unreadable = |what: &str| Rejected::Unreadable(what.to_owned());
    let signature = annotations.get(SIGNATURE);
    let signature = signature.ok_or_else(|| unreadable("it has no signature"))?;
    let signature = signature.trim();
    if !annotations.contains_key(CERTIFICATE) && !annotations.contains_key(LOG_ENTRY) {
        let bytes = STANDARD.decode(signature);
        let bytes = bytes.map_err(|_| unreadable("its signature is not base64"))?;
        let keys = believed.signers.keys();
        let key = keys.iter().find(|key| key.made(&bytes, payload.as_bytes()));
        return key.map_or(Err(Rejected::OtherKey), |key| {
            Ok(Signer {
                id: key.id(),
                signed_at: None,
                log_index: None,
            })
        });
    }
    let bundle = bundle(payload, signature, annotations)?;
    let subject = Subject {
        digest: Digest::of(payload.as_bytes()),
        bytes: Some(payload.as_bytes()),
    };
    check_bundle(&bundle, subject, believed)
}

/// Converts the parts to a bundle.
fn bundle(
    payload: &str,
    signature: &str,
    annotations: &BTreeMap<String, String>,
) -> Result<Bundle, Rejected> {
    let timestamps = annotations.get(TIMESTAMP).and_then(|text| timestamp(text));
    let mut material = match annotations.get(CERTIFICATE) {
        None => json!({ "publicKey": { "hint": "" } }),
        Some(leaf) => {
            let chain = annotations.get(CHAIN).map_or("", String::as_str);
            let certificates = certificates(leaf).chain(certificates(chain));
            let certificates: Vec<Value> = certificates
                .map(|der| json!({ "rawBytes": der.to_base64() }))
                .collect();
            json!({ "x509CertificateChain": { "certificates": certificates } })
        }
    };
    let entry = annotations.get(LOG_ENTRY).map(|text| log_entry(text));
    material["tlogEntries"] = json!(entry.transpose()?.into_iter().collect::<Vec<_>>());
    if let Some(timestamp) = timestamps {
        material["timestampVerificationData"] = json!({
            "rfc3161Timestamps": [{ "signedTimestamp": timestamp }]
        });
    }
    let digest = Digest::of(payload.as_bytes());
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1",
        "verificationMaterial": material,
        "messageSignature": {
            "messageDigest": {
                "algorithm": "SHA2_256",
                "digest": STANDARD.encode(digest.as_bytes()),
            },
            "signature": signature,
        },
    });
    parse(&bundle.to_string())
}

fn log_entry(text: &str) -> Result<Value, Rejected> {
    let unreadable = |_| Rejected::Unreadable("its log entry is none".into());
    let entry: LogEntry = serde_json::from_str(text).map_err(unreadable)?;
    let body = STANDARD.decode(&entry.payload.body);
    let body = body.map_err(|_| Rejected::Unreadable("its log entry is not base64".into()))?;
    let kind: Kind = serde_json::from_slice(&body).map_err(unreadable)?;
    let log_id = hex::decode(&entry.payload.log_id)
        .map_err(|_| Rejected::Unreadable("its log has no proper id".into()))?;
    Ok(json!({
        "logIndex": entry.payload.log_index.to_string(),
        "logId": { "keyId": STANDARD.encode(log_id) },
        "kindVersion": { "kind": kind.kind, "version": kind.api_version },
        "integratedTime": entry.payload.integrated_time.to_string(),
        "inclusionPromise": { "signedEntryTimestamp": entry.signed_entry_timestamp },
        "canonicalizedBody": entry.payload.body,
    }))
}

fn timestamp(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Timestamp {
        signed_rfc3161_timestamp: String,
    }
    let timestamp: Timestamp = serde_json::from_str(text).ok()?;
    Some(timestamp.signed_rfc3161_timestamp)
}

/// The certificates in a PEM text; other content is skipped.
fn certificates(text: &str) -> impl Iterator<Item = DerCertificate> {
    const END: &str = "-----END CERTIFICATE-----";
    text.split_inclusive(END)
        .filter_map(|pem| DerCertificate::from_pem(pem).ok())
}
