use clap::{Args, Subcommand, ValueEnum};

use crate::policy::{
    Access, CidrRule, EnvironmentRule, HostPattern, InvalidPermission, LimitRule, NetworkRule,
    Permission as Granted, StorageRule, StorageUri, ValueSource, parse_size,
};
use crate::reference::ComponentId;
use crate::service::{Origin, PolicyReport};

use super::output;
use super::{Failure, Global, Opening, block_on};

/// Grant permissions to a component, and take them back
#[derive(Args)]
#[command(after_help = "\
A change is in force at the next call, also in servers that are running.

Examples:
  wassette permission grant network weather api.openweathermap.org
  wassette permission grant storage notes fs:///home/me/notes/** --access read,write
  wassette permission grant environment-variable weather TOKEN --secret
  wassette permission grant memory weather 1Gi
  wassette permission revoke network weather api.openweathermap.org
  wassette permission reset weather")]
pub struct Permission {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Let a component do something
    Grant {
        #[command(subcommand)]
        what: What,
    },
    /// Take a grant back; name it as it was granted
    Revoke {
        #[command(subcommand)]
        what: What,
    },
    /// Take all grants back
    Reset {
        /// Id of the component
        id: ComponentId,
    },
}

#[derive(Subcommand)]
enum What {
    /// Files and directories
    Storage {
        /// Id of the component
        id: ComponentId,
        /// fs:///absolute/path or fs://below/the/working/directory; `*` and `**` are wildcards
        uri: StorageUri,
        /// What may be done there
        #[arg(long, required = true, value_delimiter = ',', value_name = "MODES")]
        access: Vec<Mode>,
        /// What may be added to the files: bytes, or with a unit, such as `1Gi`
        #[arg(long, value_parser = parse_size, value_name = "SIZE")]
        quota: Option<u64>,
    },
    /// A host, or a network of addresses
    Network {
        /// Id of the component
        id: ComponentId,
        /// A host, `*.example.com`, `https://host:port`, an address or a CIDR
        #[arg(value_parser = parse_network)]
        host: NetworkRule,
    },
    /// An environment variable
    EnvironmentVariable {
        /// Id of the component
        id: ComponentId,
        /// Its name; its value is the component's secret of this name, or the server's own variable
        key: String,
        /// This value
        #[arg(long, conflicts_with = "secret")]
        value: Option<String>,
        /// The component's secret alone
        #[arg(long)]
        secret: bool,
    },
    /// Memory of one call
    Memory {
        /// Id of the component
        id: ComponentId,
        /// Bytes, or with a unit, such as `512Mi`
        #[arg(value_parser = parse_size)]
        size: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Read,
    Write,
}

/// An address with a prefix length is a CIDR; anything else is a host.
fn parse_network(text: &str) -> Result<NetworkRule, InvalidPermission> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    if rest.len() == text.len() && text.contains('/') {
        return Ok(NetworkRule::Cidr(text.parse::<CidrRule>()?));
    }
    Ok(NetworkRule::Host(text.parse::<HostPattern>()?))
}

impl Permission {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        let report: PolicyReport = block_on(async {
            Ok(match self.verb {
                Verb::Grant { what } => {
                    let (id, permission) = what.named()?;
                    service.grant(&id, permission, Origin::Cli).await?
                }
                Verb::Revoke { what } => {
                    let (id, permission) = what.named()?;
                    service.revoke(&id, permission, Origin::Cli).await?
                }
                Verb::Reset { id } => service.reset(&id, Origin::Cli).await?,
            })
        })?;
        output::print(&report, global.output)?;
        Ok(())
    }
}

impl What {
    fn named(self) -> Result<(ComponentId, Granted), Failure> {
        Ok(match self {
            What::Storage {
                id,
                uri,
                access,
                quota,
            } => {
                let access = access.into_iter().fold(Access::NONE, |all, mode| {
                    all | match mode {
                        Mode::Read => Access::READ,
                        Mode::Write => Access::WRITE,
                    }
                });
                (id, Granted::Storage(StorageRule { uri, access, quota }))
            }
            What::Network { id, host } => (id, Granted::Network(host)),
            What::EnvironmentVariable {
                id,
                key,
                value,
                secret,
            } => {
                let source = match (value, secret) {
                    (Some(value), _) => ValueSource::Value(value),
                    (None, true) => ValueSource::Secret,
                    (None, false) => ValueSource::Inherit,
                };
                let rule = EnvironmentRule::new(&key, source)?;
                (id, Granted::Environment(rule))
            }
            What::Memory { id, size } => (id, Granted::Limit(LimitRule::Memory(size))),
        })
    }
}
