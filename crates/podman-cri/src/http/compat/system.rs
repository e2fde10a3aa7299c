//! System, as Docker shows it.

use jiff::Timestamp;

use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;

/// Source: `SystemInfo`.
pub(crate) async fn info(cx: Cx) -> Answer {
    ok(&translate::system::compat_info(
        &cx.engine().system().await?,
        Timestamp::now(),
    ))
}
