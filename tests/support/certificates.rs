//! Test certificates, made with openssl.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// A certificate authority, and certificates from it for a server (127.0.0.1) and a
/// client.
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let path = dir.path();
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
        std::fs::write(path.join("names"), names).expect("written");
        let authority = "req -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem";
        openssl(path, &format!("{authority} {KEY}"));
        for name in ["server", "client"] {
            let request = format!("req -subj /CN={name} -keyout {name}.key -out {name}.csr");
            openssl(path, &format!("{request} {KEY}"));
            let signed = format!("x509 -req -days 2 -in {name}.csr -out {name}.pem");
            let by = "-CA ca.pem -CAkey ca.key -CAcreateserial -extfile names";
            openssl(path, &format!("{signed} {by}"));
        }
        Certificates { dir }
    }

    /// Creates a self-signed certificate for the server localhost.
    pub fn self_signed() -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let own = "req -x509 -days 2 -subj /CN=localhost -keyout server.key -out server.pem";
        let names = "-addext subjectAltName=DNS:localhost";
        openssl(dir.path(), &format!("{own} {names} {KEY}"));
        Certificates { dir }
    }

    /// Returns the PEM file of the certificate authority.
    pub fn authority(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// Configuration for a host with this authority and the client certificate.
    pub fn as_access(&self) -> String {
        let file = |name: &str| self.file(name).display().to_string();
        format!(
            "ca = '{}'\nclient_cert = ['{}', '{}']\n",
            file("ca.pem"),
            file("client.pem"),
            file("client.key")
        )
    }

    /// `ca.pem`, `server.pem`, `server.key`, `client.pem` or `client.key`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn openssl(directory: &Path, command: &str) {
    let ended = Command::new("openssl")
        .args(command.split_whitespace())
        .current_dir(directory)
        .output()
        .expect("openssl runs");
    let words = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command}: {words}");
}
