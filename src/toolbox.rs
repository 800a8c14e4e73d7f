//! The live table of tools.
//!
//! The store records which tool each name means. Within one process, a name
//! never changes its meaning, even if the record changes: once a component has
//! used a name, no other component gets it. A conflicting tool is offered with
//! its component id as a prefix.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::reference::ComponentId;
use crate::schema::rules::{Arguments, FixedArgument};
use crate::schema::{ExportPath, NameLength, Reach, shorten_name};
use crate::store::{Offered, OfferedTool, ToolName};

/// A tool: one exported function under the name by which agents call it.
#[derive(Debug)]
pub struct Tool {
    pub name: String,
    pub component: ComponentId,
    offered: Arc<OfferedTool>,
    /// The possible effects of a call with the current grants.
    pub reach: Reach,
}

impl Tool {
    pub fn description(&self) -> &str {
        &self.offered.record.description
    }

    /// Returns the schema of the arguments that a call passes.
    pub fn input_schema(&self) -> &Map<String, Value> {
        &self.offered.record.input_schema
    }

    pub fn output_schema(&self) -> &Map<String, Value> {
        &self.offered.record.output_schema
    }

    /// Returns the function that a call runs.
    pub fn export(&self) -> &ExportPath {
        &self.offered.record.export
    }

    /// Returns the arguments of a call, completed with those that the operator sets.
    ///
    /// # Errors
    ///
    /// When the call has an argument that the operator has fixed.
    pub fn complete(&self, arguments: &Arc<Arguments>) -> Result<Arc<Arguments>, FixedArgument> {
        if self.offered.given.is_empty() {
            return Ok(Arc::clone(arguments));
        }
        let mut completed = Arguments::clone(arguments);
        let declared = self.input_schema().get("properties");
        let declared = declared.and_then(Value::as_object).into_iter().flatten();
        let declared = declared.map(|(name, _)| name.as_str());
        self.offered.given.complete(&mut completed, declared)?;
        Ok(Arc::new(completed))
    }
}

/// The tools of all components, with notification of changes.
#[derive(Debug)]
pub struct Toolbox {
    state: RwLock<State>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    /// The tools in the tool list, by name.
    tools: BTreeMap<String, Arc<Tool>>,
    /// Tools by former names, which can still be called but are not listed.
    unlisted: HashMap<String, Arc<Tool>>,
    /// The listed names of each component, in the order of its tools.
    names: HashMap<ComponentId, Vec<String>>,
    /// The tools that each component offers.
    offered: HashMap<ComponentId, Vec<Arc<OfferedTool>>>,
    reach: HashMap<ComponentId, Reach>,
    /// The first owner of each name. Entries are never removed, even when their
    /// component is.
    owners: HashMap<String, Owner>,
    /// The tools sorted by name; computed on first use after a change.
    sorted: OnceLock<Arc<Vec<Arc<Tool>>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    Reserved,
    Component(ComponentId),
}

impl Toolbox {
    /// Creates an empty table. Components cannot use the `reserved` names.
    pub fn new(reserved: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let owners = reserved
            .into_iter()
            .map(|name| (name.into(), Owner::Reserved))
            .collect();
        Toolbox {
            state: RwLock::new(State {
                owners,
                ..State::default()
            }),
            version: watch::Sender::new(0),
        }
    }

    /// Replaces a component's tools, and returns the names that are listed.
    pub fn insert(&self, component: &ComponentId, offered: Offered) -> Vec<String> {
        let listed = self.change(|state| {
            state.withdraw(component);
            let offered: Vec<_> = offered.into_tools().into_iter().map(Arc::new).collect();
            let mut listed = Vec::with_capacity(offered.len());
            let reach = state.reach.get(component).copied().unwrap_or(Reach::ANY);
            for one in &offered {
                for wanted in &one.names {
                    let name = state.claim(component, wanted);
                    let tool = Arc::new(Tool {
                        name: name.clone(),
                        component: component.clone(),
                        offered: Arc::clone(one),
                        reach,
                    });
                    if wanted.listed {
                        listed.push(name.clone());
                        state.tools.insert(name, tool);
                    } else {
                        state.unlisted.insert(name, tool);
                    }
                }
            }
            state.names.insert(component.clone(), listed.clone());
            state.offered.insert(component.clone(), offered);
            listed
        });
        self.version.send_modify(|version| *version += 1);
        listed
    }

