//! A first genesis: what a founder has to say, and defaults for the rest.

use std::collections::BTreeSet;

use althing_protocol::{
    contribution::Contribution,
    genesis::{
        Aggregation, Agreement, Bounds, Contract, Exchange, Genesis, Limits, Market, Member, Membership, Noise, Phases,
        Task,
    },
    limits::MAX_COUNTER_OFFERS,
    market::Mechanism,
    model::Width,
    update::Codec,
};

use crate::learn::catalogue::ModelFacts;

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

/// One credit, in micro-credits.
const CREDIT: u64 = 1_000_000;

/// Highest price for one unit of value. Passing once (value 100) over 6,750 examples at 10 to 20 micro-credits each
/// costs 67,500 to 135,000, which is 675 to 1,350 for a unit: there is room for three times that.
const RESERVE_PRICE: u64 = 4_000;

/// An update may be this many times as long as the model in plain f32: room for what codecs add.
const UPDATE_PER_MODEL: u64 = 4;

/// Bids that a member may lose in a row, where so many rounds can hire everybody twice.
const MAX_LOSSES: u32 = 10;

/// Voters up to which the shortest waits of the agreement do.
const FEW: usize = 16;

/// The genesis of `draft` with defaults that suit MNIST on small machines.
///
/// The result is not checked yet: a draft with too many members, for one, is refused when it is saved.
pub fn draft(draft: Draft, facts: ModelFacts) -> Genesis {
    let genesis = Genesis {
        name: draft.name,
        task: Task {
            model: draft.model,
            dataset: draft.dataset,
            seed: draft.seed,
            initial_model: facts.initial_model,
            batch: 32,
            learning_rate: 0.05,
            momentum: 0.9,
            tensors: facts.tensors,
        },
        market: market(),
        phases: phases(),
        agreement: agreement(draft.members.iter().filter(|member| member.power > 0).count()),
        limits: Limits {
            max_update_bytes: facts.initial_model.size.saturating_mul(UPDATE_PER_MODEL),
            max_samples: 1_000_000,
            max_update_norm: 1_000,
        },
        aggregation: Aggregation::default(),
        exchange: Exchange::default(),
        contracts: passes(Width::Full, "", |value| value).to_vec(),
        members: draft.members,
        membership: Membership::default(),
        grants: Vec::new(),
    };
    let winners = genesis.market.max_winners;
    hiring(genesis, winners)
}

/// Waits that grow with the number of voters: everybody hears, and checks, what each of them says.
fn agreement(voters: usize) -> Agreement {
    let times = voters.div_ceil(FEW).max(1) as u64;
    Agreement { propose_ms: 3_000 * times, vote_ms: 1_000 * times, step_ms: 500 * times, rebroadcast_ms: 1_000 }
}

/// `genesis` with rounds that hire so many members at the most, and a budget that pays each of them as well as before.
/// Its fairness floor has room for rounds that hire everybody twice.
pub fn hiring(mut genesis: Genesis, winners: u32) -> Genesis {
    let market = &mut genesis.market;
    let scaled = |amount: u64| amount.max(amount.saturating_mul(winners.into()) / u64::from(market.max_winners.max(1)));
    (market.budget_per_round, market.mint_per_round) = (scaled(market.budget_per_round), scaled(market.mint_per_round));
    market.max_winners = winners;
    let everybody = u32::try_from(genesis.members.len()).unwrap_or(u32::MAX).div_ceil(winners.max(1));
    market.max_losses = MAX_LOSSES.max(everybody.saturating_mul(2));
    genesis
}

/// One pass over a member's data and two, at this width.
fn passes(width: Width, suffix: &str, value: impl Fn(u32) -> u32) -> [Contract; 2] {
    let contract = |name: &str, epochs, worth| {
        let (name, value) = (format!("{name}{suffix}"), value(worth));
        Contract { name, epochs, width, value }
    };
    // The second pass over the same data teaches less than the first.
    [contract("one-epoch", 1, 100), contract("two-epochs", 2, 160)]
}

