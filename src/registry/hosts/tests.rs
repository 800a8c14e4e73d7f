use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

#[derive(Debug, Deserialize)]
struct Config {
    mirrors: BTreeMap<RegistryName, Vec<Host>>,
}

fn configured(text: &str) -> Mirrors {
    let config: Config = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
    Mirrors {
        hosts: config.mirrors,
        certs_dir: None,
    }
}

fn names(hosts: &[Host]) -> Vec<&str> {
    hosts.iter().map(|host| host.host.as_str()).collect()
}

/// A `certs_dir` of these directories, each with its `hosts.toml`.
fn certs_dir(files: &[(&str, &str)]) -> (TempDir, Mirrors) {
    let root = TempDir::new().expect("a temporary directory");
    for (name, text) in files {
        let directory = root.path().join(name);
        fs::create_dir(&directory).expect("a directory");
        fs::write(directory.join("hosts.toml"), text).expect("written");
    }
    let mirrors = Mirrors {
        certs_dir: Some(root.path().to_owned()),
        ..Mirrors::default()
    };
    (root, mirrors)
}

fn parse_file(text: &str) -> Result<Vec<Host>, InvalidHosts> {
    let path = Path::new("/certs/reg.lan/hosts.toml");
    containerd::parse(text, path).map(|file| file.hosts("reg.lan"))
}

#[test]
fn a_byte_order_mark_and_line_ends_of_windows_do_no_harm() {
    let text = "\u{feff}server = \"https://r.lan\"\r\n[host.\"https://m.lan\"]\r\n";
    let hosts = parse_file(text).expect("a file");
    assert_eq!(names(&hosts), ["m.lan", "r.lan"]);
}

#[test]
fn every_key_of_the_configuration_is_read() {
    let mut mirrors = configured(
        r#"
        [[mirrors."ghcr.io"]]
        host = "Cache.lan:5000"
        path = "/v2/ghcr-proxy/"
        capabilities = ["pull", "resolve"]
        plain_http = false
        ca = ["a.pem", "/b.pem"]
        client_cert = ["c.crt", "c.key"]
        dial_timeout = "1m30.5s"

        [[mirrors."ghcr.io"]]
        host = "[::1]:5000"
        ca = "a.pem"
        client_cert = "both.pem"
        "#,
    );
    mirrors.relative_to(Path::new("/root"));
    let hosts = mirrors.of("ghcr.io").expect("hosts");
    assert_eq!(names(&hosts), ["cache.lan:5000", "[::1]:5000", "ghcr.io"]);
    let [first, second, upstream] = hosts.as_slice() else {
        panic!("{hosts:?}");
    };
    assert_eq!(
        first.path.as_ref().map(ApiPath::as_str),
        Some("/v2/ghcr-proxy")
    );
    assert_eq!(first.plain_http, Some(false));
    let access = Access {
        ca: vec!["/root/a.pem".into(), "/b.pem".into()],
        client_cert: Some(Certificate {
            chain: "/root/c.crt".into(),
            key: "/root/c.key".into(),
        }),
        dial_timeout: first.access.dial_timeout,
    };
    assert_eq!(first.access, access);
    let patience = access.dial_timeout.map(DialTimeout::duration);
    assert_eq!(patience, Some(Duration::from_millis(90_500)));
    let both = second.access.client_cert.clone().expect("a certificate");
    assert_eq!(
        (both.chain, both.key),
        ("/root/both.pem".into(), "/root/both.pem".into())
    );
    assert_eq!(*upstream, Host::upstream("ghcr.io"));
}

