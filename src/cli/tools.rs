use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::reference::ComponentId;
use crate::service::{Error, Service};
use crate::store::StoreError;
use crate::toolbox::Tool;

use super::arguments::arguments;
use super::output::{self, Present};
use super::table::{Cell, grid, pairs};
use super::{Failure, Global, Opening};

/// Show the tools of the installed components, or how one is called
#[derive(Args)]
#[command(after_help = "\
Examples:
  wassette tools
  wassette tools text
  wassette tools text slug")]
pub struct Tools {
    /// Id of a component, or name of a tool
    #[arg(value_name = "ID|NAME")]
    of: Option<String>,

    /// Name of a tool of this component
    name: Option<String>,
}

/// Several tools, one per line.
#[derive(Serialize)]
struct Listing {
    tools: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    component_id: ComponentId,
    description: String,
    input_schema: Map<String, Value>,
    output_schema: Map<String, Value>,
    #[serde(skip)]
    tool: Arc<Tool>,
}

impl Tools {
    pub(super) fn run(self, global: &Global) -> Result<(), Failure> {
        let service = global.open(Opening::default())?;
        service.offer_installed()?;
        let tools = service.toolbox().list();
        let Some(of) = &self.of else {
            let tools = tools.iter().cloned().map(Shown::from).collect();
            return Ok(output::print(&Listing { tools }, global.output)?);
        };
        let id = ComponentId::parse(of).ok();
        let of_component: Vec<Arc<Tool>> = tools
            .iter()
            .filter(|tool| id.as_ref() == Some(&tool.component))
            .cloned()
            .collect();
        let one = match (&self.name, of_component.is_empty()) {
            (None, true) => tools.iter().find(|tool| tool.name == *of).cloned(),
            (None, false) => {
                let tools = of_component.into_iter().map(Shown::from).collect();
                return Ok(output::print(&Listing { tools }, global.output)?);
            }
            (Some(name), _) => of_component.into_iter().find(|tool| tool.name == *name),
        };
        match one {
            Some(tool) => Ok(output::print(&Shown::from(tool), global.output)?),
            None => Err(self.unknown(&service, id)),
        }
    }

    /// The error for an unknown component or tool.
    fn unknown(&self, service: &Service, id: Option<ComponentId>) -> Failure {
        match (&self.name, &self.of, id) {
            (Some(_), _, Some(id)) if service.toolbox().names_of(&id).is_empty() => {
                Error::from(StoreError::NotInstalled { id }).into()
            }
            (Some(name), ..) | (None, Some(name), _) => service.unknown_tool(name).into(),
            (None, None, _) => service.unknown_tool("").into(),
        }
    }
}

impl From<Arc<Tool>> for Shown {
    fn from(tool: Arc<Tool>) -> Self {
        Shown {
            name: tool.name.clone(),
            component_id: tool.component.clone(),
            description: tool.description().to_owned(),
            input_schema: tool.input_schema().clone(),
            output_schema: tool.output_schema().clone(),
            tool,
        }
    }
}

impl Present for Listing {
    fn table(&self) -> String {
        if self.tools.is_empty() {
            return "There are no tools; `wassette load SOURCE` installs a component".into();
        }
        let rows = self.tools.iter().map(|shown| {
            vec![
                shown.name.clone().into(),
                shown.component_id.to_string().into(),
                Cell::prose(&shown.description),
            ]
        });
        grid(&["NAME", "ID", "DESCRIPTION"], rows.collect())
    }
}

impl Present for Shown {
    fn table(&self) -> String {
        let arguments = arguments(&self.tool);
        let width = arguments.iter().map(|one| one.name.len()).max();
        let width = width.unwrap_or_default();
        let lines = arguments.iter().map(|argument| {
            let optional = if argument.is_required {
                ""
            } else {
                ", optional"
            };
            let described = argument.description().map(|text| format!("\n    {text}"));
            format!(
                "--{:width$}  {}{optional}{}",
                argument.name,
                argument.kind(),
                described.unwrap_or_default()
            )
        });
        let lines: Vec<String> = lines.collect();
        let mut call = format!("wassette call {}", self.name);
        for argument in arguments.iter().filter(|argument| argument.is_required) {
            call.push_str(&format!(" {}", argument.example()));
        }
        let mut rows = vec![
            ("tool", self.name.clone()),
            ("component", self.component_id.to_string()),
        ];
        if !self.description.is_empty() {
            rows.push(("description", self.description.clone()));
        }
        let takes = match lines.is_empty() {
            true => "none".into(),
            false => lines.join("\n"),
        };
        rows.extend([("arguments", takes), ("example", call)]);
        pairs(&rows)
    }
}
