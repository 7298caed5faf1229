//! The OpenAPI document as a page: operations, parameters, schemas, an example call each.

use askama::Template;
use serde_json::Value;

/// The page of the API.
#[derive(Template)]
#[template(path = "gateway/api_docs.html")]
pub struct ApiDocsPage {
    merchant: String,
    title: String,
    version: String,
    introduction: Words,
    base: String,
    groups: Vec<Group>,
    schemas: Vec<SchemaBlock>,
    codes: Vec<(String, Words)>,
}

/// A text with names in it: whether a piece is a name, and the piece.
type Words = Vec<(bool, String)>;

/// Operations of one tag.
struct Group {
    name: String,
    text: String,
    operations: Vec<OperationBlock>,
}

struct OperationBlock {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: Words,
    access: String,
    parameters: Vec<Field>,
    body: Option<Shape>,
    answers: Vec<AnswerRow>,
    example: String,
}

/// A parameter or a field of a schema.
struct Field {
    name: String,
    kind: Shape,
    place: String,
    required: bool,
    text: Words,
}

/// A type in words, with the schema it names.
struct Shape {
    words: String,
    schema: Option<String>,
}

struct AnswerRow {
    status: String,
    text: Words,
    kind: Option<Shape>,
}

struct SchemaBlock {
    name: String,
    text: Words,
    fields: Vec<Field>,
    values: Vec<String>,
}

impl ApiDocsPage {
    /// The page of a document. `base` is the address in example calls.
    pub fn new(document: &Value, merchant: String, base: &str) -> Self {
        let text = |pointer: &str| text_at(document, pointer);
        let codes = object(document.get("x-error-codes"));
        Self {
            merchant,
            title: text("/info/title"),
            version: text("/info/version"),
            introduction: words(&text("/info/description")),
            base: base.to_owned(),
            groups: groups(document, base),
            schemas: schemas(document),
            codes: codes.map(|(code, text)| (code.clone(), words(&string(text)))).collect(),
        }
    }
}

fn groups(document: &Value, base: &str) -> Vec<Group> {
    let tags = document.get("tags").and_then(Value::as_array).into_iter().flatten();
    let group = |tag: &Value| {
        let name = text_at(tag, "/name");
        let mut operations: Vec<OperationBlock> = object(document.get("paths"))
            .flat_map(|(path, item)| {
                object(Some(item)).map(move |(method, it)| (path.as_str(), method.as_str(), it))
            })
            .filter(|(_, _, it)| text_at(it, "/tags/0") == name)
            .map(|(path, method, it)| operation(path, method, it, base))
            .collect();
        operations.sort_by(|one, two| (&one.path, &two.method).cmp(&(&two.path, &one.method)));
        Group { text: text_at(tag, "/description"), name, operations }
    };
    tags.map(group).collect()
}

fn operation(path: &str, method: &str, operation: &Value, base: &str) -> OperationBlock {
    let parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let body = operation.pointer("/requestBody/content").and_then(first_content);
    let answers = object(operation.get("responses")).map(|(status, answer)| AnswerRow {
        status: status.clone(),
        text: words(&text_at(answer, "/description")),
        kind: answer.get("content").and_then(first_content).map(|(_, schema)| shape(schema)),
    });
    let method = method.to_ascii_uppercase();
    let (media_type, schema) = body.unzip();
    let unsafe_call = parameters.clone().any(|it| text_at(it, "/name") == "Idempotency-Key");
    OperationBlock {
        id: text_at(operation, "/operationId"),
        summary: text_at(operation, "/summary"),
        description: words(&text_at(operation, "/description")),
        access: access(operation),
        example: example(&method, path, base, operation, media_type, unsafe_call),
        parameters: parameters.map(parameter).collect(),
        body: schema.map(shape),
        answers: answers.collect(),
        method,
        path: path.to_owned(),
    }
}

fn parameter(parameter: &Value) -> Field {
    Field {
        name: text_at(parameter, "/name"),
        kind: parameter.get("schema").map_or_else(Shape::any, shape),
        place: text_at(parameter, "/in"),
        required: parameter.get("required").and_then(Value::as_bool).unwrap_or(false),
        text: words(&text_at(parameter, "/description")),
    }
}

/// Who may call it, in words.
fn access(operation: &Value) -> String {
    let schemes = operation.pointer("/security/0");
    let names: Vec<String> = object(schemes)
        .map(|(name, scopes)| match (name.as_str(), scopes.get(0).and_then(Value::as_str)) {
            ("oauth2", Some(scope)) => format!("bearer token with scope {scope}"),
            ("signature", _) => "signature".to_owned(),
            ("client", _) => "client id and secret (HTTP Basic)".to_owned(),
            ("publishable_key", _) => "publishable key".to_owned(),
            (other, _) => other.to_owned(),
        })
        .collect();
    if names.is_empty() { "open".to_owned() } else { names.join(" and ") }
}

