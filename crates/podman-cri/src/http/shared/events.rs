//! Events: a stream of JSON lines on both faces.

use bytes::Bytes;
use engine::filter::time::{Side, parse_input_time};
use futures_util::StreamExt;
use http::StatusCode;
use jiff::Timestamp;
use model::container::Face;
use model::event::{Action, Event};
use model::request::EventQuery;

use crate::http::body::{self, Answer};
use crate::http::cx::Cx;
use crate::http::error::Failure;
use crate::http::path::ApiVersion;
use crate::http::query::Query;

/// From here on Docker leaves out `status`, `id` and `from`.
const WITHOUT_STATUS: ApiVersion = ApiVersion(1, 52, 0);
/// From here on only an exit has an exit code.
const EXIT_CODE_OPTIONAL: ApiVersion = ApiVersion(5, 0, 0);

/// Source: `SystemEvents`, `SystemEventsLibpod`. The header goes at once; the stream ends with the
/// daemon.
pub(crate) async fn events(cx: Cx) -> Answer {
    let query = cx.query();
    let filters = cx
        .filters("failed to parse filters")
        .map_err(|failure| failure.with_status(StatusCode::BAD_REQUEST))?;
    let stream = query.switch("stream")?.unwrap_or(true);
    let (since, until) = (
        point(&query, "since", Side::Since)?,
        point(&query, "until", Side::Until)?,
    );
    // an end without a start means all there is up to then
    let since = since.or(until.map(|_| Timestamp::UNIX_EPOCH));
    let events = cx
        .engine()
        .events(EventQuery {
            since,
            until,
            filters,
            stream,
        })
        .await?;
    let form = Form::of(&cx);
    let lines = events.filter_map(move |event| async move { line(&event, form) });
    Ok(body::lines(
        StatusCode::OK,
        lines.take_until(cx.draining().cancelled_owned()),
    ))
}

/// The forms of an event.
#[derive(Clone, Copy, Debug)]
enum Form {
    Libpod,
    /// podman-remote 4 ends with a panic at an event without an exit code, and at a failed pull.
    LibpodV4,
    Compat,
    CompatWithoutStatus,
}

impl Form {
    fn of(cx: &Cx) -> Self {
        match cx.face {
            Face::Libpod if cx.is_below(EXIT_CODE_OPTIONAL) => Self::LibpodV4,
            Face::Libpod => Self::Libpod,
            Face::Compat if cx.version.is_some_and(|version| version >= WITHOUT_STATUS) => {
                Self::CompatWithoutStatus
            }
            Face::Compat => Self::Compat,
        }
    }
}

fn line(event: &Event, form: Form) -> Option<Bytes> {
    if matches!((form, event.action), (Form::LibpodV4, Action::PullError)) {
        return None;
    }
    let mut shown = match form {
        Form::Libpod | Form::LibpodV4 => translate::event::libpod_event(event),
        Form::Compat | Form::CompatWithoutStatus => translate::event::compat_event(event),
    };
    match form {
        Form::LibpodV4 => {
            shown
                .actor
                .attributes
                .entry("containerExitCode".to_owned())
                .or_insert_with(|| "0".to_owned());
        }
        Form::CompatWithoutStatus => {
            for field in [&mut shown.status, &mut shown.id, &mut shown.from] {
                field.clear();
            }
        }
        Form::Libpod | Form::Compat => {}
    }
    body::line(&shown).ok()
}

fn point(query: &Query, key: &str, side: Side) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = query.text(key) else {
        return Ok(None);
    };
    parse_input_time(text, Timestamp::now(), side)
        .map(Some)
        .map_err(|cause| {
            let message = format!(
                "failed to parse event filters: unable to convert {key} time of {text}: {cause}"
            );
            Failure::caused(
                StatusCode::INTERNAL_SERVER_ERROR,
                message,
                cause.to_string(),
            )
        })
}
