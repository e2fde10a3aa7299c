//! One request and what is expected of its answer.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};

use crate::{Http, Response};

use super::{
    check::{Checks, short},
    expected::{Expected, Status},
    pointer,
    vars::Vars,
};

/// How long a whole answer may take.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the head of an answer may take that must come before the rest.
const HEAD: Duration = Duration::from_secs(5);
/// How long a request must have been under way before what happens meanwhile.
const UNDER_WAY: Duration = Duration::from_millis(250);
/// How long something may take to become true.
const EVENTUALLY: Duration = Duration::from_secs(15);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(100);

/// A request and its checks, or a pause.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Pause(Duration),
    Request { method: String, path: String },
}

/// One step of a case. In a file it is a table, or text: `POST /path`, `GET /path -> 404`,
/// `sleep 200ms`.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) act: Act,
    send: BTreeMap<String, String>,
    body: Option<Value>,
    save: BTreeMap<String, String>,
    meanwhile: Vec<Step>,
    head_first: Option<bool>,
    eventually: bool,
    pub(super) expected: Expected,
}

/// The keys of a step that do not belong to what is expected.
#[derive(Deserialize)]
struct Asked {
    request: String,
    #[serde(default)]
    send: BTreeMap<String, String>,
    body: Option<Value>,
    #[serde(default)]
    save: BTreeMap<String, String>,
    #[serde(default)]
    meanwhile: Vec<Step>,
    head_first: Option<bool>,
    #[serde(default)]
    eventually: bool,
}

const ASKED_KEYS: [&str; 7] = [
    "request",
    "send",
    "body",
    "save",
    "meanwhile",
    "head_first",
    "eventually",
];

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let step = match Value::deserialize(deserializer)? {
            Value::String(text) => Self::read_text(&text),
            Value::Object(table) => Self::read_table(table),
            other => Err(anyhow!("a step is text or a table, not {other}")),
        };
        step.map_err(|error| D::Error::custom(format!("{error:#}")))
    }
}

impl Step {
    fn read_text(text: &str) -> Result<Self> {
        let asked = Asked {
            request: text.to_owned(),
            send: BTreeMap::new(),
            body: None,
            save: BTreeMap::new(),
            meanwhile: Vec::new(),
            head_first: None,
            eventually: false,
        };
        Self::new(asked, Expected::default())
    }

