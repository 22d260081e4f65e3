//! What the privacy half of the crate promises, checked from outside with other arithmetic.

mod accountant;
mod filter;
mod integral;