/// A call that a person can paste, for a client whose signatures are optional.
fn example(
    method: &str,
    path: &str,
    base: &str,
    operation: &Value,
    media_type: Option<&str>,
    unsafe_call: bool,
) -> String {
    let mut lines = vec![format!("curl -X {method} {base}{}", path.replace("{id}", "$ID"))];
    let schemes = operation.pointer("/security/0");
    let uses = |name: &str| object(schemes).any(|(scheme, _)| scheme == name);
    if uses("oauth2") {
        lines.push("-H \"Authorization: Bearer $TOKEN\"".to_owned());
    } else if uses("client") {
        lines.push("-u \"$PAY_CLIENT_ID:$PAY_CLIENT_SECRET\"".to_owned());
    } else if uses("publishable_key") {
        lines.push("-H \"Authorization: Bearer $PAY_PUBLISHABLE_KEY\"".to_owned());
    }
    if unsafe_call {
        lines.push("-H \"Idempotency-Key: $(uuidgen)\"".to_owned());
    }
    match media_type {
        Some("application/json") => {
            lines.push("-H \"Content-Type: application/json\"".to_owned());
            lines.push(format!("-d '{}'", example_body(&text_at(operation, "/operationId"))));
        }
        Some(_) if path.ends_with("/token") => {
            lines.push("-d grant_type=client_credentials".to_owned());
        }
        Some(_) => lines.push("-d token=$TOKEN".to_owned()),
        None => {}
    }
    lines.join(" \\\n  ")
}

fn example_body(operation: &str) -> &'static str {
    match operation {
        "createPayment" => {
            r#"{"amount":{"value":4999,"currency":"EUR"},"order_reference":"ord_1001"}"#
        }
        "confirmPayment" => r#"{"card_token":"tok_…"}"#,
        "createRefund" => r#"{"amount":1000,"reason":"cup was broken"}"#,
        "createToken" => r#"{"number":"4242424242424242","expiry":"12/30","security_code":"123"}"#,
        "createEndpoint" => r#"{"url":"http://127.0.0.1:3000/webhooks","events":["*"]}"#,
        _ => "{}",
    }
}

fn schemas(document: &Value) -> Vec<SchemaBlock> {
    let schemas = object(document.pointer("/components/schemas"));
    let block = |(name, schema): (&String, &Value)| {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required =
            |name: &str| required.is_some_and(|it| it.iter().any(|it| it.as_str() == Some(name)));
        let fields = object(schema.get("properties")).map(|(name, field)| Field {
            name: name.clone(),
            kind: shape(field),
            place: String::new(),
            required: is_required(name),
            text: words(&text_at(field, "/description")),
        });
        let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        SchemaBlock {
            name: name.clone(),
            text: words(&text_at(schema, "/description")),
            fields: fields.collect(),
            values: values.map(string).collect(),
        }
    };
    schemas.map(block).collect()
}

impl Shape {
    fn any() -> Self {
        Self { words: "any".to_owned(), schema: None }
    }
}

/// A schema in words: `string`, `list of CaptureView`, `Money or null`.
fn shape(schema: &Value) -> Shape {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default().to_owned();
        return Shape { words: name.clone(), schema: Some(name) };
    }
    if let Some(items) = schema.get("items") {
        let item = shape(items);
        return Shape { words: format!("list of {}", item.words), schema: item.schema };
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema.get(key).and_then(Value::as_array) {
            let shapes: Vec<Shape> = parts.iter().map(shape).collect();
            let words: Vec<&str> = shapes.iter().map(|it| it.words.as_str()).collect();
            let words = words.join(" or ");
            return Shape { words, schema: shapes.into_iter().find_map(|it| it.schema) };
        }
    }
    let words = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().map(string).collect::<Vec<_>>().join(" or "),
        Some(Value::String(name)) => name.clone(),
        _ => "any".to_owned(),
    };
    Shape { words, schema: None }
}

/// Backticks enclose names.
fn words(text: &str) -> Words {
    let pieces = text.split('`').enumerate().map(|(index, it)| (index % 2 == 1, it.to_owned()));
    pieces.filter(|(_, piece)| !piece.is_empty()).collect()
}

fn first_content(content: &Value) -> Option<(&str, &Value)> {
    let (media_type, content) = content.as_object()?.iter().next()?;
    Some((media_type, content.get("schema")?))
}

fn object(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

fn text_at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).map(string).unwrap_or_default()
}

fn string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
