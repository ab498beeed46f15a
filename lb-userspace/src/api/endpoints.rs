//! The endpoints: which path calls what.

use std::net::IpAddr;

use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, FromRequest, Path, Query, Request, State,
        rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection},
    },
    http::{Method, StatusCode, Uri},
    response::Response,
    routing::{MethodRouter, get, post},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Control, MAX_BODY_BYTES, MAX_IMPORT_BYTES, drop_stream,
    operator::Asker,
    problem::Problem,
    types::{
        ApiError, ApplyRequest, ChangeRequest, Changed, ConfirmRequest, DropFilter, Drops, ExplainQuery, Explanation,
        Imported, LimitStatus, List, ListTest, Refreshed, RuleStatus, ServiceStatus, Status, TopDrops,
    },
};
use crate::telemetry::By;

type Answer<T> = Result<Json<T>, Problem>;

/// Every endpoint, with its method and path for people who ask for one that there is not.
fn endpoints<C: Control>() -> [(&'static str, &'static str, MethodRouter<C>); 19] {
    [
        ("GET", "/v1/status", get(status::<C>)),
        ("GET", "/v1/services", get(services::<C>)),
        ("GET", "/v1/services/{name}", get(service::<C>)),
        ("GET", "/v1/drops", get(drops::<C>)),
        ("GET", "/v1/drops/events", get(drop_events::<C>)),
        ("GET", "/v1/drops/top", get(top_drops::<C>)),
        ("GET", "/v1/explain", get(explain::<C>)),
        ("GET", "/v1/rules", get(rules::<C>)),
        ("GET", "/v1/limits", get(limits::<C>)),
        ("GET", "/v1/lists", get(lists::<C>)),
        ("GET", "/v1/lists/{name}", get(list::<C>)),
        ("GET", "/v1/lists/{name}/test", get(list_test::<C>)),
        ("GET", "/v1/lists/{name}/export", get(list_export::<C>)),
        ("POST", "/v1/lists/{name}/import", post(list_import::<C>).layer(DefaultBodyLimit::max(MAX_IMPORT_BYTES))),
        ("POST", "/v1/lists/{name}/refresh", post(list_refresh::<C>)),
        ("POST", "/v1/change", post(change::<C>)),
        ("POST", "/v1/apply", post(apply::<C>)),
        ("POST", "/v1/plan", post(plan::<C>)),
        ("POST", "/v1/confirm", post(confirm::<C>)),
    ]
}

/// The API of a daemon.
pub(super) fn router<C: Control>(control: C) -> Router {
    let endpoints = endpoints::<C>();
    let known = endpoints.each_ref().map(|(method, path, _)| format!("{method} {path}")).join(", ");
    let unknown = move |method: Method, uri: Uri| {
        let error = format!("there is no {method} {}: there are {known}", uri.path());
        async move { Problem::not_found(error) }
    };
    let mut router = Router::new();
    for (allowed, path, handler) in endpoints {
        let refuse = async move |method: Method, uri: Uri| {
            let error = format!("{} takes {allowed}, not {method}", uri.path());
            Problem::request(StatusCode::METHOD_NOT_ALLOWED, error)
        };
        router = router.route(path, handler.fallback(refuse));
    }
    router.fallback(unknown).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).with_state(control)
}

async fn status<C: Control>(State(control): State<C>) -> Answer<Status> {
    Ok(Json(control.status().await?))
}

async fn services<C: Control>(State(control): State<C>) -> Answer<Vec<ServiceStatus>> {
    Ok(Json(control.services().await?))
}

async fn service<C: Control>(
    State(control): State<C>,
    name: Result<Path<String>, PathRejection>,
) -> Answer<ServiceStatus> {
    let Path(name) = name?;
    let services = control.services().await?;
    let names: Vec<_> = services.iter().map(|service| service.name.clone()).collect();
    match services.into_iter().find(|service| service.name == name) {
        Some(service) => Ok(Json(service)),
        None if names.is_empty() => Err(Problem::not_found(format!("no service `{name}`: there are none"))),
        None => Err(Problem::not_found(format!("no service `{name}`: there are {}", names.join(", ")))),
    }
}

async fn drops<C: Control>(State(control): State<C>) -> Answer<Drops> {
    Ok(Json(control.drops().await?))
}