/// `genesis` with a menu of contracts for slices of these widths, the widest first.
///
/// Passes over a slice are worth the share of the model's parameters that they train, rounded, and at least 1.
pub fn offering(mut genesis: Genesis, widths: &[Width]) -> Genesis {
    let tensors = &genesis.task.tensors;
    let whole = tensors.parameters().max(1);
    let menu = widths.iter().collect::<BTreeSet<_>>().into_iter().flat_map(|width| {
        // A width that the model does not have is refused when the genesis is checked.
        let held = tensors.parameters_at(*width).unwrap_or(whole);
        let share = |value: u32| ((u64::from(value) * held + whole / 2) / whole).max(1) as u32;
        let suffix = match width {
            Width::Full => "",
            Width::Half => "-half",
            Width::Quarter => "-quarter",
            Width::Eighth => "-eighth",
            Width::Sixteenth => "-sixteenth",
        };
        passes(*width, suffix, share)
    });
    genesis.contracts = menu.collect();
    genesis
}

/// `genesis` with updates that travel in this way.
pub fn coding(mut genesis: Genesis, codec: Codec) -> Genesis {
    genesis.exchange.codec = codec;
    genesis
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
        max_losses: MAX_LOSSES,
        max_counter_offers: MAX_COUNTER_OFFERS,
        mechanism: Mechanism::Critical,
        min_bidders: 1,
        max_share_permille: 1_000,
        deposit_permille: 0,
        noise: Noise::Refused,
        contribution: Contribution::Shapley,
        usual_samples: 0,
    }
}

fn phases() -> Phases {
    Phases {
        commit: Bounds { min_ms: 50, max_ms: 3_000 },
        reveal: Bounds { min_ms: 50, max_ms: 3_000 },
        counter: Bounds { min_ms: 50, max_ms: 500 },
        train: Bounds { min_ms: 2_000, max_ms: 120_000 },
        appraise: Bounds { min_ms: 300, max_ms: 30_000 },
        absence_grace_ms: 1_500,
        pause_ms: 0,
    }
}

#[cfg(test)]
mod tests {
    use althing_protocol::{
        ids::{BlobRef, Hash, MemberId},
        model::{Manifest, TensorSpec},
    };

    use super::*;
    use crate::genesis_file::{load, save};

    fn village(members: u8, rule: &str, mixing: &str) -> Genesis {
        let member = |n| Member { name: format!("m{n}"), id: MemberId([n; 32]), power: 1, anchor: Hash([n; 32]) };
        let founder = Draft {
            name: "village".into(),
            model: "lenet".into(),
            dataset: "mnist".into(),
            seed: 1,
            members: (0..members).map(member).collect(),
        };
        let initial_model = BlobRef { hash: Hash::of(b"model"), size: 400 };
        let tensors = Manifest { tensors: vec![TensorSpec { path: "w".into(), shapes: vec![vec![10, 10]] }] };
        let facts = ModelFacts { tensors, initial_model };
        aggregating(draft(founder, facts), Aggregation { rule: rule.parse().unwrap(), mixing: mixing.parse().unwrap() })
    }

    #[test]
    fn a_round_has_room_for_what_its_rule_needs() {
        for (rule, mixing, most) in
            [("mean", "none", 4), ("trimmed:1", "none", 4), ("multi-krum:2", "none", 7), ("median", "nearest:3", 7)]
        {
            let genesis = village(7, rule, mixing);
            assert_eq!(genesis.market.max_winners, most, "{rule} {mixing}");
            assert_eq!(genesis.validate(), Ok(()), "{rule} {mixing}");
        }
    }

    #[test]
    fn more_winners_cost_more_and_fewer_cost_what_they_did() {
        let before = village(10, "mean", "none").market;
        for (winners, budget) in [(10, 2_500_000), (4, 1_000_000), (1, 1_000_000)] {
            let market = hiring(village(10, "mean", "none"), winners).market;
            assert_eq!((market.max_winners, market.budget_per_round), (winners, budget));
            assert_eq!(
                market.mint_per_round - before.mint_per_round,
                market.budget_per_round - before.budget_per_round
            );
        }
        let floors = [(10, 4), (10, 1), (128, 4)]
            .map(|(members, winners)| hiring(village(members, "mean", "none"), winners).market.max_losses);
        assert_eq!(floors, [10, 20, 64]);
        assert_eq!(
            aggregating(hiring(village(10, "mean", "none"), 3), village(10, "median", "nearest:3").aggregation)
                .market
                .max_winners,
            7
        );
    }

