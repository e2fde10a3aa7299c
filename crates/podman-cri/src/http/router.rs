//! From a request to its handler.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use http::Method;

use super::body::Answer;
use super::cx::Cx;
use super::path::{Params, Path, Pattern};

/// What carries out a request.
pub(crate) type Handler =
    Box<dyn Fn(Cx) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// What happens to a request under way when its client goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaver {
    /// It ends: it only reads, waits or pulls.
    Ends,
    /// It goes on: an operation is not left half done.
    GoesOn,
}

/// A method and a pattern with their handler.
pub(crate) struct Route {
    /// `None` is any method.
    method: Option<Method>,
    pattern: Pattern,
    handler: Handler,
    leaver: Leaver,
}

impl Route {
    /// The handler.
    pub(crate) fn handler(&self) -> &Handler {
        &self.handler
    }

    /// Its pattern as written.
    pub(crate) fn name(&self) -> &'static str {
        self.pattern.text()
    }

    /// What happens when the client goes away.
    pub(crate) fn leaver(&self) -> Leaver {
        self.leaver
    }

    /// The same, ending when its client goes away.
    pub(crate) fn ends_with_client(self) -> Self {
        Self {
            leaver: Leaver::Ends,
            ..self
        }
    }

    /// It is for this method.
    pub(crate) fn takes(&self, method: &Method) -> bool {
        self.method.as_ref().is_none_or(|own| own == method)
    }
}

fn route<F, R>(method: Option<Method>, pattern: &'static str, handler: F) -> Route
where
    F: Fn(Cx) -> R + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    let leaver = match &method {
        Some(method) if method == Method::GET || method == Method::HEAD => Leaver::Ends,
        _ => Leaver::GoesOn,
    };
    let handler: Handler = Box::new(move |cx| Box::pin(handler(cx)));
    Route {
        method,
        pattern: Pattern::new(pattern),
        handler,
        leaver,
    }
}

/// A route of any method.
pub(crate) fn any<F, R>(pattern: &'static str, handler: F) -> Route
where
    F: Fn(Cx) -> R + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    route(None, pattern, handler)
}

/// A route of a method.
pub(crate) fn on<F, R>(method: Method, pattern: &'static str, handler: F) -> Route
where
    F: Fn(Cx) -> R + Send + Sync + 'static,
    R: Future<Output = Answer> + Send + 'static,
{
    route(Some(method), pattern, handler)
}

macro_rules! methods {
    ($($name:ident $method:ident)*) => {$(
        #[doc = concat!("A route of method ", stringify!($method), ".")]
        pub(crate) fn $name<F, R>(pattern: &'static str, handler: F) -> Route
        where
            F: Fn(Cx) -> R + Send + Sync + 'static,
            R: Future<Output = Answer> + Send + 'static,
        {
            on(Method::$method, pattern, handler)
        }
    )*};
}
methods! { get GET  head HEAD  post POST  put PUT  delete DELETE }

/// Where a request leads.
pub(crate) enum Found<'a> {
    /// To a handler, with the parameters of its pattern.
    Route(&'a Route, Params),
    /// A path of Podman's with a method it does not have.
    WrongMethod,
    /// Nowhere.
    Nothing,
}

/// All routes. The first that fits counts, as in Podman.
pub(crate) struct Router {
    routes: Vec<Route>,
    /// Positions of the routes by their noun, so that a lookup tries few.
    by_noun: BTreeMap<String, Vec<usize>>,
}

impl Router {
    /// A router of these routes, in this order.
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        let mut by_noun: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, route) in routes.iter().enumerate() {
            let segments = route.name().split('/').skip(1);
            by_noun.entry(noun(segments)).or_default().push(at);
        }
        Self { routes, by_noun }
    }

    /// Finds the route of a request.
    pub(crate) fn find(&self, method: &Method, path: &Path) -> Found<'_> {
        let mut found = Found::Nothing;
        let noun = noun(path.segments.iter().map(String::as_str));
        for route in self
            .by_noun
            .get(&noun)
            .into_iter()
            .flatten()
            .filter_map(|at| self.routes.get(*at))
        {
            let Some(params) = route.pattern.matches(&path.segments) else {
                continue;
            };
            if route.takes(method) {
                return Found::Route(route, params);
            }
            found = Found::WrongMethod;
        }
        found
    }
}

/// Is there a route of exactly this method and pattern among these?
pub(crate) fn has(routes: &[Route], method: &Method, pattern: &str) -> bool {
    routes
        .iter()
        .any(|route| route.takes(method) && route.name() == pattern)
}

/// What a path and its route have in common at the front: the noun, behind `libpod` where it is.
fn noun<'a>(mut segments: impl Iterator<Item = &'a str>) -> String {
    match segments.next() {
        Some("libpod") => format!("libpod/{}", segments.next().unwrap_or_default()),
        Some(first) => first.to_owned(),
        None => String::new(),
    }
}
