//! Stats of several containers, or of pods: one answer with all of them, or one every few seconds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use model::Error;
use model::usage::UsageView;
use translate::stats::LibpodReports;

use crate::http::body::{self, Answer};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::query::Query;

/// Seconds between two answers of a stream (Podman's default).
const INTERVAL_SECS: i64 = 5;

/// Source: `StatsContainer`. A stream goes on over containers that start and end, with their state; it ends where one
/// that is named is gone.
pub(crate) async fn stats(cx: Cx) -> Answer {
    let query = cx.query();
    let stream = query.switch("stream")?.unwrap_or(true);
    let all = query.flag("all")?;
    let interval = interval(&query)?;
    let names = query.all("containers").filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(ToOwned::to_owned).collect();
    let usages = cx.engine().usage_of_all(&names, all).await?;
    let mut reports = LibpodReports::default();
    let first = line(&mut reports, &usages)?;
    if !stream {
        return Ok(body::flushed(Some(body::JSON), first));
    }
    let (app, reports) = (cx.app.clone(), Arc::new(Mutex::new(reports)));
    let again = move || {
        let (app, names, reports) = (app.clone(), names.clone(), reports.clone());
        async move {
            let usages = app.engine.usage_of_all(&names, all).await.ok()?;
            line(
                &mut reports.lock().unwrap_or_else(PoisonError::into_inner),
                &usages,
            )
            .ok()
        }
    };
    Ok(cx.every(Some(body::JSON), interval, first, again))
}

/// Source: `PodStats`.
pub(crate) async fn pods(cx: Cx) -> Answer {
    let query = cx.query();
    let stream = query.flag("stream")?;
    let seconds: i64 = query.number("delay")?.unwrap_or(INTERVAL_SECS);
    let names = query.all("namesOrIDs").filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(ToOwned::to_owned).collect();
    if query.flag("all")? && !names.is_empty() {
        let why = "--all, --latest and arguments cannot be used together";
        return Err(Error::Plain(why.to_owned()).into());
    }
    let usages = cx.engine().usage_of_pods(&names).await?;
    let first = body::line(&translate::stats::pod_stats(&usages))?;
    if !stream {
        return Ok(body::flushed(Some(body::JSON), first));
    }
    let app = cx.app.clone();
    let again = move || {
        let (app, names) = (app.clone(), names.clone());
        async move {
            let usages = app.engine.usage_of_pods(&names).await.ok()?;
            body::line(&translate::stats::pod_stats(&usages)).ok()
        }
    };
    // Podman does not wait at all for 0 and less
    let pause = Duration::from_secs(u64::try_from(seconds).unwrap_or_default().max(1));
    Ok(cx.every(Some(body::JSON), pause, first, again))
}

fn line(reports: &mut LibpodReports, usages: &[UsageView]) -> Result<Bytes, Failure> {
    body::line(&reports.next(usages))
}

fn interval(query: &Query) -> Result<Duration, Failure> {
    let seconds: i64 = query.number("interval")?.unwrap_or(INTERVAL_SECS);
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        let why = "invalid interval, must be a positive number greater zero";
        Error::Plain(why.to_owned()).into()
    })
}