    fn read_table(mut table: Map<String, Value>) -> Result<Self> {
        let asked = ASKED_KEYS
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), table.remove(*key)?)));
        let asked = serde_json::from_value(Value::Object(asked.collect()))?;
        Self::new(asked, serde_json::from_value(Value::Object(table))?)
    }

    fn new(asked: Asked, mut expected: Expected) -> Result<Self> {
        for said in expected.json.values().chain(expected.headers.values()) {
            Checks::read(said)?;
        }
        let (request, status) = match asked.request.split_once(" -> ") {
            Some((request, status)) => (request, Some(status.trim().parse()?)),
            None => (asked.request.as_str(), None),
        };
        expected.status = expected.status.or(status.map(Status::One));
        Ok(Self {
            act: read_act(request)?,
            send: asked.send,
            body: asked.body,
            save: asked.save,
            meanwhile: asked.meanwhile,
            head_first: asked.head_first,
            eventually: asked.eventually,
            expected,
        })
    }

    /// The request as it is sent.
    pub(super) fn line(&self, vars: &Vars) -> String {
        match &self.act {
            Act::Pause(time) => format!("sleep {time:?}"),
            Act::Request { method, path } => {
                let path = vars.fill_path(path).unwrap_or_else(|_| path.clone());
                let body = self.body.as_ref().map(|body| match body {
                    Value::String(text) => vars.fill(text).unwrap_or_else(|_| text.clone()),
                    other => short(&vars.fill_json(other).unwrap_or(Value::Null)),
                });
                format!("{method} {path} {}", body.unwrap_or_default().trim())
                    .trim_end()
                    .to_owned()
            }
        }
    }

    /// Does it and checks the answer: what is wrong, in words.
    pub(super) async fn perform(&self, http: &Http, vars: &mut Vars) -> Result<Vec<String>> {
        self.perform_as(&self.expected, http, vars).await
    }

    /// The same with other expectations.
    pub(super) async fn perform_as(
        &self,
        expected: &Expected,
        http: &Http,
        vars: &mut Vars,
    ) -> Result<Vec<String>> {
        let (method, path) = match &self.act {
            Act::Pause(time) => {
                sleep(*time).await;
                return Ok(Vec::new());
            }
            Act::Request { method, path } => (method, vars.fill_path(path)?),
        };
        let since = Instant::now();
        loop {
            let asked = Instant::now();
            let (response, mut problems) = self.ask(http, method, &path, vars).await?;
            problems.extend(expected.problems(&response, asked.elapsed(), vars)?);
            if problems.is_empty() || !self.eventually || since.elapsed() > EVENTUALLY {
                self.keep(&response, vars, &mut problems)?;
                return Ok(problems);
            }
            sleep(POLL).await;
        }
    }

    /// Sends it without looking at the answer, and says only when there is none.
    pub(super) async fn perform_loosely(&self, http: &Http, vars: &Vars) -> Result<()> {
        if let Act::Request { method, path } = &self.act {
            let path = vars.fill_path(path)?;
            self.ask(http, method, &path, &mut vars.clone()).await?;
        }
        Ok(())
    }

    async fn ask(
        &self,
        http: &Http,
        method: &str,
        path: &str,
        vars: &mut Vars,
    ) -> Result<(Response, Vec<String>)> {
        let (headers, body) = self.sent(vars)?;
        let headers: Vec<_> = headers
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let line = format!("{method} {path}");
        if self.meanwhile.is_empty() && self.head_first.is_none() {
            let answer = timeout(ANSWER, http.send(method, path, &headers, body.as_deref())).await;
            let answer = answer.with_context(|| format!("{line}: no answer in {ANSWER:?}"))??;
            return Ok((answer, Vec::new()));
        }
        let mut problems = Vec::new();
        let mut opening = Box::pin(http.open(method, path, &headers, body.as_deref()));
        let wait = if self.head_first == Some(true) {
            HEAD
        } else {
            UNDER_WAY
        };
        let early = timeout(wait, &mut opening).await;
        match (self.head_first, &early) {
            (Some(true), Err(_)) => {
                problems.push(format!("the head of the answer has not come in {HEAD:?}"));
            }
            (Some(false), Ok(_)) => {
                problems.push("the answer came before what it waits for".to_owned());
            }
            _ => {}
        }
        for step in &self.meanwhile {
            let found = Box::pin(step.perform(http, vars)).await?;
            problems.extend(found.into_iter().map(|p| format!("meanwhile: {p}")));
        }
        let rest = async {
            let mut stream = match early {
                Ok(stream) => stream?,
                Err(_) => opening.await?,
            };
            let bodiless = method == "HEAD" || matches!(stream.head.status, 100..=199 | 204 | 304);
            while !bodiless && let Some(mut part) = stream.next_part().await? {
                stream.head.body.append(&mut part);
            }
            Ok::<_, anyhow::Error>(stream.head)
        };
        let answer = timeout(ANSWER, rest).await;
        Ok((
            answer.with_context(|| format!("{line}: goes on after {ANSWER:?}"))??,
            problems,
        ))
    }

    /// Headers and body.
    fn sent(&self, vars: &Vars) -> Result<(BTreeMap<String, String>, Option<Vec<u8>>)> {
        let mut headers = BTreeMap::new();
        for (name, value) in &self.send {
            headers.insert(name.clone(), vars.fill(value)?);
        }
        let body = match &self.body {
            None => None,
            Some(Value::String(text)) => Some(vars.fill(text)?),
            Some(other) => Some(vars.fill_json(other)?.to_string()),
        };
        if body.is_some() {
            headers
                .entry("Content-Type".to_owned())
                .or_insert_with(|| "application/json".to_owned());
        }
        Ok((headers, body.map(String::into_bytes)))
    }

    /// Sets the variables it saves.
    fn keep(&self, response: &Response, vars: &mut Vars, problems: &mut Vec<String>) -> Result<()> {
        vars.answer = self.expected.value(response);
        let json = vars.answer.clone();
        for (name, at) in &self.save {
            match pointer::find_one(&json, &vars.fill(at)?) {
                Some(Value::String(text)) => vars.set(name, text),
                Some(Value::Null) | None => problems.push(format!("nothing to keep at {at}")),
                Some(other) => vars.set(name, other.to_string()),
            }
        }
        Ok(())
    }
}

fn read_act(request: &str) -> Result<Act> {
    let (method, path) = request
        .split_once(' ')
        .with_context(|| format!("{request:?} is no request"))?;
    if method == "sleep" {
        let number = path
            .strip_suffix("ms")
            .context("`sleep` wants milliseconds: `sleep 200ms`")?;
        return Ok(Act::Pause(Duration::from_millis(number.parse()?)));
    }
    if !["GET", "HEAD", "POST", "PUT", "DELETE"].contains(&method) || !path.starts_with('/') {
        bail!("{request:?} is no request");
    }
    Ok(Act::Request {
        method: method.to_owned(),
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_step() {
        let step = Step::read_text("GET /x -> 404").unwrap();
        assert!(step.expected.allows(404) && !step.expected.allows(200));
        assert!(Step::read_text("POST /x").unwrap().expected.allows(204));
        assert!(matches!(
            Step::read_text("sleep 20ms").unwrap().act,
            Act::Pause(_)
        ));
        assert!(Step::read_text("FETCH /x").is_err());
    }
}
