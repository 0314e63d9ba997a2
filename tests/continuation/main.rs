//! Acceptance tests of the example `continuation`: what a person with data types, and what comes out.
//!
//! `cargo test` builds the program first; `cargo test --test continuation` alone does not, so that
//! `cargo build --example continuation` has to precede it.

mod bad_input;
mod bench;
mod maxent;
mod spectra;
