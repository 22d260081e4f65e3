//! A first genesis: what a founder has to say, and defaults for the rest.

use althing_protocol::{
    genesis::{Aggregation, Agreement, Bounds, Contract, Genesis, Limits, Market, Member, Phases, Task},
    ids::{BlobRef, Hash},
};

/// What a founder has to say.
#[derive(Debug, Clone)]
pub struct Draft {
    /// A name for people.
    pub name: String,
    /// The built-in model.
    pub model: String,
    /// Schema of the data.
    pub dataset: String,
    /// Seed of the first model's parameters.
    pub seed: u64,
    /// Who takes part.
    pub members: Vec<Member>,
}

/// What follows from a model and a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelFacts {
    /// Hash of the parameter manifest.
    pub manifest: Hash,
    /// The first model.
    pub initial_model: BlobRef,
}

/// One credit, in micro-credits.
const CREDIT: u64 = 1_000_000;

/// Highest price for one unit of value. Passing once (value 100) over 6,750 examples at 10 to 20 micro-credits each
/// costs 67,500 to 135,000, which is 675 to 1,350 for a unit: there is room for three times that.
const RESERVE_PRICE: u64 = 4_000;

/// An update may be this many times as long as the model in plain f32: room for what codecs add.
const UPDATE_PER_MODEL: u64 = 4;

/// The genesis of `draft` with defaults that suit MNIST on small machines.
///
/// The result is not checked yet: a draft with too many members, for one, is refused when it is saved.
pub fn draft(draft: Draft, facts: ModelFacts) -> Genesis {
    Genesis {
        name: draft.name,
        task: Task {
            model: draft.model,
            dataset: draft.dataset,
            seed: draft.seed,
            manifest: facts.manifest,
            initial_model: facts.initial_model,
            batch: 32,
            learning_rate: 0.05,
            momentum: 0.9,
        },
        market: market(),
        phases: phases(),
        agreement: Agreement { propose_ms: 3_000, vote_ms: 1_000, step_ms: 500, rebroadcast_ms: 1_000 },
        limits: Limits {
            max_update_bytes: facts.initial_model.size.saturating_mul(UPDATE_PER_MODEL),
            max_samples: 1_000_000,
            max_update_norm: 1_000,
        },
        aggregation: Aggregation::default(),
        contracts: vec![
            Contract { name: "one-epoch".into(), epochs: 1, value: 100 },
            // The second pass over the same data teaches less than the first.
            Contract { name: "two-epochs".into(), epochs: 2, value: 160 },
        ],
        members: draft.members,
    }
}

/// `genesis` with this way to aggregate, and with room for as many winners as it needs to keep its promise.
pub fn aggregating(mut genesis: Genesis, aggregation: Aggregation) -> Genesis {
    let needs = aggregation.rule.least_updates().max(aggregation.mixing.least_updates()).unwrap_or_default();
    let market = &mut genesis.market;
    market.max_winners = market.max_winners.max(u32::try_from(needs).unwrap_or(u32::MAX));
    genesis.aggregation = aggregation;
    genesis
}

fn market() -> Market {
    Market {
        mint_per_round: CREDIT,
        mint_halves_every: 0,
        budget_per_round: CREDIT,
        bonus_permille: 300,
        max_winners: 4,
        min_winners: 1,
        reserve_price: RESERVE_PRICE,
        slash_permille: 500,
    }
}

fn phases() -> Phases {
    Phases {
        commit: Bounds { min_ms: 50, max_ms: 3_000 },
        reveal: Bounds { min_ms: 50, max_ms: 3_000 },
        train: Bounds { min_ms: 2_000, max_ms: 120_000 },
        appraise: Bounds { min_ms: 300, max_ms: 10_000 },
        absence_grace_ms: 1_500,
    }
}
