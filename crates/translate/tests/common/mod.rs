//! What the tests share.

pub mod build;
pub mod reference;
pub mod shape;
