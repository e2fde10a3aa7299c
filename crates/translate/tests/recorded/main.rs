//! Recorded requests are carried out or refused by name, and what is shown has the recorded shape.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "a test"
)]

#[path = "../common/mod.rs"]
mod common;
mod containers;
mod creates;
mod others;
mod report;
mod system_and_events;

use common::reference;
use report::Report;

#[test]
fn answers_have_the_recorded_shape() {
    let Some(dir) = reference::dir() else { return };
    let mut report = Report::default();
    containers::inspects(&dir, &mut report);
    containers::lists(&dir, &mut report);
    others::pods(&dir, &mut report);
    others::images(&dir, &mut report);
    others::volumes(&dir, &mut report);
    system_and_events::systems(&dir, &mut report);
    system_and_events::events(&dir, &mut report);
    report.finish();
}
