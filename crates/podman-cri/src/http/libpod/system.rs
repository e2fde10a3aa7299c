//! System, as libpod shows it.

use crate::http::body::{Answer, ok};
use crate::http::cx::Cx;
use crate::http::shared::system;

/// Source: `SystemInfoLibpod`.
pub(crate) async fn info(cx: Cx) -> Answer {
    ok(&translate::system::libpod_info(&system::seen(&cx).await?))
}
