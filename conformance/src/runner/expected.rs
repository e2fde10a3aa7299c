//! What an answer must be, and what every answer has.

use std::time::Duration;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Response;

use super::{
    check::{Checks, short},
    vars::Vars,
};

/// What an answer must be.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) status: Option<Status>,
    /// Of the answer.
    #[serde(default)]
    pub(super) headers: Map<String, Value>,
    /// By pointer.
    #[serde(default)]
    pub(super) json: Map<String, Value>,
    pub(super) text: Option<Value>,
    /// The body is a JSON value on each line; to the checks, a list.
    #[serde(default)]
    pub(super) lines: bool,
    pub(super) at_least_ms: Option<u64>,
    pub(super) at_most_ms: Option<u64>,
}

/// One status or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Status {
    One(u16),
    Any(Vec<u16>),
}

impl Expected {
    /// What is wrong with an answer, in words.
    pub(super) fn problems(
        &self,
        response: &Response,
        took: Duration,
        vars: &Vars,
    ) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        if !self.allows(response.status) {
            problems.push(format!(
                "status: expected {}, got {}",
                self.status_words(),
                response.status
            ));
        }
        problems.extend(always(response));
        for (name, said) in &self.headers {
            let checks = Checks::read(said)?;
            let what = format!("header {name}");
            problems.extend(checks.problems_of_text(&what, response.header(name), vars)?);
        }
        let json = self.value(response);
        for (at, said) in &self.json {
            problems.extend(Checks::read(said)?.problems(&json, at, vars)?);
        }
        if let Some(said) = &self.text {
            let text = response.text();
            problems.extend(Checks::read(said)?.problems_of_text("the body", Some(&text), vars)?);
        }
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if self.at_least_ms.is_some_and(|limit| took < limit)
            || self.at_most_ms.is_some_and(|limit| took > limit)
        {
            problems.push(format!("it took {took} ms"));
        }
        if !problems.is_empty() {
            let text = short(&Value::String(response.text()));
            problems.push(format!("(answer: {} {text})", response.status));
        }
        Ok(problems)
    }

    pub(super) fn allows(&self, status: u16) -> bool {
        match &self.status {
            None => (200..300).contains(&status),
            Some(Status::One(one)) => *one == status,
            Some(Status::Any(list)) => list.contains(&status),
        }
    }

    fn status_words(&self) -> String {
        match &self.status {
            None => "success".to_owned(),
            Some(Status::One(one)) => one.to_string(),
            Some(Status::Any(list)) => format!("one of {list:?}"),
        }
    }

    /// The body as the checks see it.
    pub(super) fn value(&self, response: &Response) -> Value {
        if !self.lines {
            return response.json();
        }
        let text = response.text();
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let parsed = lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| line.into()));
        Value::Array(parsed.collect())
    }
}

/// What every answer of Podman's API has: its headers, and in an error the status again.
/// The router's own 404 and 405, in plain text, have nothing of it.
fn always(response: &Response) -> Vec<String> {
    let kind = response.header("Content-Type").unwrap_or_default();
    if matches!(response.status, 404 | 405) && kind.starts_with("text/plain") {
        return Vec::new();
    }
    let mut problems: Vec<String> = [
        "Api-Version",
        "Libpod-Api-Version",
        "Server",
        "X-Reference-Id",
        "Date",
    ]
    .iter()
    .filter(|name| !response.headers.iter().any(|(key, _)| key == *name))
    .map(|name| format!("the header {name} is missing"))
    .collect();
    let json = response.json();
    let told = json.get("response").and_then(Value::as_u64);
    if response.status >= 400
        && told.is_some_and(|told| told != 0 && told != u64::from(response.status))
    {
        problems.push(format!(
            "/response: expected {}, got {told:?}",
            response.status
        ));
    }
    problems
}