    /// Sets the possible effects of a component's tools, and notifies clients. Returns whether
    /// they changed. The default is [`Reach::ANY`].
    pub fn set_reach(&self, component: &ComponentId, reach: Reach) -> bool {
        if self.read(|state| state.reach.get(component) == Some(&reach)) {
            return false;
        }
        let offered = self.change(|state| {
            state.reach.insert(component.clone(), reach);
            let names = state.names.get(component).cloned().unwrap_or_default();
            let State {
                tools, unlisted, ..
            } = state;
            let listed = tools.values_mut().chain(unlisted.values_mut());
            for tool in listed.filter(|tool| tool.component == *component) {
                *tool = Arc::new(Tool {
                    name: tool.name.clone(),
                    component: tool.component.clone(),
                    offered: Arc::clone(&tool.offered),
                    reach,
                });
            }
            !names.is_empty()
        });
        if offered {
            self.version.send_modify(|version| *version += 1);
        }
        true
    }

    /// Removes a component's tools and returns their listed names.
    pub fn remove(&self, component: &ComponentId) -> Vec<String> {
        let names = self.change(|state| {
            state.reach.remove(component);
            state.withdraw(component)
        });
        if !names.is_empty() {
            self.version.send_modify(|version| *version += 1);
        }
        names
    }

    /// Returns all listed tools, sorted by name.
    pub fn list(&self) -> Arc<Vec<Arc<Tool>>> {
        self.read(|state| {
            let sorted = || Arc::new(state.tools.values().cloned().collect());
            state.sorted.get_or_init(sorted).clone()
        })
    }

    /// Returns the tool with this name, listed or not.
    pub fn get(&self, name: &str) -> Option<Arc<Tool>> {
        self.read(|state| {
            let listed = state.tools.get(name);
            listed.or_else(|| state.unlisted.get(name)).cloned()
        })
    }

    /// Returns the listed names of a component's tools.
    pub fn names_of(&self, component: &ComponentId) -> Vec<String> {
        self.read(|state| state.names.get(component).cloned().unwrap_or_default())
    }

    /// Whether the component's tools are exactly these.
    pub fn offers(&self, component: &ComponentId, offered: &Offered) -> bool {
        self.read(|state| {
            let now = state.offered.get(component).into_iter().flatten();
            now.map(|tool| &**tool).eq(offered.tools())
        })
    }

    /// Returns a counter that is incremented at each change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        // Every change leaves the state consistent, so ignore poisoning.
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.sorted = OnceLock::new();
        act(&mut state)
    }
}

impl State {
    fn withdraw(&mut self, component: &ComponentId) -> Vec<String> {
        let names = self.names.remove(component).unwrap_or_default();
        self.offered.remove(component);
        for name in &names {
            self.tools.remove(name);
        }
        self.unlisted.retain(|_, tool| tool.component != *component);
        names
    }

