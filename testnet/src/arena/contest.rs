//! The same contexts for everybody, one after the other.

use std::time::Instant;

use althing_agents::policy::Question;
use althing_protocol::ids::Hash;

use super::{
    contestant::{Contestant, Context},
    tally::{Decision, Tally},
};

/// A contestant at a seat, and how it has done so far.
pub(super) struct Seated<'a, C> {
    /// Its name.
    pub name: String,
    /// It.
    pub contestant: Box<dyn Contestant<C> + 'a>,
    /// How it has done.
    pub tally: Tally,
}

/// How contexts are gone through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Draws the other orders of menus.
    pub seed: u64,
    /// How many other orders of each menu are tried.
    pub permutations: u16,
}

/// Has everybody answer `context`, the `number`th.
pub(super) fn hold<C: Context>(context: &C, number: u64, manner: Manner, seated: &mut [Seated<'_, C>]) {
    let entries = context.question().menu().iter().map(|option| context.value(&context.entry(*option)));
    let ends = entries.fold((f64::MIN, f64::MAX), |(best, worst), value| (best.max(value), worst.min(value)));
    context.prepare();
    let orders = orders(context.question().menu().len(), number, manner);
    for Seated { contestant, tally, .. } in seated {
        let Decided { choice, failure, latency } = decide(&mut **contestant, context);
        let usage = contestant.usage();
        // Where there is no answer, there is none that an order could change.
        let orders = orders.iter().filter(|_| failure.is_none());
        let again = orders.map(|order| decide(&mut **contestant, &context.reordered(order)));
        let again = again.map(|again| again.failure.is_none().then(|| again.choice != choice)).collect();
        let value = choice.as_ref().map_or(0.0, |choice| context.value(choice));
        if let Some(choice) = &choice {
            contestant.learn(context, choice, value);
        }
        tally.add(Decision { failure, value, ends, latency, usage, again });
    }
}

/// What came of a question.
pub(super) struct Decided<T> {
    /// What is done in the end; `None` if there is no menu.
    pub choice: Option<T>,
    /// Why that was not the contestant's answer, if so.
    pub failure: Option<String>,
    /// Seconds until there was an answer or none.
    pub latency: f64,
}

/// Asks, and takes the answer if it is valid. Otherwise code decides: as the contestant says, or by the menu's first entry.
pub(super) fn decide<C: Context>(contestant: &mut dyn Contestant<C>, context: &C) -> Decided<C::Choice> {
    let begin = Instant::now();
    let answer = contestant.answer(context);
    let latency = begin.elapsed().as_secs_f64();
    let failure = match answer {
        Ok(choice) if context.allows(&choice) => return Decided { choice: Some(choice), failure: None, latency },
        Ok(_) => "off the menu".to_owned(),
        Err(failure) => failure.to_string(),
    };
    let first = || context.question().menu().first().map(|option| context.entry(*option));
    let choice = contestant.otherwise(context).filter(|choice| context.allows(choice)).or_else(first);
    Decided { choice, failure: Some(failure), latency }
}

/// Orders other than the present one, drawn for this context.
fn orders(places: usize, number: u64, Manner { seed, permutations }: Manner) -> Vec<Vec<usize>> {
    let order = |permutation: u16| {
        let lot = |place: usize| {
            let parts = [seed, number, permutation.into(), place as u64].map(u64::to_le_bytes);
            Hash::derive("althing arena order", &[&parts.concat()])
        };
        let mut order: Vec<usize> = (0..places).collect();
        order.sort_by_cached_key(|place| lot(*place));
        if order.is_sorted() {
            order.reverse();
        }
        order
    };
    if places < 2 { Vec::new() } else { (0..permutations).map(order).collect() }
}

#[cfg(test)]
mod tests;
