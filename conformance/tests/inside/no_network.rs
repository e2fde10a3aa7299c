//! A container without a network has none whatever happens, though the runtime connects its sandbox at first.

use anyhow::{Context, Result, ensure};
use conformance::{
    Lab, Setup, Variant,
    scenario::{self, Api, IMAGE},
};
use serde_json::json;

use conformance::scenario::dies_in;

/// Ends with 0 where there is no link but the loopback, and no route.
const ALONE: &str = "test $(wc -l </proc/net/dev) = 3 && test $(wc -l </proc/net/route) = 1";

/// The daemon dies before it has taken the network away, or just after that.
pub(crate) async fn a_daemon_that_dies_on_the_way(variant: Variant) -> Result<()> {
    for point in ["store:sandbox.made", "disk:network"] {
        let mut lab = Lab::start(Setup::new(variant)).await?;
        dies_in(&mut lab, point, async |api| {
            api.create(&json!({
                "name": "alone", "image": IMAGE, "command": ["sh", "-c", ALONE],
                "netns": { "nsmode": "none" },
            }))
            .await?;
            api.start("alone").await
        })
        .await?;
        let api = Api::new(lab.http());
        api.start("alone").await.context(point)?;
        ensure!(api.wait("alone").await? == 0, "{point}: it has a network");
        api.remove("alone").await?;
        scenario::finish(lab).await?;
    }
    Ok(())
}
