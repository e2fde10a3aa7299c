//! `GET …/info`: the two faces have nothing in common.

pub mod compat;
pub mod libpod;