async fn drop_events<C: Control>(
    State(control): State<C>,
    query: Result<Query<DropFilter>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(filter) =
        query.map_err(|rejection| unasked(&rejection, "?reason=NAME,NAME&source=PREFIX&service=NAME"))?;
    Ok(drop_stream::answer(control.follow_drops(filter).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TopQuery {
    by: By,
    count: usize,
}

async fn top_drops<C: Control>(
    State(control): State<C>,
    query: Result<Query<TopQuery>, QueryRejection>,
) -> Answer<TopDrops> {
    let Query(TopQuery { by, count }) = query.map_err(|rejection| unasked(&rejection, "?by=BY&count=NUMBER"))?;
    Ok(Json(control.top_drops(by, count).await?))
}

async fn explain<C: Control>(
    State(control): State<C>,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Answer<Explanation> {
    let form = "?from=ADDRESS&from_port=PORT&to=ADDRESS&to_port=PORT&protocol=PROTOCOL&established=BOOL&interface=NAME";
    let Query(query) = query.map_err(|rejection| unasked(&rejection, form))?;
    Ok(Json(control.explain(query).await?))
}

async fn rules<C: Control>(State(control): State<C>) -> Answer<Vec<RuleStatus>> {
    Ok(Json(control.rules().await?))
}

async fn limits<C: Control>(State(control): State<C>) -> Answer<Vec<LimitStatus>> {
    Ok(Json(control.limits().await?))
}

async fn lists<C: Control>(State(control): State<C>) -> Answer<Vec<List>> {
    Ok(Json(control.lists().await?))
}

async fn list<C: Control>(State(control): State<C>, name: Result<Path<String>, PathRejection>) -> Answer<List> {
    let name = known(&control, name).await?;
    Ok(Json(control.list(name).await?))
}

/// The name of a list that there is.
async fn known<C: Control>(control: &C, name: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    let Path(name) = name?;
    let names: Vec<String> = control.lists().await?.into_iter().map(|list| list.name).collect();
    if names.contains(&name) {
        return Ok(name);
    }
    Err(Problem::not_found(format!("no list `{name}`: there are {}", names.join(", "))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestQuery {
    address: IpAddr,
}

async fn list_test<C: Control>(
    State(control): State<C>,
    name: Result<Path<String>, PathRejection>,
    query: Result<Query<TestQuery>, QueryRejection>,
) -> Answer<ListTest> {
    let name = known(&control, name).await?;
    let Query(TestQuery { address }) = query.map_err(|rejection| unasked(&rejection, "?address=ADDRESS"))?;
    Ok(Json(control.list_test(name, address).await?))
}

async fn list_export<C: Control>(
    State(control): State<C>,
    name: Result<Path<String>, PathRejection>,
) -> Result<String, Problem> {
    let name = known(&control, name).await?;
    Ok(control.list_export(name).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportQuery {
    #[serde(default)]
    force: bool,
}

async fn list_import<C: Control>(
    State(control): State<C>,
    name: Result<Path<String>, PathRejection>,
    Query(ImportQuery { force }): Query<ImportQuery>,
    Asker(operator): Asker,
    text: Result<axum::body::Bytes, BytesRejection>,
) -> Answer<Imported> {
    let name = known(&control, name).await?;
    Ok(Json(control.list_import(name, text?.into(), force, operator).await?))
}

async fn list_refresh<C: Control>(
    State(control): State<C>,
    name: Result<Path<String>, PathRejection>,
) -> Answer<Refreshed> {
    let name = known(&control, name).await?;
    Ok(Json(control.list_refresh(name).await?))
}

async fn change<C: Control>(
    State(control): State<C>,
    Asker(operator): Asker,
    Body(request): Body<ChangeRequest>,
) -> Answer<Changed> {
    let request = request.ok_or_else(|| Problem::request(StatusCode::BAD_REQUEST, "the request has no body"))?;
    Ok(Json(control.change(request, operator).await?))
}

async fn confirm<C: Control>(State(control): State<C>, Body(request): Body<ConfirmRequest>) -> Answer<Changed> {
    Ok(Json(control.confirm(request.unwrap_or_default()).await?))
}

async fn apply<C: Control>(
    State(control): State<C>,
    Asker(operator): Asker,
    Body(document): Body<ApplyRequest>,
) -> Answer<Changed> {
    Ok(Json(control.apply(document, operator).await?))
}

async fn plan<C: Control>(
    State(control): State<C>,
    Asker(operator): Asker,
    Body(document): Body<ApplyRequest>,
) -> Answer<Changed> {
    Ok(Json(control.plan(document, operator).await?))
}

/// A JSON body, if there is one. Unlike axum's own extractor it asks for no content type: curl sends another by default.
struct Body<T>(Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = axum::body::Bytes::from_request(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        let Json(value) = Json::from_bytes(&bytes)?;
        Ok(Self(Some(value)))
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::request(StatusCode::PAYLOAD_TOO_LARGE, ApiError::too_large().error),
            _ => Self::request(StatusCode::BAD_REQUEST, rejection.body_text()),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        use std::error::Error;
        let detail = rejection.source().map_or_else(|| rejection.body_text(), ToString::to_string);
        Self::request(StatusCode::BAD_REQUEST, format!("the body is not what this path takes: {detail}"))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::request(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

/// A query that the path does not take; `form` is the one that it takes.
fn unasked(rejection: &QueryRejection, form: &str) -> Problem {
    Problem::request(StatusCode::BAD_REQUEST, format!("{}; the query is {form}", rejection.body_text()))
}
