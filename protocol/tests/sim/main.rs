//! A federation under virtual time, with everything going wrong that a seed can think of.

mod chaos;
mod epidemic;
mod newcomers;
mod scenarios;
mod seeds;
