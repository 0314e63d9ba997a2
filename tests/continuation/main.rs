//! Acceptance tests of the example `continuation`: what a person with data types, and what comes out.

mod bad_input;
mod bench;
mod spectra;