    /// Reserves the wanted name for the component. If it belongs to another
    /// component, reserves a prefixed or numbered one instead.
    fn claim(&mut self, component: &ComponentId, wanted: &ToolName) -> String {
        let owner = Owner::Component(component.clone());
        let prefixed = format!("{component}_{}", wanted.tool);
        let shorten = |name: &str| shorten_name(name, NameLength::default());
        let candidates = std::iter::once(wanted.name.clone())
            .chain(std::iter::once(shorten(&prefixed)))
            .chain((2u64..).map(|n| shorten(&format!("{prefixed}_{n}"))));
        for name in candidates {
            let free = self.owners.get(&name).is_none_or(|held| *held == owner);
            let offered = self.tools.contains_key(&name) || self.unlisted.contains_key(&name);
            if free && !offered {
                self.owners.insert(name.clone(), owner);
                return name;
            }
        }
        unreachable!("the candidates never end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::rules::Given;
    use crate::schema::{Outcome, ToolRecord};

    fn id(text: &str) -> ComponentId {
        ComponentId::parse(text).unwrap()
    }

    fn record(name: &str) -> ToolRecord {
        ToolRecord {
            name: name.into(),
            normalized_name: name.into(),
            description: String::new(),
            input_schema: Map::new(),
            output_schema: Map::new(),
            export: ExportPath {
                interface: None,
                function: name.into(),
            },
            outcome: Outcome::Plain,
        }
    }

    /// Offers tools by their own names.
    fn insert(toolbox: &Toolbox, component: &str, tools: &[&str]) -> Vec<String> {
        let tools = tools.iter();
        let tools = tools.map(|tool| offered(tool, vec![named(tool, tool, true)]));
        toolbox.insert(&id(component), Offered::of(tools.collect()))
    }

    fn offered(tool: &str, names: Vec<ToolName>) -> OfferedTool {
        OfferedTool {
            record: record(tool),
            given: Given::default(),
            renamed: None,
            names,
        }
    }

    fn named(tool: &str, name: &str, listed: bool) -> ToolName {
        ToolName {
            name: name.into(),
            tool: tool.into(),
            listed,
        }
    }

    #[test]
    fn a_newcomer_is_prefixed_and_the_first_keeps_its_name() {
        let toolbox = Toolbox::new(["load-component"]);
        assert_eq!(insert(&toolbox, "a", &["get"]), ["get"]);
        assert_eq!(insert(&toolbox, "b", &["get"]), ["b_get"]);
        assert_eq!(toolbox.get("get").unwrap().component, id("a"));
        assert_eq!(
            insert(&toolbox, "c", &["load-component"]),
            ["c_load-component"]
        );
    }

    #[test]
    fn a_name_keeps_its_meaning_after_its_component_is_gone() {
        let toolbox = Toolbox::new([""; 0]);
        insert(&toolbox, "a", &["get"]);
        assert_eq!(toolbox.remove(&id("a")), ["get"]);
        assert_eq!(insert(&toolbox, "b", &["get"]), ["b_get"]);
        assert_eq!(insert(&toolbox, "a", &["get"]), ["get"]);
    }

    #[test]
    fn a_change_of_what_tools_reach_is_news() {
        let toolbox = Toolbox::new([""; 0]);
        let changes = toolbox.changes();
        assert!(toolbox.set_reach(&id("a"), Reach::NONE));
        insert(&toolbox, "a", &["x"]);
        assert_eq!(toolbox.get("x").unwrap().reach, Reach::NONE);
        assert_eq!(*changes.borrow(), 1);
        assert!(!toolbox.set_reach(&id("a"), Reach::NONE));
        assert_eq!(*changes.borrow(), 1);
        let before = toolbox.list();
        assert!(toolbox.set_reach(&id("a"), Reach::ANY));
        assert_eq!(*changes.borrow(), 2);
        assert_eq!(toolbox.list()[0].reach, Reach::ANY);
        assert_eq!(before[0].reach, Reach::NONE);
    }

    #[test]
    fn a_replacement_withdraws_what_the_new_version_lacks() {
        let toolbox = Toolbox::new([""; 0]);
        let changes = toolbox.changes();
        insert(&toolbox, "a", &["x", "y"]);
        insert(&toolbox, "a", &["y", "z"]);
        let names: Vec<_> = toolbox.list().iter().map(|t| t.name.clone()).collect();
        assert_eq!(names, ["y", "z"]);
        assert_eq!(*changes.borrow(), 2);
    }

    #[test]
    fn an_unlisted_name_can_be_called_until_its_component_is_gone() {
        let toolbox = Toolbox::new([""; 0]);
        let names = vec![named("get", "get", true), named("get", "old_get", false)];
        let tools = Offered::of(vec![offered("get", names)]);
        let listed = toolbox.insert(&id("a"), tools.clone());
        assert_eq!(listed, ["get"]);
        assert_eq!(toolbox.list().len(), 1);
        assert_eq!(toolbox.get("old_get").unwrap().component, id("a"));
        assert!(toolbox.offers(&id("a"), &tools));
        assert!(!toolbox.offers(&id("a"), &Offered::default()));
        toolbox.remove(&id("a"));
        assert!(toolbox.get("old_get").is_none());
    }
}
