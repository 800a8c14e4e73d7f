//! Opens an encrypted key and verifies an image's signatures with the `sigstore` crate, an
//! implementation of cosign's formats that shares no code with Wassette.
//!
//! ```text
//! sigstore-reader KEY-FILE PASSWORD IMAGE
//! ```
//!
//! Prints the public key, and then the number of signatures that were made with it.

use sigstore::cosign::verification_constraint::{PublicKeyVerifier, VerificationConstraint};
use sigstore::cosign::{ClientBuilder, CosignCapabilities};
use sigstore::crypto::signing_key::SigStoreKeyPair;
use sigstore::registry::{Auth, ClientConfig, ClientProtocol};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [key, password, image] = &arguments[..] else {
        return Err("usage: sigstore-reader KEY-FILE PASSWORD IMAGE".into());
    };
    let key = SigStoreKeyPair::from_encrypted_pem(&std::fs::read(key)?, password.as_bytes())?;
    let public_key = key.public_key_to_pem()?;
    println!("{public_key}");

    let config = ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    };
    let mut client = ClientBuilder::default()
        .with_oci_client_config(config)
        .build()?;
    let layers = client
        .trusted_signature_layers(&Auth::Anonymous, &image.parse()?)
        .await?;
    let verifier = PublicKeyVerifier::try_from(public_key.as_bytes())?;
    let mut verified = 0;
    for layer in &layers {
        verified += usize::from(verifier.verify(layer)?);
    }
    println!("{verified}");
    Ok(())
}
