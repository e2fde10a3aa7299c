//! Top, on both faces: one answer, or one every few seconds until the container does not run any more.

use std::time::Duration;

use http::StatusCode;
use jiff::tz::TimeZone;
use model::container::Face;
use model::process::Processes;
use translate::top::Columns;

use crate::http::body::{self, Answer};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::path::ApiVersion;
use crate::http::query::Query;

/// Seconds between two answers of a stream (Podman's default).
const DELAY_SECS: i64 = 5;
/// Below this podman-remote sent its descriptors with commas between them.
const WITHOUT_COMMAS: ApiVersion = ApiVersion(4, 8, 0);

/// Source: `TopContainer`.
pub(crate) async fn top(cx: Cx) -> Answer {
    let query = cx.query();
    let stream = query.flag("stream")?;
    let delay = delay(&query)?;
    // Podman looks for the container first
    let processes = cx.engine().processes(cx.name()).await?;
    let columns = Columns::parse(&ps_args(&cx, &query))?;
    let first = line(&columns, &processes)?;
    if !stream {
        return Ok(body::flushed(Some(body::JSON), first));
    }
    let (app, name) = (cx.app.clone(), cx.name().to_owned());
    let again = move || {
        let (app, name, columns) = (app.clone(), name.clone(), columns.clone());
        async move {
            let processes = app.engine.processes(&name).await.ok()?;
            line(&columns, &processes).ok()
        }
    };
    Ok(cx.every(Some(body::JSON), delay, first, again))
}

/// Source: `PodTop`. Where nothing runs nothing is said, and a stream goes on.
pub(crate) async fn pod(cx: Cx) -> Answer {
    let query = cx.query();
    let stream = query.flag("stream")?;
    let delay = delay(&query)?;
    let processes = cx.engine().processes_of_pod(cx.name()).await?;
    let columns = Columns::parse_of_pod(query.text("ps_args").unwrap_or_default())?;
    let first = line_of_pod(&columns, &processes)?;
    if !stream {
        return Ok(match first.is_empty() {
            true => body::reply(StatusCode::OK, Some(body::JSON), body::full(first)),
            false => body::flushed(Some(body::JSON), first),
        });
    }
    let (app, name) = (cx.app.clone(), cx.name().to_owned());
    let again = move || {
        let (app, name, columns) = (app.clone(), name.clone(), columns.clone());
        async move {
            let processes = app.engine.processes_of_pod(&name).await.ok()?;
            line_of_pod(&columns, &processes).ok()
        }
    };
    Ok(cx.every(Some(body::JSON), delay, first, again))
}

fn line_of_pod(columns: &Columns, containers: &[Processes]) -> Result<bytes::Bytes, Failure> {
    let table = columns.table_of_pod(containers, &TimeZone::system());
    table.map_or_else(|| Ok(bytes::Bytes::new()), |table| body::line(&table))
}

fn line(columns: &Columns, processes: &Processes) -> Result<bytes::Bytes, Failure> {
    body::line(&columns.table(processes, &TimeZone::system()))
}

fn delay(query: &Query) -> Result<Duration, Failure> {
    let seconds = query.number("delay")?.unwrap_or(DELAY_SECS);
    match u64::try_from(seconds) {
        Ok(seconds @ 1..) => Ok(Duration::from_secs(seconds)),
        Ok(0) | Err(_) => Err(Failure::bad_request(format!(
            "\"delay\" parameter of value {seconds} < 1"
        ))),
    }
}

/// The columns asked for; Docker's are those of `ps -ef`.
fn ps_args(cx: &Cx, query: &Query) -> Vec<String> {
    if cx.face == Face::Compat && !query.has("ps_args") {
        return vec!["-ef".to_owned()];
    }
    let args: Vec<_> = query.all("ps_args").map(ToOwned::to_owned).collect();
    match args.as_slice() {
        [one] if cx.face == Face::Libpod && cx.is_below(WITHOUT_COMMAS) => {
            one.split(',').map(ToOwned::to_owned).collect()
        }
        _ => args,
    }
}