    #[test]
    fn a_promise_that_no_round_could_keep_is_refused() {
        for (members, rule, mixing, wanted) in [
            (4, "multi-krum:1", "none", "aggregation.rule is multi-krum:1, but must be a rule that needs at most 4"),
            (2, "trimmed:1", "none", "it needs 3"),
            (4, "median", "nearest:2", "aggregation.mixing is nearest:2"),
            (7, "trimmed:0", "none", "above zero"),
            (7, "centred-clipping:0.000", "none", "above zero"),
            (128, "trimmed:4294967295", "none", "market.max_winners"),
        ] {
            let error = village(members, rule, mixing).validate().expect_err(wanted).to_string();
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
    }

    #[test]
    fn a_rule_is_a_word_in_the_file_and_part_of_the_network() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("genesis.toml");
        let genesis = village(5, "centred-clipping:2.5", "nearest:2");
        save(&genesis, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("rule = \"centred-clipping:2.5\"") && text.contains("mixing = \"nearest:2\""), "{text}");
        assert_eq!(load(&path).unwrap(), genesis);
        assert_ne!(genesis.network(), village(5, "centred-clipping:2.5", "none").network());
        std::fs::write(&path, text.replace("centred-clipping:2.5", "krum")).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("`krum` is no rule; say mean"), "{error}");
    }

    #[test]
    fn a_slice_is_worth_its_share_of_the_parameters() {
        let mut genesis = village(4, "mean", "none");
        genesis.task.tensors.tensors[0].shapes = vec![vec![10, 10], vec![5, 5], vec![3, 3]];
        let genesis = offering(genesis, &[Width::Quarter, Width::Full, Width::Half, Width::Full]);
        let menu: Vec<_> = genesis.contracts.iter().map(|c| (c.name.as_str(), c.epochs, c.width, c.value)).collect();
        assert_eq!(
            menu,
            [
                ("one-epoch", 1, Width::Full, 100),
                ("two-epochs", 2, Width::Full, 160),
                ("one-epoch-half", 1, Width::Half, 25),
                ("two-epochs-half", 2, Width::Half, 40),
                ("one-epoch-quarter", 1, Width::Quarter, 9),
                ("two-epochs-quarter", 2, Width::Quarter, 14),
            ]
        );
        assert_eq!(genesis.validate(), Ok(()));
        let error = offering(genesis, &[Width::Eighth]).validate().unwrap_err().to_string();
        assert!(error.contains("contracts.width is 1/8, but must be a width that lenet has"), "{error}");
    }

    #[test]
    fn a_codec_is_a_word_in_the_file_and_part_of_the_network() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("genesis.toml");
        let plain = village(5, "mean", "none");
        let genesis = coding(plain.clone(), Codec::TopK { permille: 50 });
        assert_ne!(genesis.network(), plain.network());
        save(&genesis, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("[exchange]\ncodec = \"topk:50\""), "{text}");
        assert_eq!(load(&path).unwrap(), genesis);
        std::fs::write(&path, text.replace("topk:50", "topk:5%")).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("`5%` is not how many of a thousand parameters"), "{error}");
        let silent = text.replace("codec = \"topk:50\"\n", "");
        assert_ne!(silent, text);
        std::fs::write(&path, silent).unwrap();
        assert_eq!(load(&path).unwrap(), plain);
    }

    #[test]
    fn a_file_that_does_not_say_means_the_mean() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("genesis.toml");
        let genesis = village(5, "mean", "none");
        save(&genesis, &path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let silent = text.replace("[aggregation]\nrule = \"mean\"\nmixing = \"none\"\n", "");
        assert_ne!(silent, text);
        std::fs::write(&path, silent).unwrap();
        assert_eq!(load(&path).unwrap(), genesis);
    }
}
