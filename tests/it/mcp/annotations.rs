//! The hints of tools: whether they can change or reach anything.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use serde_json::{Value, json};
use wassette::policy::Policy;
use wassette::schema::{Reach, describe};

use crate::runtime::limits_denials::ASKS;
use crate::support::components_files::OPENS;
use crate::support::files::Files;
use crate::support::guests;
use crate::support::mcp::{CALC, Client, Place};
use crate::support::network_guest::{COMPONENT, NetworkGuest, Rules, message, socket};

/// Every subset of the items.
fn subsets<T: Copy>(items: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..1_u32 << items.len()).map(move |chosen| {
        let chosen = items
            .iter()
            .enumerate()
            .filter(|(n, _)| chosen & (1 << n) != 0);
        chosen.map(|(_, item)| *item).collect()
    })
}

fn reach(component: &[u8], permissions: &Value) -> Reach {
    let policy = json!({ "version": "1.0", "permissions": permissions });
    let policy = Policy::parse(&policy.to_string()).unwrap();
    let imports = describe(component, "guest").unwrap().imports;
    Reach::of_imports(&imports).granted(&policy)
}

/// All files below a directory with their contents.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_symlink() {
            let target = std::fs::read_link(&path).unwrap();
            found.insert(name, target.display().to_string().into_bytes());
        } else if path.is_dir() {
            found.insert(format!("{name}/"), Vec::new());
            found.extend(contents(&path));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_not_to_write_changes_no_byte() {
    let guest = guests::component("files");
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let allow = [
        "{uri: 'fs://$/**', access: [read]}",
        "{uri: 'fs://$/in/**', access: [write]}",
        "{uri: 'fs://$', access: [read, write]}",
        "{uri: 'fs://$/in/file', access: [read]}",
    ];
    let deny = ["{uri: 'fs://$/in/file', access: [write]}"];
    let (mut quiet, mut changed) = (0, 0);
    for allow in subsets(&allow) {
        for deny in subsets(&deny) {
            let (allow, deny) = (allow.join(", "), deny.join(", "));
            let rules = format!("allow: [{allow}], deny: [{deny}]");
            let files = Files::new().write_all(&[("in/file", "old"), ("in/other", "old")]);
            let before = contents(&files.path(""));
            let steps = [
                "write $/in:file new",
                "append $/in:other new",
                "write $/in:new new",
                "mkdir $/in:directory",
                "unlink $/in:other",
                "rename $/in:file $/in:moved",
                "link $/in:file $/in:linked",
                "symlink file $/in:symbolic",
                "touch $/in:file",
            ];
            files.run(&files.sandbox(&rules), &steps).await;
            let changes = contents(&files.path("")) != before;
            let written = rules.replace('$', root.to_str().unwrap());
            let policy = format!("version: '1.0'\npermissions: {{storage: {{{written}}}}}\n");
            let imports = describe(&guest, "files").unwrap().imports;
            let reach = Reach::of_imports(&imports).granted(&Policy::parse(&policy).unwrap());
            assert!(reach.writes || !changes, "{rules}");
            quiet += usize::from(!reach.writes);
            changed += usize::from(changes);
        }
    }
    // Both cases occurred; otherwise nothing was shown.
    assert!(quiet > 0 && changed > 0, "{quiet} {changed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_not_to_connect_opens_no_socket() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let allow = ["host: 127.0.0.1", "cidr: 127.0.0.0/8", "host: a.example"];
    let deny = ["host: 127.0.0.1"];
    let (mut quiet, mut connected) = (0, 0);
    for allow in subsets(&allow) {
        for deny in subsets(&deny) {
            let rules = Rules {
                allow: &allow,
                deny: &deny,
            };
            let guest = NetworkGuest::new(rules);
            let mut message = message(&format!("http://127.0.0.1:{port}/"));
            // There is no answer: the guest gives up once it is connected.
            message["patience"] = json!(100);
            guest.call("request", json!({ "message": message })).await;
            let local = socket(Ipv4Addr::LOCALHOST, 0);
            guest.call("listen", json!({ "local": local })).await;
            let came = std::iter::from_fn(|| listener.accept().ok()).count();
            let list = |rules: &[&str]| -> Vec<Value> {
                let rules = rules.iter().map(|rule| rule.split_once(": ").unwrap());
                rules.map(|(key, value)| json!({ key: value })).collect()
            };
            let network = json!({ "allow": list(&allow), "deny": list(&deny) });
            let reach = reach(COMPONENT, &json!({ "network": network }));
            assert!(reach.connects || came == 0, "{network}");
            quiet += usize::from(!reach.connects);
            connected += came;
        }
    }
    assert!(quiet > 0 && connected > 0, "{quiet} {connected}");
}

/// The hints of a tool: read-only, destructive, open world.
async fn hints(client: &Client, tool: &str) -> [Option<bool>; 3] {
    let tools = client.service.list_all_tools().await.unwrap();
    let tool = tools.iter().find(|offered| offered.name == tool).unwrap();
    let hints = tool.annotations.clone().unwrap();
    [
        hints.read_only_hint,
        hints.destructive_hint,
        hints.open_world_hint,
    ]
}

/// Waits until a tool has these hints.
async fn becomes(client: &mut Client, tool: &str, wanted: [Option<bool>; 3]) {
    client.tools_changed().await;
    while hints(client, tool).await != wanted {
        client.tools_changed().await;
    }
}

const HARMLESS: [Option<bool>; 3] = [Some(true), Some(false), Some(false)];

#[tokio::test]
async fn annotations_follow_from_imports_and_grants() {
    let place = Place::new();
    let mut client = place.stdio().await;
    for (name, wat) in [("calc.wat", CALC), ("opens.wat", OPENS), ("asks.wat", ASKS)] {
        client.load(&place.component(name, wat)).await;
        client.tools_changed().await;
    }
    for tool in ["add", "write", "need"] {
        assert_eq!(hints(&client, tool).await, HARMLESS, "{tool}");
    }
    let writes = [Some(false), Some(true), Some(false)];
    let rule = json!({
        "component_id": "opens", "details": { "uri": "fs:///data", "access": ["write"] },
    });
    client.call("grant-storage-permission", rule.clone()).await;
    becomes(&mut client, "write", writes).await;
    assert_eq!(hints(&client, "add").await, HARMLESS);
    // Granting something that a component does not import changes no hint.
    let host = json!({ "component_id": "calc", "details": { "host": "a.example" } });
    client.call("grant-network-permission", host).await;
    assert_eq!(hints(&client, "add").await, HARMLESS);

    client.call("revoke-storage-permission", rule).await;
    becomes(&mut client, "write", HARMLESS).await;

    // Another process makes the grant.
    let grant = [
        "permission",
        "grant",
        "storage",
        "opens",
        "fs:///data",
        "--access",
        "write",
    ];
    assert!(place.wassette(&grant).status().await.unwrap().success());
    becomes(&mut client, "write", writes).await;
    // A server that starts later shows the hints from the beginning.
    assert_eq!(hints(&place.stdio().await, "write").await, writes);
}