#[test]
fn only_who_says_so_resolves_tags() {
    let hosts = configured(
        r#"
        mirrors."a.lan" = [
            { host = "silent.lan" },
            { host = "trusted.lan", capabilities = ["resolve", "pull"] },
            { host = "tags.lan", capabilities = ["resolve"] },
        ]"#,
    )
    .of("a.lan")
    .expect("hosts");
    let able = |capability| {
        let hosts = hosts.iter().filter(|host| host.can(capability, "a.lan"));
        hosts.map(|host| host.host.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(
        able(Capability::Resolve),
        ["trusted.lan", "tags.lan", "a.lan"]
    );
    assert_eq!(
        able(Capability::Pull),
        ["silent.lan", "trusted.lan", "a.lan"]
    );
}

#[test]
fn the_registry_is_last_unless_listed() {
    let mirrors = configured(
        r#"
        mirrors."docker.io" = [{ host = "registry-1.docker.io" }, { host = "m.lan" }]
        mirrors."alone.lan" = []
        mirrors."_default" = [{ host = "m.lan" }]"#,
    );
    let of = |registry| mirrors.of(registry).expect("hosts");
    assert_eq!(names(&of("docker.io")), ["registry-1.docker.io", "m.lan"]);
    assert_eq!(names(&of("alone.lan")), ["alone.lan"]);
    assert_eq!(names(&of("other.lan:5000")), ["m.lan", "other.lan:5000"]);
    assert_eq!(names(&of("m.lan")), ["m.lan"]);
}

#[test]
fn a_bad_configuration_says_what_is_bad() {
    for (text, reason) in [
        (r#""x" = [{}]"#, "missing field `host`"),
        (
            r#""x" = [{ host = "https://m.lan" }]"#,
            "without `https://`",
        ),
        (r#""x" = [{ host = "m.lan/path" }]"#, "is not a host"),
        (r#""x" = [{ host = "user@m.lan" }]"#, "is not a host"),
        (r#""x" = [{ host = "m.lan:99999" }]"#, "is not a host"),
        (r#""x" = [{ host = "" }]"#, "is not a host"),
        (r#""https://x" = []"#, "is not a host"),
        (
            r#""x" = [{ host = "m", mirror = true }]"#,
            "unknown field `mirror`",
        ),
        (
            r#""x" = [{ host = "m", capabilities = ["push"] }]"#,
            "unknown variant `push`",
        ),
        (r#""x" = [{ host = "m", path = "v2" }]"#, "is not a path"),
        (
            r#""x" = [{ host = "m", path = "/v2/../x" }]"#,
            "is not a path",
        ),
        (
            r#""x" = [{ host = "m", dial_timeout = "soon" }]"#,
            "is not a time",
        ),
        (
            r#""x" = [{ host = "m", dial_timeout = "" }]"#,
            "is not a time",
        ),
        (
            r#""x" = [{ host = "m", dial_timeout = "2" }]"#,
            "is not a time",
        ),
        (
            r#""x" = [{ host = "m", dial_timeout = "2h" }]"#,
            "is not a time",
        ),
        (
            r#""x" = [{ host = "m", ca = 1 }]"#,
            "a file or a list of files",
        ),
        (
            r#""x" = [{ host = "m", client_cert = [] }]"#,
            "a pair of files",
        ),
    ] {
        let error = toml::from_str::<Config>(&format!("mirrors.{text}")).expect_err(text);
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
}

#[test]
fn a_hosts_file_keeps_its_order() {
    let hosts = parse_file(
        r#"
        server = "https://upstream.lan"
        ca = "upstream.pem"
        [host."https://z.lan"]
          capabilities = ["pull", "resolve", "push"]
          client = [["z.cert", "z.key"], ["other.pem", ""]]
          dial_timeout = "1s"
          unknown_to_us = 1
          [host."https://z.lan".header]
            x-custom = ["a", "b"]
        [host."http://a.lan:5000/sub"]
          skip_verify = true
        [host."https://harbor.lan/v2/proxy"]
          override_path = true
          client = [["c.pem", ""]]
        [host."plain.lan"]
          ca = ["one.pem", "/two.pem"]
          client = ["first.pem", "second.pem"]
        "#,
    )
    .expect("a file");
    assert_eq!(
        names(&hosts),
        [
            "z.lan",
            "a.lan:5000",
            "harbor.lan",
            "plain.lan",
            "upstream.lan"
        ]
    );
    let path = |n: usize| hosts[n].path.as_ref().map(ApiPath::as_str);
    assert_eq!(
        [path(0), path(1), path(2)],
        [None, Some("/sub/v2"), Some("/v2/proxy")]
    );
    let plain: Vec<_> = hosts.iter().map(|host| host.plain_http).collect();
    assert_eq!(plain, [false, true, false, false, false].map(Some));
    let certificate = |n: usize| hosts[n].access.client_cert.clone().expect("a certificate");
    assert_eq!(certificate(0).key, Path::new("/certs/reg.lan/z.key"));
    assert_eq!(certificate(2).key, Path::new("/certs/reg.lan/c.pem"));
    assert_eq!(certificate(3).chain, Path::new("/certs/reg.lan/first.pem"));
    assert_eq!(hosts[3].access.ca[1], Path::new("/two.pem"));
    let server = &hosts[4];
    assert_eq!(server.access.ca, [Path::new("/certs/reg.lan/upstream.pem")]);
    // The `server` replaces the registry and is trusted like it, although it is another host.
    assert!(server.can(Capability::Resolve, "reg.lan") && !server.is("reg.lan"));
    assert!(!hosts[1].can(Capability::Resolve, "reg.lan"));
}

#[test]
fn a_bad_hosts_file_names_itself_and_the_host() {
    for (text, reason) in [
        ("server = ", "is not a list of hosts"),
        ("server = 3", "is not a list of hosts"),
        ("host = 3", "is not a list of hosts"),
        (
            r#"host."https://m".dial_timeout = "x""#,
            "is not a list of hosts",
        ),
        (r#"host."ftp://m".ca = "x""#, "`ftp://m`: only `https://`"),
        (r#"host."https://u:p@m".ca = "x""#, "is not a host"),
        (r#"host."https://m?x".ca = "x""#, "is not a host"),
        (r#"host."https://m/a/../b".ca = "x""#, "is not a path"),
        (r#"host."https://m".override_path = true"#, "needs a path"),
        (r#"host."m".capabilities = ["fly"]"#, "no capability `fly`"),
    ] {
        let error = parse_file(text).expect_err(text).to_string();
        assert!(error.contains("/certs/reg.lan/hosts.toml"), "{error}");
        assert!(error.contains(reason), "{text}: {error}");
    }
}

#[test]
fn directories_are_found_as_containerd_does() {
    let mirror = |name: &str| format!("[host.\"https://{name}\"]");
    let (_root, mut mirrors) = certs_dir(&[
        ("_default", &mirror("default.lan")),
        ("a.lan_5000_", &mirror("underscore.lan")),
        ("a.lan:5000", &mirror("colon.lan")),
        ("b.lan", "server = \"https://only.lan\""),
        ("docker.io", &mirror("registry-1.docker.io")),
        ("c.lan", "capabilities = [\"pull\"]"),
    ]);
    let of = |mirrors: &Mirrors, registry| {
        let hosts = mirrors.of(registry).expect("hosts");
        names(&hosts).join(" ")
    };
    assert_eq!(of(&mirrors, "a.lan:5000"), "underscore.lan a.lan:5000");
    assert_eq!(of(&mirrors, "a.lan"), "default.lan a.lan");
    assert_eq!(of(&mirrors, "b.lan"), "only.lan");
    assert_eq!(of(&mirrors, "c.lan"), "c.lan");
    assert_eq!(of(&mirrors, "docker.io"), "registry-1.docker.io");
    let reluctant = mirrors.of("c.lan").expect("hosts").remove(0);
    assert!(!reluctant.can(Capability::Resolve, "c.lan"));
    // An entry in `config.toml`, also the one for all registries, takes precedence.
    mirrors.hosts = configured(
        r#"
        mirrors."b.lan" = []
        mirrors."_default" = []"#,
    )
    .hosts;
    assert_eq!(of(&mirrors, "b.lan"), "b.lan");
    assert_eq!(of(&mirrors, "a.lan:5000"), "underscore.lan a.lan:5000");
    assert_eq!(of(&mirrors, "a.lan"), "a.lan");
}

#[test]
fn a_directory_without_a_word_exempts_its_registry() {
    let mirror = "[host.\"https://default.lan\"]";
    let (root, mirrors) = certs_dir(&[("_default", mirror), ("b.lan", mirror)]);
    let of = |registry| {
        let hosts = mirrors.of(registry).expect("hosts");
        names(&hosts).join(" ")
    };
    assert_eq!(of("a.lan:5000"), "default.lan a.lan:5000");
    fs::create_dir(root.path().join("a.lan:5000")).expect("a directory");
    assert_eq!(of("a.lan:5000"), "a.lan:5000");
    // The first existing directory is used.
    fs::create_dir(root.path().join("a.lan_5000_")).expect("a directory");
    fs::write(root.path().join("a.lan:5000/hosts.toml"), mirror).expect("written");
    assert_eq!(of("a.lan:5000"), "a.lan:5000");
    assert_eq!(of("b.lan"), "default.lan b.lan");
}

#[test]
fn certificates_are_found_where_docker_keeps_them() {
    let (root, mirrors) = certs_dir(&[("both.lan", "[host.'https://m.lan']\n")]);
    let registry = root.path().join("reg.lan:5000");
    fs::create_dir(&registry).expect("a directory");
    assert_eq!(
        names(&mirrors.of("reg.lan:5000").expect("none")),
        ["reg.lan:5000"]
    );
    for name in ["b.crt", "a.crt", "client.key", "client.cert", "README"] {
        fs::write(registry.join(name), "").expect("written");
    }
    let hosts = mirrors.of("reg.lan:5000").expect("hosts");
    assert_eq!(names(&hosts), ["reg.lan:5000"]);
    let access = Access {
        ca: vec![registry.join("a.crt"), registry.join("b.crt")],
        client_cert: Some(Certificate {
            chain: registry.join("client.cert"),
            key: registry.join("client.key"),
        }),
        dial_timeout: None,
    };
    assert_eq!(hosts[0].access, access);
    assert!(hosts[0].can(Capability::Resolve, "reg.lan:5000"));

    // A `hosts.toml` replaces all other settings in its directory.
    fs::write(root.path().join("both.lan/ca.crt"), "").expect("written");
    let hosts = mirrors.of("both.lan").expect("hosts");
    assert_eq!(names(&hosts), ["m.lan", "both.lan"]);
    assert_eq!(hosts[1].access, Access::default());

    fs::remove_file(registry.join("client.key")).expect("removed");
    let error = mirrors.of("reg.lan:5000").expect_err("half a pair");
    assert!(matches!(error, InvalidHosts::NoKey { .. }), "{error}");
}

#[test]
fn a_mirror_keeps_its_certificates_under_its_own_name() {
    let ca = |host: &Host| host.access.ca.clone();
    let listed = configured(
        r#"
        mirrors."a.lan" = [{ host = "m.lan" }, { host = "a.lan", ca = "/a.pem" }]
        mirrors."b.lan" = [{ host = "m.lan", ca = "/m.pem" }]"#,
    );
    for (name, expected) in [
        ("a.lan", Some("/a.pem")),
        ("m.lan", Some("/m.pem")),
        ("c.lan", None),
    ] {
        let host = listed.named(name).expect("a host");
        let expected: Vec<PathBuf> = expected.map(PathBuf::from).into_iter().collect();
        assert_eq!((host.host.as_str(), ca(&host)), (name, expected));
    }
    let (_root, in_files) = certs_dir(&[
        ("broken.lan", "server = ["),
        ("reg.lan", "[host.'https://m.lan']\nca = '/m.pem'\n"),
    ]);
    let host = in_files.named("m.lan").expect("a host");
    assert_eq!(ca(&host), [PathBuf::from("/m.pem")]);
    in_files.named("broken.lan").expect_err("its own file");
}
