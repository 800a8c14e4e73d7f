//! `tools/list`: the offered tools, in pages.
//!
//! The built-in tools come first, then the components' tools, sorted by name. A page
//! holds 256 tools, more than agents can use at once (the large model APIs accept
//! 128). So clients that never ask for a second page still see as many tools as a
//! model can use, including those that change the selection.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rmcp::model::{ListToolsResult, Tool};

use crate::toolbox::{self, Toolbox};

use super::builtin::Builtin;
use super::convert;
use super::offer::Offer;

const PAGE: usize = 256;

/// The cursor is not one that this server issued.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("Invalid cursor: pass `nextCursor` of the page before, unchanged")]
pub(super) struct InvalidCursor;

/// Caches the tools in MCP's form until the toolbox changes.
pub(super) struct Listing {
    offer: Offer,
    cached: Mutex<Option<Cached>>,
}

struct Cached {
    source: Arc<Vec<Arc<toolbox::Tool>>>,
    tools: Arc<Tools>,
}

impl Listing {
    pub(super) fn new(offer: Offer) -> Self {
        Listing {
            offer,
            cached: Mutex::default(),
        }
    }

    pub(super) fn tools(&self, toolbox: &Toolbox) -> Arc<Tools> {
        let source = toolbox.list();
        // The cache is replaced as a whole, so a poisoned lock can be used.
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = &*cached
            && Arc::ptr_eq(&cached.source, &source)
        {
            return cached.tools.clone();
        }
        let components = source.iter().map(|tool| convert::tool(tool));
        let tools = Arc::new(Tools::new(Builtin::offered(self.offer).chain(components)));
        *cached = Some(Cached {
            source,
            tools: tools.clone(),
        });
        tools
    }
}

/// All tools in the order of the listing.
pub(super) struct Tools {
    tools: Vec<Tool>,
    /// Bytes of the JSON of the first page, once one was asked for.
    page_bytes: OnceLock<usize>,
}

impl Tools {
    fn new(tools: impl Iterator<Item = Tool>) -> Self {
        let mut tools: Vec<Tool> = tools.collect();
        tools.sort_by(|a, b| order(&a.name).cmp(&order(&b.name)));
        Tools {
            tools,
            page_bytes: OnceLock::new(),
        }
    }

    /// About how many bytes of JSON a page has.
    pub(super) fn page_bytes(&self) -> usize {
        *self.page_bytes.get_or_init(|| {
            let first = &self.tools[..self.tools.len().min(PAGE)];
            // Our own types serialise.
            serde_json::to_vec(first).map_or(0, |json| json.len())
        })
    }

    /// The page after the cursor.
    ///
    /// A cursor holds the last name of the previous page, so it stays valid when
    /// tools are added or removed.
    pub(super) fn page(&self, cursor: Option<&str>) -> Result<ListToolsResult, InvalidCursor> {
        let tools = &self.tools;
        let start = match cursor {
            None => 0,
            Some(cursor) => {
                let last = decode(cursor)?;
                tools.partition_point(|tool| order(&tool.name) <= order(&last))
            }
        };
        let end = tools.len().min(start + PAGE);
        let mut page = ListToolsResult::with_all_items(tools[start..end].to_vec());
        if end < tools.len() {
            page.next_cursor = Some(encode(&tools[end - 1].name));
        }
        Ok(page)
    }
}

fn order(name: &str) -> (bool, &str) {
    (Builtin::named(name).is_none(), name)
}

fn encode(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

fn decode(cursor: &str) -> Result<String, InvalidCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| InvalidCursor)?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if bytes.is_empty() || !bytes.iter().all(is_name) {
        return Err(InvalidCursor);
    }
    String::from_utf8(bytes).map_err(|_| InvalidCursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(names: impl Iterator<Item = String>) -> Tools {
        let components = names.map(|name| Tool::new(name, "", Arc::default()));
        Tools::new(Builtin::offered(Offer::default()).chain(components))
    }

    /// The index of the first component's tool on the second page.
    fn first_overleaf() -> usize {
        PAGE - Builtin::offered(Offer::default()).count()
    }

    fn names(page: &ListToolsResult) -> Vec<&str> {
        page.tools.iter().map(|tool| tool.name.as_ref()).collect()
    }

    #[test]
    fn built_in_tools_lead_and_pages_join_up() {
        let tools = tools((0..600).map(|n| format!("a{n:03}")));
        let first = tools.page(None).unwrap();
        assert_eq!(first.tools.len(), PAGE);
        assert_eq!(names(&first)[PAGE - first_overleaf()], "a000");
        let second = tools.page(first.next_cursor.as_deref()).unwrap();
        assert_eq!(names(&second)[0], format!("a{}", first_overleaf()));
        let third = tools.page(second.next_cursor.as_deref()).unwrap();
        assert_eq!(names(&third).last(), Some(&"a599"));
        assert_eq!(third.next_cursor, None);
    }

    #[test]
    fn a_cursor_keeps_its_place_when_tools_come_and_go() {
        let before = tools((0..300).map(|n| format!("b{n:03}")));
        let cursor = before.page(None).unwrap().next_cursor;
        let after = tools((100..300).map(|n| format!("b{n:03}")).chain(["a".into()]));
        let next = after.page(cursor.as_deref()).unwrap();
        assert_eq!(names(&next)[0], format!("b{}", first_overleaf()));
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        let tools = tools(std::iter::empty());
        for cursor in ["", "2", "!", "w6k", "AAAA"] {
            assert_eq!(
                tools.page(Some(cursor)).unwrap_err(),
                InvalidCursor,
                "{cursor}"
            );
        }
    }
}
