//! What training costs in privacy, and the filter that refuses to overspend it.
//!
//! A member that trains with noise runs the Poisson-subsampled Gaussian mechanism: each step takes every example with
//! probability `q`, clips its gradient and adds Gaussian noise of `sigma` clipping norms. A [`Spend`] says how many such
//! steps; a [`Curve`] what they cost at many Renyi orders, and as (epsilon, delta) under a [`Conversion`].
//!
//! Curves of steps that were fixed beforehand add up. Agents choose noise and steps as they go, from what earlier rounds
//! released, and for them a sum after the fact proves nothing. The [`Filter`] holds whatever they choose: it fixes its
//! orders and bounds when the [`Budget`] is made and refuses what would break the last of them.
//!
//! The caller's duty is one order of events: [`Filter::debit`], then [`Receipt::make_durable`], then noise. The
//! [`Debited`] token that lets noise be drawn comes from the second step only, once per ticket, and cannot be copied.
//! `docs/privacy.md` has the theorems and what they do not cover.

mod budget;
mod curve;
mod filter;
mod gaussian;
mod line;
mod outlook;
mod plan;
mod special;
mod spend;

pub use budget::{Budget, BudgetError};
pub use curve::{Conversion, Curve, Guarantee, default_orders};
pub use filter::{
    Debit, Debited, Filter, LimitError, MAX_FILTER_BYTES, MAX_TICKETS, Receipt, Refused, RestoreError, Ticket, rehearse,
};
pub use gaussian::{MAX_ORDER, rdp};
pub use plan::{Pace, Plan, PlanError, Terms, Training};
pub use spend::{MAX_SIGMA, MAX_STEPS, Spend, SpendError};
