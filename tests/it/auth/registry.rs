//! Logins to real registries: with passwords (htpasswd), and with signed tokens of a token server.

use http::Method;
use wassette::error::{Class, Diagnose, Report};
use wassette::fetch::FetchError;
use wassette::registry::{Credential, Visibility};

use crate::support::Load;
use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::components::{ANSWER, binary};
use crate::support::registry::Registry;
use crate::support::tokens::{REFRESH, SECRET, TokenServer, USER};

fn artifact() -> Artifact {
    Artifact::new(&[(WASM, &binary(ANSWER)), (POLICY, b"version: \"1.0\"\n")])
}

fn password(secret: &str) -> Credential {
    Credential::Password {
        username: USER.into(),
        secret: secret.into(),
    }
}

fn is_unauthorized(error: &FetchError) {
    assert_eq!(
        (error.code(), error.class()),
        ("unauthorized", Class::Network)
    );
}

#[tokio::test]
async fn a_password_opens_a_registry() {
    let open = Registry::start();
    open.push("acme/answer", "v1", &artifact()).await;
    let registry = open.beside_with_login(USER, SECRET);
    let reference = registry.reference("acme/answer:v1");

    let error = Load::new().fails(&reference).await;
    is_unauthorized(&error);
    let hint = error.hint().expect("a hint");
    let login = format!("`wassette login {}`", registry.address());
    assert!(hint.starts_with("no credentials found"), "{hint}");
    assert!(hint.contains(&login), "{hint}");

    let load = Load::with_credential(registry.address(), password("wrong-s3cret"));
    let error = load.fails(&reference).await;
    is_unauthorized(&error);
    let report = Report::new(&error).to_string();
    assert!(
        report.contains("credentials from the command line"),
        "{report}"
    );
    assert!(report.contains(&login), "{report}");
    assert!(
        !format!("{report} {error:?}").contains("wrong-s3cret"),
        "{error:?}"
    );

    let load = Load::with_credential(registry.address(), password(SECRET));
    let fetched = load.run(&reference).await.expect("a pull");
    // HEAD, HEAD with the password, manifest, component, config and policy.
    assert_eq!(fetched.receipt.requests, 6);
    // Credentials of another registry are not sent here.
    let load = Load::with_credential("127.0.0.1:1", password(SECRET));
    is_unauthorized(&load.fails(&reference).await);
}

#[tokio::test]
async fn tokens_open_what_they_are_for() {
    let open = Registry::start();
    open.push("public/answer", "v1", &artifact()).await;
    open.push("private/answer", "v1", &artifact()).await;
    let tokens = TokenServer::start().await;
    let registry = open.beside(&tokens.registry_config());
    let public = registry.reference("public/answer:v1");
    let private = registry.reference("private/answer:v1");

    let anyone = Load::new();
    let fetched = anyone.run(&public).await.expect("a pull");
    // HEAD, token, HEAD, manifest, component, config and policy.
    assert_eq!(fetched.receipt.requests, 7);
    assert_eq!(fetched.receipt.openness, Visibility::Public);
    assert_eq!(tokens.asked().len(), 1);
    let error = Load::new().fails(&private).await;
    is_unauthorized(&error);
    assert!(error.hint().expect("a hint").contains("wassette login"));

    let alice = Load::with_credential(registry.address(), password(SECRET));
    let before = tokens.asked().len();
    alice.run(&private).await.expect("a pull");
    // Also with a token that was fetched before.
    let again = alice.run(&private).await.expect("a pull");
    assert_eq!(again.receipt.openness, Visibility::Private);
    let asked = tokens.asked().split_off(before);
    assert_eq!(asked.len(), 1, "a token is kept");
    assert_eq!(asked[0].fields["scope"], "repository:private/answer:pull");
    // Another repository needs another scope.
    alice.run(&public).await.expect("a pull");
    assert_eq!(tokens.asked().len(), before + 2);
}

#[tokio::test]
async fn an_identity_token_is_exchanged() {
    let open = Registry::start();
    open.push("private/answer", "v1", &artifact()).await;
    let tokens = TokenServer::start().await;
    let registry = open.beside(&tokens.registry_config());
    let reference = registry.reference("private/answer:v1");

    let identity = Credential::IdentityToken(REFRESH.into());
    let load = Load::with_credential(registry.address(), identity);
    load.run(&reference).await.expect("a pull");
    let asked = tokens.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].method, Method::POST);
    assert_eq!(asked[0].fields["grant_type"], "refresh_token");
    assert_eq!(asked[0].fields["scope"], "repository:private/answer:pull");
    assert!(asked[0].fields.contains_key("service"));
    assert_eq!(asked[0].authorization, None);

    let stale = Credential::IdentityToken("stale".into());
    is_unauthorized(
        &Load::with_credential(registry.address(), stale)
            .fails(&reference)
            .await,
    );
}

#[tokio::test]
async fn wrong_credentials_do_not_close_a_public_repository() {
    let open = Registry::start();
    open.push("public/answer", "v1", &artifact()).await;
    open.push("private/answer", "v1", &artifact()).await;
    let tokens = TokenServer::start().await;
    let registry = open.beside(&tokens.registry_config());
    for credential in [
        password("wrong"),
        Credential::IdentityToken("stale".into()),
        // Refused by the registry, not by the token server.
        Credential::RegistryToken("nonsense".into()),
    ] {
        let load = Load::with_credential(registry.address(), credential.clone());
        let public = registry.reference("public/answer:v1");
        let fetched = load.run(&public).await.expect("a pull");
        assert_eq!(fetched.receipt.openness, Visibility::Public);
        let load = Load::with_credential(registry.address(), credential);
        let error = load.fails(&registry.reference("private/answer:v1")).await;
        is_unauthorized(&error);
        let hint = error.hint().expect("a hint");
        assert!(
            hint.contains("the credentials from the command line"),
            "{hint}"
        );
    }
}
