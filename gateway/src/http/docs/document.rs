//! Building the OpenAPI document: operations in one line each, schemas from the wire types.

use serde::Serialize;
use utoipa::openapi::path::{
    HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn, ParameterStyle,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{Array, KnownFormat, Object, Schema, SchemaFormat, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes,
    SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, InfoBuilder, LicenseBuilder, OpenApi, Paths, Ref, RefOr, Required,
};
use utoipa::{PartialSchema, ToSchema};

use super::codes::ERROR_CODES;

/// Errors of every route (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemSchema {
    /// Address that names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// One line.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// Stable code; the list is under `x-error-codes`.
    code: String,
    /// The offending field, parameter or header.
    param: Option<String>,
    /// Which rule of the signature profile refused the request.
    reason: Option<String>,
    /// Names this request in the log.
    request_id: String,
    /// Page that explains the code.
    doc_url: String,
    /// Page that shows the payment's messages.
    trace: Option<String>,
}

/// Who may call an operation, and how that is proved.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Bearer token with this scope, and a signature.
    Api(&'static str),
    /// OAuth client id and secret.
    Client,
    /// The publishable key.
    Publishable,
    /// Anybody.
    Open,
}

/// The document while it is built.
pub struct Document {
    paths: Paths,
    components: Components,
}

/// One operation while it is built.
pub struct Route<'d> {
    document: &'d mut Document,
    method: HttpMethod,
    path: &'static str,
    operation: OperationBuilder,
}

impl Document {
    /// An empty document with the schemas and schemes that every operation uses.
    pub fn new() -> Self {
        let mut document = Self { paths: Paths::new(), components: security_schemes() };
        document.schema::<ProblemSchema>();
        document
    }

    /// Adds an operation.
    pub fn route(
        &mut self,
        method: HttpMethod,
        path: &'static str,
        tag: &str,
        id: &str,
        access: Access,
    ) -> Route<'_> {
        let mut operation = OperationBuilder::new().tag(tag).operation_id(Some(id));
        operation = match access {
            Access::Api(scope) => operation
                .security(SecurityRequirement::new("oauth2", [scope]).add("signature", NO_SCOPES)),
            Access::Client => operation.security(SecurityRequirement::new("client", NO_SCOPES)),
            Access::Publishable => {
                operation.security(SecurityRequirement::new("publishable_key", NO_SCOPES))
            }
            Access::Open => operation.security(SecurityRequirement::default()),
        };
        let mut route = Route { document: self, method, path, operation };
        for name in path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}')) {
            route = route.parameter(ParameterIn::Path, name, Required::True, "The id.");
        }
        route
    }

    /// The finished document.
    pub fn finish(self, tags: &[(&str, &str)]) -> OpenApi {
        let info = InfoBuilder::new()
            .title("Payrig gateway")
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some(INTRODUCTION))
            .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").build()))
            .build();
        let mut document = OpenApi::new(info, self.paths);
        document.components = Some(self.components);
        let tag = |&(name, text): &(&str, &str)| {
            TagBuilder::new().name(name).description(Some(text)).build()
        };
        document.tags = Some(tags.iter().map(tag).collect());
        let codes: serde_json::Map<String, serde_json::Value> =
            ERROR_CODES.iter().map(|(code, text)| ((*code).to_owned(), (*text).into())).collect();
        let extensions = utoipa::openapi::extensions::ExtensionsBuilder::new()
            .add("x-error-codes", codes)
            .build();
        document.extensions = Some(extensions);
        document
    }

    /// Adds a wire type and all it is made of.
    pub fn schema<T: ToSchema>(&mut self) -> Content {
        let mut nested = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut nested);
        for (name, schema) in nested {
            self.components.schemas.entry(name).or_insert(schema);
        }
        Content::new(Some(Ref::from_schema_name(T::name())))
    }
}

const NO_SCOPES: [&str; 0] = [];

