//! What the tests share.

pub mod build;
pub mod reference;
#[path = "../../../../conformance/src/shape/compare.rs"]
pub mod shape;
