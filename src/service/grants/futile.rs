//! Refuses grants that cannot have any effect, and says why.

use std::fs;
use std::path::{Path, PathBuf};

use crate::policy::{LimitRule, Permission, Policy, StorageUri};
use crate::runtime;

/// Where Linux mounts its kernel filesystems.
const KERNEL: [&str; 2] = ["/proc", "/sys"];

/// Why a permission would allow nothing under this policy; `None` if it would.
pub(super) fn futile(permission: &Permission, policy: &Policy, root: &Path) -> Option<String> {
    if let Permission::Storage(rule) = permission
        && let Some(reason) = never(&rule.uri, root)
    {
        return Some(reason);
    }
    let deny = policy.denied_by(permission)?;
    Some(format!(
        "a deny of its policy, `{deny}`, wins over every grant of it"
    ))
}

/// Why no grant can include these files. Grants below the working directory are not
/// checked, because that of the server may differ from ours.
fn never(uri: &StorageUri, root: &Path) -> Option<String> {
    let start = uri.absolute_start()?;
    let absolute = std::path::absolute(root).ok();
    let own = [absolute, root.canonicalize().ok()].into_iter().flatten();
    if let Some(own) = own.into_iter().find(|own| start.starts_with(own)) {
        return Some(format!(
            "the server keeps its own files in `{}`, which no grant means",
            own.display()
        ));
    }
    let is_kernels = KERNEL.iter().any(|place| start.starts_with(place));
    if cfg!(target_os = "linux") && is_kernels {
        if !uri.is_literal() {
            return Some(
                "the kernel's files are granted by their whole paths alone, not with `*`".into(),
            );
        }
        if start.starts_with("/proc/self") || start.starts_with("/proc/thread-self") {
            return Some("`/proc/self` is a link to another path with each process".into());
        }
    }
    uri.is_literal().then(|| of_kind(&start)).flatten()
}

/// Why a file of this kind is never opened.
#[cfg(unix)]
fn of_kind(path: &Path) -> Option<String> {
    use std::os::unix::fs::FileTypeExt;
    let kind = fs::symlink_metadata(path).ok()?.file_type();
    let never =
        kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device();
    never.then(|| "it is a pipe, socket or device, which no component can open".into())
}

#[cfg(not(unix))]
fn of_kind(_: &Path) -> Option<String> {
    None
}

/// A remark for the user on a grant that is accepted.
pub(super) fn remark(permission: &Permission) -> Option<String> {
    match permission {
        Permission::Storage(rule) => {
            let start = rule.uri.absolute_start()?;
            let real = real_start(&start)?;
            (real != start).then(|| {
                format!(
                    "`{}` leads through a symbolic link, and grants are about real paths; \
                     grant `{}` instead",
                    start.display(),
                    real.display()
                )
            })
        }
        Permission::Limit(LimitRule::Memory(bytes)) => {
            let machine = runtime::machine_memory()?;
            (*bytes > machine).then(|| {
                format!(
                    "the limit of memory is beyond the machine's, which has {} MiB",
                    machine >> 20
                )
            })
        }
        Permission::Limit(LimitRule::Cpu(share)) if share.millicores() > 1000 => {
            Some("a call has one thread, so one processor is the most that it can use".into())
        }
        _ => None,
    }
}

/// The real path, followed by the names that do not exist yet.
fn real_start(start: &Path) -> Option<PathBuf> {
    start.ancestors().find_map(|there| {
        let real = there.canonicalize().ok()?;
        let rest = start.strip_prefix(there).ok()?;
        Some(if rest.as_os_str().is_empty() {
            real
        } else {
            real.join(rest)
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn storage(uri: &str) -> Permission {
        let fragment = json!({ "storage": { "uri": uri, "access": ["read"] } });
        serde_json::from_value(fragment).unwrap()
    }

    #[test]
    fn what_no_grant_means_is_told() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let told = |uri: &str| futile(&storage(uri), &Policy::default(), &root);
        let own = root.display();
        for (uri, word) in [
            (format!("fs://{own}"), "its own files"),
            (format!("fs://{own}/**"), "its own files"),
            (format!("fs://{own}/w/*.txt"), "its own files"),
            ("fs:///proc/**".into(), "the kernel's"),
            ("fs:///sys/class/*/x".into(), "the kernel's"),
            ("fs:///proc/self/environ".into(), "/proc/self"),
            ("fs:///dev/null".into(), "device"),
        ] {
            let reason = told(&uri).unwrap_or_default();
            assert!(reason.contains(word), "{uri}: {reason}");
        }
        let beside = format!("fs://{own}-beside/**");
        for uri in [&beside, "fs:///**", "fs://w/**", "fs:///proc/meminfo"] {
            assert_eq!(told(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_deny_that_covers_the_grant_is_told() {
        let text = "version: \"1.0\"\npermissions:\n  storage: {deny: [{uri: \"fs:///d/**\"}, \
                    {uri: \"fs:///w/**\", access: [write]}]}\n  network: {deny: [{host: \"*.x.org\"}]}\n";
        let policy = Policy::parse(text).unwrap();
        let told = |permission| futile(&permission, &policy, Path::new("/nowhere"));
        assert!(told(storage("fs:///d/a")).unwrap().contains("fs:///d/**"));
        assert_eq!(told(storage("fs:///w/a")), None);
        assert_eq!(told(storage("fs:///**")), None);
        let host = |host| serde_json::from_value(json!({ "network": { "host": host } })).unwrap();
        assert!(told(host("a.x.org")).unwrap().contains("*.x.org"));
        assert_eq!(told(host("x.org")), None);
    }

    #[test]
    fn what_helps_less_than_it_says_is_remarked() {
        let memory = |size| serde_json::from_value(json!({ "limits": { "memory": size } }));
        assert_eq!(remark(&memory("1Mi").unwrap()), None);
        if cfg!(target_os = "linux") {
            assert!(remark(&memory("1000Ti").unwrap()).unwrap().contains("MiB"));
        }
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().canonicalize().unwrap();
        std::os::unix::fs::symlink("real", real.join("link")).unwrap();
        fs::create_dir(real.join("real")).unwrap();
        let told = |path: &str| remark(&storage(&format!("fs://{}/{path}", real.display())));
        assert!(told("link/a/**").unwrap().contains("/real/a`"));
        assert_eq!(told("real/a/**"), None);
    }
}
