//! System, as libpod shows it.

use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;

/// Source: `SystemInfoLibpod`.
pub(crate) async fn info(cx: Cx) -> Answer {
    ok(&translate::system::libpod_info(
        &cx.engine().system().await?,
    ))
}
