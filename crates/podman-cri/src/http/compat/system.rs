//! System, as Docker shows it.

use jiff::Timestamp;

use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;
use crate::http::shared::system;

/// Source: `SystemInfo`.
pub(crate) async fn info(cx: Cx) -> Answer {
    ok(&translate::system::compat_info(
        &system::seen(&cx).await?,
        Timestamp::now(),
    ))
}