impl Route<'_> {
    /// One line about it.
    pub fn summary(mut self, text: &str) -> Self {
        self.operation = self.operation.summary(Some(text));
        self
    }

    /// What else is worth knowing.
    pub fn description(mut self, text: &str) -> Self {
        self.operation = self.operation.description(Some(text));
        self
    }

    /// A header, query or path parameter with text as value.
    pub fn parameter(
        mut self,
        place: ParameterIn,
        name: &str,
        required: Required,
        text: &str,
    ) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(text))
            .schema(Some(Object::with_type(Type::String)))
            .build();
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// A filter: an optional query parameter.
    pub fn filter(self, name: &str, text: &str) -> Self {
        self.parameter(ParameterIn::Query, name, Required::False, text)
    }

    /// The parameters of a list.
    pub fn paged(mut self) -> Self {
        let limit = Object::builder()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(1))
            .maximum(Some(100));
        let parameter = ParameterBuilder::new()
            .name("limit")
            .parameter_in(ParameterIn::Query)
            .style(Some(ParameterStyle::Form))
            .description(Some("Rows on a page."))
            .schema(Some(limit));
        self.operation = self.operation.parameter(parameter.build());
        self.filter("after", "Rows older than this id.")
            .filter("before", "Rows newer than this id.")
    }

    /// A JSON body and the key that makes it safe to send twice.
    pub fn body<T: ToSchema>(mut self) -> Self {
        let content = self.document.schema::<T>();
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("application/json", content)
            .build();
        self.operation = self.operation.request_body(Some(body));
        self
    }

    /// A form body.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let mut schema = Object::builder().schema_type(Type::Object);
        for (name, text) in fields {
            let field = Object::builder().schema_type(Type::String).description(Some(*text));
            schema = schema.property(*name, field);
        }
        let content = Content::new(Some(RefOr::T(Schema::Object(schema.build()))));
        let body = RequestBodyBuilder::new()
            .required(Some(Required::True))
            .content("application/x-www-form-urlencoded", content)
            .build();
        self.operation = self.operation.request_body(Some(body));
        self
    }

    /// Says that the call is made once, however often it is sent.
    pub fn idempotent(self) -> Self {
        let text = "1 to 255 visible characters. The same key and body give the same answer for \
                    24 hours.";
        self.parameter(ParameterIn::Header, "Idempotency-Key", Required::True, text)
    }

    /// An answer with a body of a wire type.
    pub fn answers<T: ToSchema>(mut self, status: &str, text: &str) -> Self {
        let content = self.document.schema::<T>();
        let response =
            ResponseBuilder::new().description(text).content("application/json", content);
        self.operation = self.operation.response(status, response.build());
        self
    }

    /// An answer with a page of rows of a wire type.
    pub fn answers_page<T: ToSchema>(mut self, status: &str, text: &str) -> Self {
        self.document.schema::<T>();
        let rows = Array::new(Ref::from_schema_name(T::name()));
        let more = Object::builder()
            .schema_type(Type::Boolean)
            .description(Some("Whether there are more behind these."));
        let page = Object::builder()
            .schema_type(Type::Object)
            .property("data", rows)
            .property("has_more", more)
            .required("data")
            .required("has_more");
        let content = Content::new(Some(RefOr::T(Schema::Object(page.build()))));
        let response =
            ResponseBuilder::new().description(text).content("application/json", content);
        self.operation = self.operation.response(status, response.build());
        self
    }

    /// An answer that is described in words.
    pub fn answers_plainly(mut self, status: &str, media_type: &str, text: &str) -> Self {
        let schema: Option<RefOr<Schema>> = Some(match media_type {
            "application/json" => Object::with_type(Type::Object).into(),
            _ => String::schema(),
        });
        let response =
            ResponseBuilder::new().description(text).content(media_type, Content::new(schema));
        self.operation = self.operation.response(status, response.build());
        self
    }

    /// Refusals: status, and the codes that come with it.
    pub fn refuses(mut self, refusals: &[(&str, &str)]) {
        for (status, codes) in refusals {
            let content = Content::new(Some(Ref::from_schema_name("Problem")));
            let response = ResponseBuilder::new()
                .description(*codes)
                .content("application/problem+json", content);
            self.operation = self.operation.response(*status, response.build());
        }
        self.document.paths.add_path_operation(
            self.path,
            vec![self.method],
            self.operation.build(),
        );
    }
}

fn security_schemes() -> Components {
    let mut components = Components::new();
    let scopes = Scopes::from_iter(SCOPES.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let flow = Flow::ClientCredentials(ClientCredentials::new("/api/oauth/token", scopes));
    components.add_security_scheme("oauth2", SecurityScheme::OAuth2(OAuth2::new([flow])));
    let signature = ApiKeyValue::with_description("Signature", SIGNATURE);
    components.add_security_scheme("signature", SecurityScheme::ApiKey(ApiKey::Header(signature)));
    let client = HttpBuilder::new()
        .scheme(HttpAuthScheme::Basic)
        .description(Some("OAuth client id and client secret."));
    components.add_security_scheme("client", SecurityScheme::Http(client.build()));
    let publishable = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The publishable key `pk_…`. Not a secret: it only makes tokens."));
    components.add_security_scheme("publishable_key", SecurityScheme::Http(publishable.build()));
    components
}

const SCOPES: [(&str, &str); 4] = [
    ("payments:read", "Read payments, refunds and events."),
    ("payments:write", "Create, confirm, capture, void and cancel payments."),
    ("refunds:write", "Refund payments."),
    ("webhooks:write", "Manage webhook endpoints and send events again."),
];

const SIGNATURE: &str = "RFC 9421 HTTP Message Signature, profile `payrig-v1`, with \
    `Signature-Input` and (where there is a body) `Content-Digest` (RFC 9530). Covered: \
    `@method`, `@authority`, `@path`, `@query`; `content-digest` and `content-type` with a body; \
    `idempotency-key` on unsafe methods. Parameters: `created`, `expires`, `nonce`, `keyid`, \
    `tag=\"payrig-v1\"`. Algorithm: hmac-sha256 with the client's signing key. The answer is signed \
    too. A client that is registered with optional signatures may leave it out.";

const INTRODUCTION: &str = "The API of a payment gateway that moves no real money. Amounts are \
    integers in minor units (ISO 4217). Times are RFC 3339 in UTC. Lists are newest first. \
    Unknown request fields, doubled keys and bodies over 64 KiB are refused. Errors are problem \
    details (RFC 9457) with a stable `code`.";
