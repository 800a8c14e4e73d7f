//! Credentials for registries with mirrors, and for hosts whose token servers have certificates of
//! their own. All registries are real.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wassette::digest::Digest;
use wassette::error::Diagnose;
use wassette::fetch::{FetchOptions, Fetched};
use wassette::registry::{Credential, CredentialOptions, Given, Host, Mirrors};
use wassette::secret::Secret;

use crate::support::Load;
use crate::support::artifact::{Artifact, WASM};
use crate::support::certificates::Certificates;
use crate::support::cli::Cli;
use crate::support::components::{ANSWER, binary};
use crate::support::registry::{Login, Registry};
use crate::support::relay::Relay;
use crate::support::tokens::{SECRET, TokenServer, USER};

const ALICE: Login<'static> = Login {
    username: USER,
    secret: SECRET,
};
const BOB: Login<'static> = Login {
    username: "bob",
    secret: "s3cret-of-bob",
};

impl Login<'_> {
    fn basic(&self) -> String {
        let pair = format!("{}:{}", self.username, self.secret);
        format!("Basic {}", STANDARD.encode(pair))
    }

    /// The entry for `WASSETTE_REGISTRY_AUTH`.
    fn at(&self, registry: &str) -> String {
        format!("{registry}:{}:{}", self.username, self.secret)
    }
}

fn answer() -> Artifact {
    Artifact::new(&[(WASM, &binary(ANSWER))])
}

fn host(text: &str) -> Mirrors {
    let host = toml::from_str::<Host>(text).expect("a host");
    let all = "_default".to_owned().try_into().expect("a name");
    Mirrors {
        hosts: [(all, vec![host])].into(),
        certs_dir: None,
    }
}

/// A registry for alice and its cache for bob, each behind a recording proxy.
struct Guarded {
    upstream: Relay,
    mirror: Relay,
    _registries: [Registry; 3],
}

impl Guarded {
    async fn start() -> Self {
        let open = Registry::start();
        open.push("acme/answer", "v1", &answer()).await;
        let registry = open.beside_with_login(USER, SECRET);
        let cache = Registry::guarded_cache_of(&registry, ALICE, BOB);
        Guarded {
            upstream: Relay::to(registry.address()).await,
            mirror: Relay::to(cache.address()).await,
            _registries: [open, registry, cache],
        }
    }

    /// Pulls through the mirror, which has these `capabilities`.
    async fn pull(&self, capabilities: &str, credentials: CredentialOptions) -> Fetched {
        let address = self.mirror.address();
        let load = Load::with(FetchOptions {
            registry: wassette::registry::Options {
                mirrors: host(&format!(
                    "host = '{address}'\ncapabilities = {capabilities}"
                )),
                credentials,
                ..Default::default()
            },
            ..FetchOptions::default()
        });
        let reference = format!("oci://{}/acme/answer:v1", self.upstream.address());
        let fetched = load.run(&reference).await.expect("a pull");
        assert_eq!(fetched.component.digest, Digest::of(&binary(ANSWER)));
        fetched
    }
}

