//! Verifies and describes fetched bytes. All components pass through here.

use std::path::Path;

use serde_json::Value;

use crate::fetch::Fetched;
use crate::file::{Links, read_regular};
use crate::policy;
use crate::schema::{self, Description};
use crate::store::StoreError;
use crate::verify::{self, Requirements, Verified};

use super::{Error, Found};

/// A verified component, with its description and the metadata of its artifact.
pub struct Examined {
    pub verified: Verified,
    pub description: Description,
    /// The permissions that the artifact requests.
    pub requested_permissions: Option<Value>,
}

impl Examined {
    /// Verifies and describes a fetched component; `name` is used in descriptions only. Blocks,
    /// because it reads the whole component.
    ///
    /// # Errors
    ///
    /// When it fails verification, is not a component, or carries an invalid policy.
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
