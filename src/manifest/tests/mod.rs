mod bad_input;
mod entries;
mod export;
mod include;
mod lock;
mod schema;
mod tools;
mod trust;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::*;
use crate::error::Diagnose;

/// Files by their paths.
struct Memory(HashMap<&'static str, &'static str>);

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<(PathBuf, String)> {
        let text = path.to_str().and_then(|path| self.0.get(path));
        let text = text.ok_or(io::ErrorKind::NotFound)?;
        Ok((path.to_owned(), (*text).to_owned()))
    }
}

fn variable(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("api.example.com".into()),
        "TOKEN" => Some("s3cret-t0ken".into()),
        _ => None,
    }
}

fn load_with(
    files: &[(&'static str, &'static str)],
    text: &str,
) -> Result<Manifest, ManifestError> {
    let files = Memory(files.iter().copied().collect());
    let path = Path::new("/fleet/fleet.yaml");
    crate::manifest::load("fleet.yaml", text, path, &files, &Variables::new(&variable))
}

fn loaded(text: &str) -> Manifest {
    load_with(&[], text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refused(text: &str) -> String {
    let error = load_with(&[], text).unwrap_err();
    assert_eq!(error.code(), "invalid-manifest");
    error.to_string()
}

const SEED: &str = "\
# manifest.yaml
version: 1
components:
  - uri: oci://ghcr.io/microsoft/get-weather-js:latest
    name: weather-service
    permissions:
      network:
        allow:
          - host: api.openweathermap.org
      environment:
        allow:
          - key: OPENWEATHER_API_KEY

  - uri: oci://ghcr.io/microsoft/github-js:latest
    name: github-api
    permissions:
      network:
        allow:
          - host: api.github.com
      environment:
        allow:
          - key: GITHUB_TOKEN
";
