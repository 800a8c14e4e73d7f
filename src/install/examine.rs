//! The one place where fetched bytes are verified and described.

use std::path::Path;

use serde_json::Value;

use crate::fetch::Fetched;
use crate::file::{Links, read_regular};
use crate::policy;
use crate::schema::{self, Description};
use crate::store::StoreError;
use crate::verify::{self, Requirements, Verified};

use super::{Error, Found};

/// A component that was verified, with what its bytes and its artifact say.
pub struct Examined {
    pub verified: Verified,
    pub description: Description,
    /// What the artifact asks to be allowed.
    pub requested_permissions: Option<Value>,
}

impl Examined {
    /// Verifies and describes what was fetched; `name` appears in descriptions
    /// only. Blocks: it reads the whole component.
    ///
    /// # Errors
    ///
    /// When it is not what was asked for, not a component, or carries a policy
    /// that is not one.
    pub(crate) fn new(
        (fetched, found): (Fetched, &Found),
        requirements: &Requirements,
        name: &str,
    ) -> Result<Self, Error> {
        let verified = verify::verify(fetched, requirements, found.signature.clone())?;
        let fetched = verified.fetched();
        Ok(Examined {
            description: describe(&fetched.component.path, name)?,
            requested_permissions: fetched
                .policy
                .as_deref()
                .map(policy::requested_permissions)
                .transpose()?,
            verified,
        })
    }
}

/// Reads a component's world and functions from its bytes.
///
/// # Errors
///
/// When the file cannot be read, or is no component.
pub fn describe(path: &Path, name: &str) -> Result<Description, Error> {
    let bytes =
        read_regular(path, u64::MAX, Links::Refuse).map_err(StoreError::io("read", path))?;
    Ok(schema::describe(&bytes, name)?)
}
