//! Stats of one container, on both faces: one answer, or one every five seconds until it is not up any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use model::Error;
use model::usage::UsageView;
use podman_api::error::ErrorModel;
use translate::stats::CompatReports;

use crate::http::body::{self, Answer};
use crate::http::cx::Cx;
use crate::http::error::Failure;

/// Between two answers of a stream (Podman's `defaultStatsPeriod`).
const PERIOD: Duration = Duration::from_secs(5);

/// Source: `StatsContainer`. The head goes before anything is read, and has no content type.
pub(crate) async fn stats(cx: Cx) -> Answer {
    let query = cx.query();
    let stream = query.switch("stream")?.unwrap_or(true);
    if stream && query.flag("one-shot")? {
        let cause = "invalid argument";
        return Err(Failure::bad_request(cause));
    }
    let name = cx.name().to_owned();
    let now = cx
        .engine()
        .usage(&name)
        .await
        .map_err(|error| failed(&name, error))?;
    let before = stream.then_some(&now);
    let mut reports = CompatReports::new(cx.face, before);
    let now = match stream {
        true => cx.engine().usage(&name).await?,
        false => now.clone(),
    };
    let Some(first) = line(&mut reports, &now) else {
        return stopped();
    };
    if !stream {
        return Ok(body::flushed(None, first));
    }
    let (app, reports) = (cx.app.clone(), Arc::new(Mutex::new(reports)));
    let again = move || {
        let (app, name, reports) = (app.clone(), name.clone(), reports.clone());
        async move {
            let usage = app.engine.usage(&name).await.ok()?;
            line(
                &mut reports.lock().unwrap_or_else(PoisonError::into_inner),
                &usage,
            )
        }
    };
    Ok(cx.every(None, PERIOD, first, again))
}

fn line(reports: &mut CompatReports, view: &UsageView) -> Option<Bytes> {
    body::line(&reports.next(view)?).ok()
}

/// Podman has written the head by then.
fn stopped() -> Answer {
    let cause = "container is stopped".to_owned();
    let body = body::line(&ErrorModel {
        message: cause.clone(),
        cause,
        response: StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
    })?;
    Ok(body::reply(StatusCode::OK, None, body::full(body)))
}

fn failed(name: &str, error: Error) -> Failure {
    match error {
        error @ (Error::NotFound { .. } | Error::Ambiguous(_) | Error::Unsupported { .. }) => {
            error.into()
        }
        error => error
            .behind(&format!("failed to obtain Container {name} stats"))
            .into(),
    }
}
