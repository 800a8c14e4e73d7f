use super::*;

fn package(text: &str) -> PackageReference {
    match text.parse() {
        Ok(Reference::Package(package)) => package,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_most_specific_registry_is_taken() {
    let config: Config = toml::from_str(
        r#"
        default_registry = "default.example"
        unknown_key = 1
        [namespace_registries]
        acme = "acme.example"
        wasi = { registry = "w", metadata = { oci = { registry = "ghcr.io" } } }
        [package_registry_overrides]
        "acme:special" = "special.example"
        [registry."acme.example"]
        type = "oci"
        [registry."acme.example".oci]
        auth = { username = "a", password = "b" }
        "#,
    )
    .unwrap();
    let of = |text: &str| config.registry_of(&package(text)).unwrap().0;
    assert_eq!(of("acme:special@1.0.0"), "special.example");
    assert_eq!(of("acme:weather"), "acme.example");
    assert_eq!(of("wasi:http"), "w");
    assert_eq!(of("other:one"), "default.example");
    let table = &config.registry["acme.example"];
    assert_eq!(table.protocol(), Some("oci"));
    let none = Config::default();
    assert_eq!(
        none.registry_of(&package("wasi:http")).unwrap().0,
        "wasi.dev"
    );
    assert!(none.registry_of(&package("acme:weather")).is_none());
}

#[test]
fn a_description_has_two_spellings() {
    for text in [
        r#"{"oci": {"registry": "ghcr.io", "namespacePrefix": "acme/"}}"#,
        r#"{"preferredProtocol": "oci", "oci": {"registry": "ghcr.io", "namespacePrefix": "acme/"}, "warg": {}}"#,
        r#"{"ociRegistry": "ghcr.io", "ociNamespacePrefix": "acme/"}"#,
    ] {
        let description: Description = serde_json::from_str(text).unwrap();
        assert_ne!(description.protocol(), Some("warg"), "{text}");
        let oci = description.oci().unwrap();
        assert_eq!(oci.registry.as_deref(), Some("ghcr.io"), "{text}");
        assert_eq!(oci.namespace_prefix.as_deref(), Some("acme/"), "{text}");
    }
    let warg: Description = serde_json::from_str(r#"{"warg": {"url": "x"}}"#).unwrap();
    assert_eq!(warg.protocol(), Some("warg"));
    let odd: Description = serde_json::from_str(r#"{"oci": {"registry": 7}}"#).unwrap();
    assert!(odd.oci().is_err());
}

#[test]
fn the_file_is_where_wkg_has_it() {
    let options = |variables: &[(&str, &str)]| {
        let value = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        PackageOptions::from_variables(value, Some("/home/u".into()))
    };
    for (variables, file) in [
        (&[][..], "/home/u/.config/wasm-pkg/config.toml"),
        (&[("XDG_CONFIG_HOME", "/x")], "/x/wasm-pkg/config.toml"),
        (
            &[("XDG_CONFIG_HOME", "x")],
            "/home/u/.config/wasm-pkg/config.toml",
        ),
        (
            &[("WKG_CONFIG_FILE", "my.toml"), ("XDG_CONFIG_HOME", "/x")],
            "my.toml",
        ),
    ] {
        let found = options(variables).config.unwrap();
        assert_eq!(found, Path::new(file), "{variables:?}");
    }
    let named = options(&[("WKG_REGISTRY", "r.example")]);
    assert_eq!(named.registry.as_deref(), Some("r.example"));
}