/// Whether the proxy saw these credentials, and no others.
fn only(seen: &[Option<String>], login: Login<'_>) -> bool {
    let basic = login.basic();
    let mut with = seen.iter().flatten().peekable();
    with.peek().is_some() && with.all(|header| *header == basic)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_host_gets_its_own_credentials() {
    let guarded = Guarded::start().await;
    let both = [
        ALICE.at(&guarded.upstream.address()),
        BOB.at(&guarded.mirror.address()),
    ];
    let credentials = CredentialOptions {
        registry_auth: Some(Secret::from(both.join(","))),
        ..CredentialOptions::default()
    };
    let fetched = guarded.pull("['pull']", credentials.clone()).await;
    let tried = [guarded.upstream.address(), guarded.mirror.address()];
    assert_eq!(fetched.receipt.hosts_tried, tried);
    assert!(only(&guarded.upstream.authorizations(), ALICE));
    assert!(only(&guarded.mirror.authorizations(), BOB));

    // Everything comes from the cache, which has its own login to the registry.
    let before = guarded.upstream.authorizations().len();
    guarded.pull("['pull', 'resolve']", credentials).await;
    assert_eq!(guarded.upstream.authorizations().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_without_credentials_of_its_own_is_passed_over() {
    let guarded = Guarded::start().await;
    let given = Given {
        registry: guarded.upstream.address(),
        credential: Credential::Password {
            username: ALICE.username.into(),
            secret: ALICE.secret.into(),
        },
    };
    let credentials = CredentialOptions {
        given: Some(given),
        ..CredentialOptions::default()
    };
    guarded.pull("['pull', 'resolve']", credentials).await;
    let seen = guarded.mirror.authorizations();
    assert!(!seen.is_empty() && seen.iter().all(Option::is_none));
    assert!(only(&guarded.upstream.authorizations(), ALICE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_server_is_reached_as_its_registry_is() {
    let open = Registry::start();
    open.push("private/answer", "v1", &answer()).await;
    let certificates = Certificates::new();
    let tokens = TokenServer::secure(&certificates).await;
    let secure = open.secure_beside(&certificates, &tokens.registry_config());
    let address = secure.address().to_owned();
    let reference = secure.reference("private/answer:v1");
    // By default, loopback hosts use plain HTTP.
    let entry = format!("host = '{address}'\nplain_http = false\n");
    let load = |access: &str| {
        Load::with(FetchOptions {
            registry: wassette::registry::Options {
                mirrors: host(&format!("{entry}{access}")),
                credentials: CredentialOptions {
                    registry_auth: Some(ALICE.at(&address).into()),
                    ..CredentialOptions::default()
                },
                ..Default::default()
            },
            ..FetchOptions::default()
        })
    };
    let ca = format!("ca = '{}'", certificates.authority().display());
    let nothing = load("").fails(&reference).await;
    assert_eq!(nothing.code(), "untrusted-certificate");
    load(&ca).fails(&reference).await;
    assert!(tokens.asked().is_empty());
    let all = certificates.as_access();
    load(&all).run(&reference).await.expect("a pull");
    assert_eq!(tokens.asked().len(), 1);

    // The same host as a mirror of another registry.
    let elsewhere = "oci://registry.invalid/private/answer:v1";
    let mirror = format!("{all}capabilities = ['pull', 'resolve']");
    load(&mirror).run(elsewhere).await.expect("a pull");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_the_way_of_pulls() {
    let open = Registry::start();
    open.push("private/answer", "v1", &answer()).await;
    let certificates = Certificates::new();
    let tokens = TokenServer::secure(&certificates).await;
    let secure = open.secure_beside(&certificates, &tokens.registry_config());
    let address = secure.address().to_owned();
    let all = certificates.as_access();
    for (registry, access, works) in [
        (address.as_str(), all.as_str(), true),
        // A mirror of another registry, with a login under its own name.
        ("registry.invalid", &all, true),
        (&address, "plain_http = false\n", false),
    ] {
        let cli = Cli::new();
        std::fs::create_dir_all(cli.root()).expect("a directory");
        let config = format!(
            "[[registry.mirrors.'{registry}']]\nhost = '{address}'\n\
             capabilities = ['pull', 'resolve']\n{access}"
        );
        std::fs::write(cli.root().join("config.toml"), &config).expect("written");
        let ended = cli.run(["login", &address, "--username", USER, "--password", SECRET]);
        assert_eq!(ended.code == 0, works, "{config}{}", ended.stderr);
        if works {
            let uri = format!("oci://{registry}/private/answer:v1");
            let loaded = cli.run(["load", "--uri", &uri]);
            assert_eq!(loaded.code, 0, "{}", loaded.stderr);
        } else {
            assert!(ended.stderr.contains("give the certificate of its CA"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_lie_where_docker_keeps_them() {
    let open = Registry::start();
    open.push("acme/answer", "v1", &answer()).await;
    let certificates = Certificates::new();
    let secure = open.secure_beside(&certificates, "");
    let cli = Cli::new();
    let directory = cli.root().join("certs.d").join(secure.address());
    std::fs::create_dir_all(&directory).expect("a directory");
    for (from, to) in [
        ("ca.pem", "ca.crt"),
        ("client.pem", "client.cert"),
        ("client.key", "client.key"),
    ] {
        std::fs::copy(certificates.file(from), directory.join(to)).expect("copied");
    }
    let config = "[registry]\ncerts_dir = 'certs.d'\n";
    std::fs::write(cli.root().join("config.toml"), config).expect("written");
    let uri = secure.reference("acme/answer:v1");
    let loaded = cli.run(["load", "--uri", &uri]);
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);
    std::fs::remove_file(directory.join("client.key")).expect("removed");
    let refused = cli.run(["load", "--uri", &uri]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("client.key"), "{}", refused.stderr);
}
