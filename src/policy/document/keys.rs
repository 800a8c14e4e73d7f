//! The keys of each mapping in the document, known and rejected.

/// The keys of one mapping.
pub struct Keys {
    pub known: &'static [&'static str],
    /// Keys of other policy dialects, with the reason that the error message
    /// gives.
    pub refused: &'static [(&'static str, &'static str)],
}

pub const DOCUMENT: Keys = Keys {
    known: &["version", "description", "permissions", "$schema"],
    refused: &[],
};

pub const PERMISSIONS: Keys = Keys {
    known: &["network", "storage", "environment", "resources"],
    refused: &[
        (
            "ipc",
            "components have no inter-process communication to permit",
        ),
        (
            "runtime",
            "how the component is run is not a permission; directories are granted under `storage`",
        ),
        ("filesystem", "files are granted under `storage`"),
        ("limits", "limits belong under `resources`"),
    ],
};

pub const LISTS: Keys = Keys {
    known: &["allow", "deny"],
    refused: &[],
};

pub const ENVIRONMENT: Keys = Keys {
    known: &["allow"],
    refused: &[(
        "deny",
        "only the keys under `allow` are visible, so there is nothing to deny",
    )],
};

pub const NETWORK_RULE: Keys = Keys {
    known: &["host", "cidr"],
    refused: &[
        (
            "port",
            "the port follows the host or network: `api.example.com:443`, `10.0.0.0/8:5432`",
        ),
        (
            "scheme",
            "the scheme precedes the host: `https://api.example.com`",
        ),
        (
            "defaults",
            "there is no list of default hosts: name each one",
        ),
    ],
};

pub const STORAGE_ALLOW: Keys = Keys {
    known: &["uri", "access", "quota"],
    refused: &[("path", "give a `uri`: `fs:///data/**`")],
};

pub const STORAGE_DENY: Keys = Keys {
    known: &["uri", "access"],
    refused: &[
        ("path", "give a `uri`: `fs:///data/**`"),
        ("quota", "a quota applies only to an allow rule"),
    ],
};

pub const ENVIRONMENT_RULE: Keys = Keys {
    known: &["key", "value", "value_from"],
    refused: &[],
};

pub const RESOURCES: Keys = Keys {
    known: &["limits"],
    refused: &[
        (
            "memory",
            "write it under `limits`, with a unit: `limits: {memory: 512Mi}`",
        ),
        (
            "cpu",
            "write it under `limits`, in processors: `limits: {cpu: 500m}`",
        ),
        ("io", "the speed of files and network cannot be limited"),
        (
            "requests",
            "nothing is reserved for a component; only `limits` can be set",
        ),
    ],
};

pub const LIMITS: Keys = Keys {
    known: &["memory", "cpu", "time", "instances", "output"],
    refused: &[],
};
