//! `secret`: the values that a person gives to a component.

use serde::Serialize;

use crate::reference::ComponentId;
use crate::secret::Secret;
use crate::store::{SecretKey, Secrets};

use super::{Error, Service};

/// The secrets that were set or deleted.
#[derive(Debug, Clone, Serialize)]
pub struct SecretNames {
    pub component_id: ComponentId,
    pub keys: Vec<SecretKey>,
}

#[derive(Debug, Clone, Serialize)]
pub struct SecretList {
    pub component_id: ComponentId,
    pub secrets: Vec<ListedSecret>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ListedSecret {
    pub key: SecretKey,
    /// Present only when a person asked to see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Whether a list of secrets shows their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    Hidden,
    Shown,
}

impl Service {
    /// Sets secrets of a component, which need not be installed yet.
    ///
    /// # Errors
    ///
    /// [`Error::Secret`]; nothing is then changed.
    pub fn set_secrets(
        &self,
        id: &ComponentId,
        secrets: Vec<(SecretKey, Secret)>,
    ) -> Result<SecretNames, Error> {
        let keys = secrets.iter().map(|(key, _)| key.clone()).collect();
        self.disk.blocking().secrets().set(id, secrets)?;
        Ok(SecretNames {
            component_id: id.clone(),
            keys,
        })
    }

    /// # Errors
    ///
    /// [`Error::Secret`] when the file cannot be used.
    pub fn list_secrets(&self, id: &ComponentId, values: Values) -> Result<SecretList, Error> {
        let secrets = self.secrets(id)?;
        let listed = |(key, value): (&SecretKey, &Secret)| ListedSecret {
            key: key.clone(),
            value: (values == Values::Shown).then(|| value.expose().to_owned()),
        };
        Ok(SecretList {
            component_id: id.clone(),
            secrets: secrets.iter().map(listed).collect(),
        })
    }

    /// # Errors
    ///
    /// [`Error::Secret`] when one of them does not exist; none is then deleted.
    pub fn delete_secrets(
        &self,
        id: &ComponentId,
        keys: Vec<SecretKey>,
    ) -> Result<SecretNames, Error> {
        self.disk.blocking().secrets().delete(id, &keys)?;
        Ok(SecretNames {
            component_id: id.clone(),
            keys,
        })
    }

    /// Whether the component is installed.
    pub fn is_installed(&self, id: &ComponentId) -> bool {
        self.disk.layout().component(id).dir.is_dir()
    }

    /// The current secrets of a component.
    pub(super) fn secrets(&self, id: &ComponentId) -> Result<Secrets, Error> {
        Ok(self.disk.blocking().secrets().get(id)?)
    }
}
