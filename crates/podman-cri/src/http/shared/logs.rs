//! Logs, on both faces: a chunk for each line, and no content type (recorded of Podman 5.8.6).

use bytes::Bytes;
use engine::filter::time::{Side, parse_input_time};
use engine::logs::format::{Line, Stream};
use futures_util::StreamExt as _;
use http::StatusCode;
use jiff::Timestamp;
use model::container::Face;
use model::request::LogQuery;

use crate::http::body::{self, Answer};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::go_int;
use crate::http::mux::{self, Channel};
use crate::http::query::Query;

/// Source: `LogsFromContainer`. On the compat face the lines of a terminal come without frames; on libpod's
/// they have them.
pub(crate) async fn logs(cx: Cx) -> Answer {
    let query = cx.query();
    let (stdout, stderr) = (query.flag("stdout")?, query.flag("stderr")?);
    let (follow, timestamps) = (query.flag("follow")?, query.flag("timestamps")?);
    if !stdout && !stderr {
        return Err(Failure::bad_request(format!(
            "Bad Request: you must choose at least one stream for {}",
            query.url()
        )));
    }
    let switches = LogQuery {
        follow,
        stdout,
        stderr,
        ..LogQuery::default()
    };
    let log = match bounds(&query, switches) {
        Ok(asked) => cx.engine().logs(cx.name(), asked).await?,
        Err(unreadable) => {
            // Podman looks for the container first
            cx.engine().logs(cx.name(), LogQuery::default()).await?;
            return Err(unreadable);
        }
    };
    let framed = cx.face == Face::Libpod || !log.terminal;
    let chunks = log
        .lines
        .filter_map(move |line| async move { chunk(&line, timestamps, framed) });
    let chunks = chunks.take_until(cx.draining().cancelled_owned());
    Ok(body::chunks(StatusCode::OK, None, chunks))
}

fn bounds(query: &Query, switches: LogQuery) -> Result<LogQuery, Failure> {
    let tail = tail(query)?;
    let since = time(query, "since", Side::Since)?;
    let until = match query.text("until") {
        Some("0") => None, // docker's word for no bound
        Some(_) | None => time(query, "until", Side::Until)?,
    };
    Ok(LogQuery {
        tail,
        since,
        until,
        ..switches
    })
}

fn chunk(line: &Line, timestamps: bool, framed: bool) -> Option<Bytes> {
    let stamp = line.stamp.filter(|_| timestamps);
    let stamp = stamp.map_or_else(String::new, |stamp| format!("{stamp} "));
    let parts = [stamp.as_bytes(), &line.text];
    match (framed, stamp.is_empty()) {
        (true, _) => {
            let channel = match line.stream {
                Stream::Stdout => Channel::Stdout,
                Stream::Stderr => Channel::Stderr,
            };
            mux::frame(channel, &parts)
        }
        (false, true) => Some(line.text.clone()),
        (false, false) => Some(parts.concat().into()),
    }
}

/// How many lines: `all`, nothing or a negative number are all of them (Podman ends with a panic below -1).
fn tail(query: &Query) -> Result<Option<u64>, Failure> {
    match query.text("tail") {
        None | Some("all") => Ok(None),
        Some(text) => match go_int::parse(text) {
            Ok(number) => Ok(u64::try_from(number).ok()),
            Err(cause) => {
                let context = format!("strconv.ParseInt: parsing {text:?}: ");
                Err(unreadable("tail", text, &context, cause))
            }
        },
    }
}

fn time(query: &Query, key: &str, side: Side) -> Result<Option<Timestamp>, Failure> {
    // an empty one is no time either
    let Some(text) = query.all(key).next_back() else {
        return Ok(None);
    };
    // Go's time of nothing, which podman-remote sends where no time is asked for
    if text == podman_api::ZERO_TIME {
        return Ok(None);
    }
    parse_input_time(text, Timestamp::now(), side)
        .map(Some)
        .map_err(|cause| unreadable(key, text, "", &cause.to_string()))
}

fn unreadable(key: &str, value: &str, context: &str, cause: &str) -> Failure {
    let message = format!("failed to parse query parameter '{key}': {value:?}: {context}{cause}");
    Failure::caused(StatusCode::BAD_REQUEST, message, cause)
}
