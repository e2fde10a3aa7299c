//! Images: what both faces do alike.

use model::request::Filters;
use model::view::ImageView;

use crate::http::cx::Cx;
use crate::http::error::Failure;

/// The images a list request asks for.
pub(crate) async fn list(cx: &Cx) -> Result<Vec<ImageView>, Failure> {
    let query = cx.query();
    let mut filters: Filters = cx.filters("failed to decode filter parameters")?;
    // Docker before 1.25
    if let Some(reference) = query.text("filter") {
        filters
            .entry("reference".to_owned())
            .or_default()
            .push(reference.to_owned());
    }
    // intermediate layers have no image of their own at a CRI runtime: all there are is always shown
    query.flag("all")?;
    Ok(cx.engine().list_images(filters).await?)
}
