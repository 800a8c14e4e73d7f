//! Questions to the user, and the grants that a yes gives.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::mcp::grants::publish_request;
use crate::support::artifact::{Artifact, POLICY, WASM};
use crate::support::cli::Cli;
use crate::support::components::{ANSWER, binary};
use crate::support::mcp::{Answer, Client, News, Place, text_of};
use crate::support::registry::Registry;

fn heard(client: &mut Client) -> Vec<String> {
    let mut asked = Vec::new();
    while let Ok(news) = client.news.try_recv() {
        if let News::Asked(question) = news {
            asked.push(question);
        }
    }
    asked
}

fn count(permissions: &Value) -> usize {
    permissions.as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_hides_nothing_from_who_says_yes() {
    let mut request = String::from("version: \"1.0\"\npermissions:\n  network:\n    allow:\n");
    for n in 0..999 {
        writeln!(request, "    - host: h{n}.example.com").unwrap();
    }
    request.push_str("    - host: \"*.wide.example\"\n  storage:\n    allow:\n");
    let long = "x".repeat(1000);
    writeln!(
        request,
        "    - {{uri: \"fs:///{long}/**\", access: [write]}}"
    )
    .unwrap();
    request.push_str("    - {uri: \"fs:///data/a\", access: [read]}\n");
    request.push_str("    - {uri: \"fs:///**\", access: [read, write]}\n");
    let registry = Registry::start();
    let uri = publish_request(&registry, &request).await;
    let place = Place::new();
    let mut client = place.stdio_answering(Answer::Yes).await;
    let loaded = client.load(&uri).await;

    let questions = heard(&mut client);
    let [question] = questions.as_slice() else {
        panic!("{} questions", questions.len());
    };
    let lines: Vec<&str> = question.lines().collect();
    assert!(
        lines[1].contains("every file of this machine"),
        "{question}"
    );
    assert!(
        lines[2].contains("any host below `wide.example`"),
        "{question}"
    );
    assert!(question.contains("983 more"), "{question}");
    assert!(question.len() < 4_000, "{} bytes", question.len());
    let granted = loaded["granted_permissions"].as_array().unwrap();
    assert_eq!(granted.len(), 20, "{loaded}");
    for permission in granted {
        let shown = permission["description"].as_str().unwrap();
        assert!(question.contains(&format!("- {shown}\n")), "{shown}");
    }
    // All files are granted by now.
    let hidden = loaded["not_granted"].as_array().unwrap();
    assert_eq!(hidden.len(), 981);
    for permission in hidden {
        let hidden = permission["description"].as_str().unwrap();
        assert!(!question.contains(&format!("- {hidden}\n")), "{hidden}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_grants_nothing_that_is_too_long_to_be_shown() {
    let place = Place::new();
    let mut client = place.stdio_answering(Answer::Yes).await;
    client
        .load(&place.component("asks.wat", crate::runtime::limits_denials::ASKS))
        .await;
    let uri = format!("fs:///{}", "x".repeat(1000));
    let details = json!({ "uri": uri, "access": ["read"] });
    let arguments = json!({ "component_id": "asks", "details": details });
    let refused = client.call("grant-storage-permission", arguments).await;
    assert_eq!(text_of(&refused)["code"], "invalid-arguments");
    assert_eq!(heard(&mut client), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_has_no_use_for_is_odd() {
    const ALL: &str = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n    - key: CITY\n  network:\n    allow:\n    - host: a.example\n  storage:\n    allow:\n    - {uri: \"fs:///data\", access: [read]}\n";
    let registry = Registry::start();
    let artifact = Artifact::new(&[(WASM, &binary(ANSWER)), (POLICY, ALL.as_bytes())]);
    registry.push("answer", "v1", &artifact).await;
    let place = Place::new();
    let mut client = place.stdio_answering(Answer::Decline).await;
    let loaded = client.load(&registry.reference("answer:v1")).await;
    let question = heard(&mut client).remove(0);
    let remarks = loaded["remarks"].as_array().unwrap();
    for (remark, subject) in remarks.iter().zip(["network", "files", "environment"]) {
        let remark = remark.as_str().unwrap();
        assert!(remark.contains(subject), "{remark}");
        assert!(
            question.contains(&format!("Note: {remark}\n")),
            "{question}"
        );
    }
    assert_eq!(remarks.len(), 3, "{loaded}");
    let id = json!({ "component_id": "answer" });
    let policy = client.call("get-policy", id).await.structured_content;
    assert_eq!(policy.unwrap()["remarks"], loaded["remarks"]);

    // Only permissions that the component cannot use get a remark.
    let uri = publish_request(&registry, ALL).await;
    let remarks = client.load(&uri).await["remarks"].clone();
    assert_eq!(count(&remarks), 2, "{remarks}");
    assert!(!remarks.to_string().contains("environment"), "{remarks}");
}

const MODEST: &str = "version: \"1.0\"\npermissions:\n  environment:\n    allow:\n    - {key: CITY, value: Bern}\n  resources:\n    limits: {cpu: 500m, memory: 1Mi, time: 1s, instances: 2, output: 1Mi}\n";

#[tokio::test(flavor = "multi_thread")]
async fn less_than_the_server_allows_is_no_power_to_ask_for() {
    let registry = Registry::start();
    let uri = publish_request(&registry, MODEST).await;
    let place = Place::new();
    let mut client = place.stdio_answering(Answer::Yes).await;
    let loaded = client.load(&uri).await;
    let question = heard(&mut client).remove(0);
    for asked in ["processor", "memory", "calls", "run for"] {
        assert!(!question.contains(asked), "{question}");
    }
    assert_eq!(count(&loaded["granted_permissions"]), 1, "{loaded}");
    assert_eq!(loaded["not_granted"], json!([]));

    let more = MODEST.replace("1Mi, time: 1s", "900Gi, time: 20h");
    let uri = publish_request(&registry, &more).await;
    let loaded = client.load(&uri).await;
    let question = heard(&mut client).remove(0);
    for asked in ["900Gi", "20h"] {
        assert!(question.contains(asked), "{question}");
    }
    assert_eq!(count(&loaded["granted_permissions"]), 3, "{loaded}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_not_given_more_of_the_machine_unasked() {
    let registry = Registry::start();
    let more = MODEST.replace("memory: 1Mi", "memory: 900Gi");
    let uri = publish_request(&registry, &more).await;
    let place = Place::new();
    place.configure("[policy]\nbundled = \"apply\"\n");
    let client = place.stdio().await;
    let loaded = client.load(&uri).await;
    let beyond = loaded["not_granted"].as_array().unwrap();
    assert_eq!(beyond.len(), 1, "{loaded}");
    assert!(beyond[0].to_string().contains("900Gi"), "{loaded}");
    // Where it requests less, it gets less.
    assert_eq!(count(&loaded["granted_permissions"]), 5, "{loaded}");

    let cli = Cli::new();
    let loaded = cli.json(["load", "--uri", &uri, "--grant-requested"]);
    assert_eq!(count(&loaded["granted_permissions"]), 6, "{loaded}");
    assert_eq!(loaded["not_granted"], json!([]));
}
