//! The fuzz target for the tools of a component.

use super::{ListedTool, describe};

/// Describes a component, given as binary or text, and checks that every client accepts the tools
/// and that adapting them a second time changes nothing.
pub fn description(data: &[u8]) {
    let Ok(wasm) = wat::parse_bytes(data) else {
        return;
    };
    let Ok(description) = describe(&wasm, "a-component") else {
        return;
    };
    let _ = (description.tools(), description.uncallable());
    for mut tool in description.callable() {
        if tool.make_fit().is_err() {
            continue;
        }
        let listed = ListedTool {
            name: &tool.normalized_name,
            description: &tool.description,
            input_schema: &tool.input_schema,
            output_schema: Some(&tool.output_schema),
        };
        let faults = listed.faults();
        assert!(faults.is_empty(), "{faults:?} in {tool:?}");
        let mut again = tool.clone();
        again.make_fit().expect("it fitted");
        assert_eq!(again, tool);
    }
}
