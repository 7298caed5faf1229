//! The API document: made from the code, committed, and true.

use std::fs;
use std::path::Path;

use crate::support::Gateway;
use serde_json::Value;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/openapi.json");

fn document() -> Value {
    serde_json::to_value(gateway::http::docs::document()).unwrap()
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let made = format!("{}\n", serde_json::to_string_pretty(&document()).unwrap());
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        fs::create_dir_all(Path::new(PATH).parent().unwrap()).unwrap();
        fs::write(PATH, &made).unwrap();
    }
    let committed = fs::read_to_string(PATH).unwrap_or_default();
    assert!(made == committed, "run this test with UPDATE_REFERENCE=1 and commit the file");
}

#[test]
fn every_reference_points_to_something() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|it| references(it, found));
            }
            Value::Array(items) => items.iter().for_each(|it| references(it, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[actix_web::test]
async fn every_documented_operation_is_served() {
    let gateway = Gateway::start().await;
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let path = path.replace("{id}", "none");
            let status = gateway.knock(&method.to_ascii_uppercase(), &path).await;
            assert!(![404, 405].contains(&status), "{method} {path}: {status}");
            let open = operation["security"] == serde_json::json!([{}]);
            assert_eq!(open, status == 200, "{method} {path}: {status} without a credential");
        }
    }
}
