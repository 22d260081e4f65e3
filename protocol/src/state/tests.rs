//! Bodies, good and bad, applied to the ledger of four members.

mod absence;
mod counter;
mod floor;
mod instruct;
mod job;
mod market;
mod motion;
mod roll;

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use super::*;
use crate::{
    body::{PlanEvidence, SettleEvidence},
    contribution::Contribution,
    crypto::{Keypair, Signed},
    detection::Pretence,
    election::HashChain,
    genesis::{
        Aggregation, Agreement, Bounds, Contract, Exchange, Limits, Market, Member, Membership, Noise, Phases, Task,
    },
    limits::CHAIN_TURNS,
    market::Mechanism,
    model::{Manifest, TensorSpec, Width},
    statement::{Appraisal, Bid, BidCommit, BidReveal, HeldOut, Marks, UpdateOffer},
};

const SALT: Hash = Hash([7; 32]);

/// What every appraiser here has.
const HELD_OUT: HeldOut = HeldOut { samples: 10, accuracy_ppm: 800_000 };

struct World {
    federation: Federation,
    keys: BTreeMap<MemberId, (Keypair, HashChain)>,
}

impl World {
    fn new() -> Self {
        let key = |n: u8| (Keypair::from_secret([n; 32]), HashChain::new([n; 32], CHAIN_TURNS));
        let keys: BTreeMap<_, _> = (1..=4).map(key).map(|(pair, chain)| (pair.id(), (pair, chain))).collect();
        let member = |(id, (_, chain)): (&MemberId, &(Keypair, HashChain))| Member {
            name: id.short(),
            id: *id,
            power: 1,
            anchor: chain.anchor(),
        };
        let genesis = genesis(keys.iter().map(member).collect());
        genesis.validate().unwrap();
        Self { federation: Federation::new(genesis), keys }
    }

    fn ids(&self) -> Vec<MemberId> {
        self.keys.keys().copied().collect()
    }

    fn sign<T: crate::crypto::Statement>(&self, who: &MemberId, what: &T) -> Signed<T> {
        Signed::new(&self.keys[who].0, &self.federation.network, what)
    }

    fn bid(&self, who: &MemberId, price: u64, marks: Option<Hash>) -> (Signed<BidCommit>, Signed<BidReveal>) {
        self.bid_in(Round(1), who, price, marks)
    }

    fn bid_in(
        &self,
        round: Round,
        who: &MemberId,
        price: u64,
        marks: Option<Hash>,
    ) -> (Signed<BidCommit>, Signed<BidReveal>) {
        let bid = Bid { contract: 0, price, samples: 10 };
        let commit = BidCommit { round, seal: Some(bid.seal(who, round, &SALT)) };
        (self.sign(who, &commit), self.sign(who, &BidReveal { round, bid, salt: SALT, marks }))
    }

    /// Four bids of 100, 200, 300 and 400.
    fn plan_evidence(&self) -> PlanEvidence {
        let bids = self.ids().iter().zip(1..).map(|(who, n)| self.bid(who, n * 100, None)).collect();
        PlanEvidence { instructions: Vec::new(), marks: None, bids, counter_offers: None, replies: Vec::new() }
    }

    fn planned(&self) -> State {
        let state = State::genesis(&self.federation);
        self.decide(&state, Evidence::Plan(self.plan_evidence())).unwrap().0
    }

    fn update(&self, who: &MemberId, n: u8) -> Signed<UpdateOffer> {
        let update = BlobRef { hash: Hash([n; 32]), size: 400 };
        self.sign(
            who,
            &UpdateOffer { round: Round(1), contract: 0, update, samples: 10, training_ms: 5, epsilon_micro: 0 },
        )
    }

    fn appraisal(&self, who: &MemberId, gains: &[i64]) -> Signed<Appraisal> {
        let gains = self.ids().into_iter().zip(gains.iter().copied()).collect();
        self.sign(who, &Appraisal { round: Round(1), gains, held_out: HELD_OUT, arrivals: ByteBuf::new() })
    }

    /// The two winners deliver; all appraise the first as worth three times the second.
    fn settle_evidence(&self, state: &State) -> SettleEvidence {
        let ids = self.ids();
        SettleEvidence {
            updates: vec![self.update(&ids[0], 1), self.update(&ids[1], 2)],
            refused: BTreeMap::new(),
            appraisals: ids.iter().map(|who| self.appraisal(who, &[300, 100])).collect(),
            model: BlobRef { hash: Hash([9; 32]), size: 400 },
            turn: self.turn(state),
            equivocations: Vec::new(),
        }
    }

    fn turn(&self, state: &State) -> Option<Hash> {
        let chair = state.validators().unwrap().proposer(0);
        self.keys[&chair].1.reveal(&state.ledger.accounts[&chair].tip)
    }

    fn decide(&self, state: &State, evidence: Evidence) -> Result<(State, Outcome), Invalid> {
        let chair = state.validators()?.proposer(0);
        let body = state.propose(&self.federation, chair, 0, evidence)?;
        let (next, _, outcome) = state.apply(&self.federation, &body.encode())?;
        Ok((next, outcome))
    }
}

fn genesis(members: Vec<Member>) -> Genesis {
    let bounds = Bounds { min_ms: 1, max_ms: 100 };
    Genesis {
        name: "test".into(),
        task: Task {
            model: "2nn".into(),
            dataset: "mnist".into(),
            seed: 1,
            initial_model: BlobRef { hash: Hash([8; 32]), size: 400 },
            batch: 1,
            learning_rate: 0.1,
            momentum: 0.0,
            tensors: Manifest { tensors: vec![TensorSpec { path: "w".into(), shapes: vec![vec![100]] }] },
        },
        market: Market {
            mint_per_round: 10_000,
            mint_halves_every: 0,
            budget_per_round: 2_000,
            bonus_permille: 200,
            max_winners: 2,
            min_winners: 1,
            reserve_price: 100,
            slash_permille: 500,
            max_losses: 0,
            max_counter_offers: 0,
            mechanism: Mechanism::Critical,
            min_bidders: 1,
            max_share_permille: 1_000,
            deposit_permille: 0,
            noise: Noise::Refused,
            contribution: Contribution::Shapley,
            usual_samples: 0,
        },
        phases: Phases {
            commit: bounds,
            reveal: bounds,
            counter: bounds,
            train: bounds,
            appraise: bounds,
            absence_grace_ms: 1,
            pause_ms: 0,
        },
        agreement: Agreement { propose_ms: 1, vote_ms: 1, step_ms: 0, rebroadcast_ms: 10 },
        limits: Limits { max_update_bytes: 400, max_samples: 100, max_update_norm: 1 },
        aggregation: Aggregation::default(),
        exchange: Exchange::default(),
        contracts: vec![Contract { name: "one".into(), epochs: 1, width: Width::Full, value: 10 }],
        members,
        membership: Membership::default(),
        grants: Vec::new(),
    }
}

/// Everything that was minted is somewhere, by this test's own count.
fn assert_conserved(state: &State) {
    let ledger = &state.ledger;
    let of_members = ledger.accounts.values().map(|account| account.balance);
    let of_others = ledger.guests.values().map(|guest| guest.balance);
    let owned: u64 = of_members.chain(of_others).chain(ledger.jobs.values().map(|job| job.left)).sum();
    let held = ledger.escrow.awards.values().chain(ledger.escrow.deposits.values());
    let escrow: u64 = held.sum::<u64>() + ledger.escrow.bonus;
    assert_eq!(owned + ledger.pool + escrow + ledger.burned, ledger.minted);
}

#[test]
fn who_only_pretends_to_work_is_not_paid_and_loses_its_deposit() {
    let mut world = World::new();
    world.federation.genesis.market.deposit_permille = 500;
    let ids = world.ids();
    let mut state = State::genesis(&world.federation);
    state.ledger.minted = 1_000;
    state.ledger.accounts.get_mut(&ids[0]).unwrap().balance = 1_000;
    let planned = world.decide(&state, Evidence::Plan(world.plan_evidence())).unwrap().0;
    assert_eq!(planned.ledger.escrow.deposits[&ids[0]], 150);
    let refused = BTreeMap::from([(ids[0], Pretence::Noise)]);
    let evidence = SettleEvidence { refused: refused.clone(), ..world.settle_evidence(&planned) };
    let (next, outcome) = world.decide(&planned, Evidence::Settle(evidence)).unwrap();
    let Outcome::Settled(settlement) = outcome else { panic!("{outcome:?}") };
    assert_eq!((settlement.refused, settlement.updates.len()), (refused, 1));
    assert_eq!(settlement.payments, BTreeMap::from([(ids[1], 300 + 400)]), "the whole bonus is the other's");
    let account = &next.ledger.accounts[&ids[0]];
    assert_eq!((account.balance, account.reputation, account.delivered), (850, 250, 0));
    assert_eq!((next.model, next.previous), (settlement.model, state.model));
    assert_conserved(&next);
    let stranger = BTreeMap::from([(ids[2], Pretence::Idle)]);
    let evidence = SettleEvidence { refused: stranger, ..world.settle_evidence(&planned) };
    let refusal = world.decide(&planned, Evidence::Settle(evidence)).unwrap_err();
    assert_eq!(refusal, Invalid::NoSay { member: ids[2], what: "updates" });
}

#[test]
fn a_plan_hires_the_cheapest_and_holds_back_what_they_may_cost() {
    let world = World::new();
    let state = world.planned();
    let Stage::Settling(awards) = &state.stage else { panic!("{:?}", state.stage) };
    let hired: Vec<_> = awards.iter().map(|award| (award.member, award.price, award.payment)).collect();
    // The first loser asks 300 for the same value: that is what both could have asked and still won.
    assert_eq!(hired, [(world.ids()[0], 100, 300), (world.ids()[1], 200, 300)]);
    assert_eq!((state.ledger.minted, state.ledger.escrow.bonus, state.ledger.pool), (10_000, 400, 9_000));
    assert_conserved(&state);
}

#[test]
fn a_settle_pays_delivery_and_contribution_and_opens_the_next_round() {
    let world = World::new();
    let state = world.planned();
    let (next, outcome) = world.decide(&state, Evidence::Settle(world.settle_evidence(&state))).unwrap();
    let Outcome::Settled(settlement) = outcome else { panic!("{outcome:?}") };
    let ids = world.ids();
    assert_eq!(settlement.gains, BTreeMap::from([(ids[0], 300), (ids[1], 100)]));
    assert_eq!(settlement.payments, BTreeMap::from([(ids[0], 300 + 300), (ids[1], 300 + 100)]));
    assert_eq!([&ids[0], &ids[1]].map(|id| next.ledger.accounts[id].bonus), [300, 100]);
    assert_eq!((next.round, &next.stage, next.model.hash), (Round(2), &Stage::Planning, Hash([9; 32])));
    assert_ne!(next.seed, state.seed, "the chair's turn has moved the seed");
    assert!(next.ledger.accounts[&ids[0]].reputation > state.ledger.accounts[&ids[0]].reputation);
    assert_conserved(&next);
}

#[test]
fn who_does_not_deliver_gets_nothing_and_loses_reputation() {
    let world = World::new();
    let state = world.planned();
    let mut evidence = world.settle_evidence(&state);
    evidence.updates.pop();
    let (next, _) = world.decide(&state, Evidence::Settle(evidence)).unwrap();
    let late = world.ids()[1];
    assert_eq!(next.ledger.accounts[&late].balance, 0);
    assert_eq!(next.ledger.accounts[&late].reputation, state.ledger.accounts[&late].reputation / 2);
    assert_eq!(next.ledger.accounts[&world.ids()[0]].balance, 300 + 400, "the whole bonus is the other's");
    assert_conserved(&next);
}

#[test]
fn a_round_without_bids_settles_without_a_new_model() {
    let world = World::new();
    let state = State::genesis(&world.federation);
    let nobody = PlanEvidence {
        instructions: Vec::new(),
        marks: None,
        bids: Vec::new(),
        counter_offers: None,
        replies: Vec::new(),
    };
    let (state, outcome) = world.decide(&state, Evidence::Plan(nobody)).unwrap();
    assert_eq!(outcome, Outcome::Planned { awards: Vec::new(), bids: 0, instructions: Vec::new() });
    let (model, turn) = (state.model, world.turn(&state));
    let evidence = SettleEvidence {
        updates: vec![],
        refused: BTreeMap::new(),
        appraisals: vec![],
        model,
        turn,
        equivocations: vec![],
    };
    let (next, _) = world.decide(&state, Evidence::Settle(evidence)).unwrap();
    assert_eq!((next.model, next.round, next.ledger.pool), (model, Round(2), 10_000));
    assert_conserved(&next);
}

#[test]
fn marks_count_for_those_who_had_seen_them_before_they_opened_their_bids() {
    let world = World::new();
    let state = State::genesis(&world.federation);
    let (ids, chair) = (world.ids(), state.validators().unwrap().proposer(0));
    let marks = Marks { round: Round(1), hire: 1, weights: BTreeMap::from([(ids[1], 200), (ids[2], 200)]) };
    let signed = world.sign(&chair, &marks);
    let seen = Some(signed.digest());
    let plan = |ack: [Option<Hash>; 3]| {
        let prices = [150, 200, 310];
        let bids = ids.iter().zip(prices).zip(ack).map(|((who, price), seen)| world.bid(who, price, seen));
        let (marks, bids) = (Some(signed.clone()), bids.collect());
        let evidence =
            PlanEvidence { instructions: Vec::new(), marks, bids, counter_offers: None, replies: Vec::new() };
        let (_, outcome) = world.decide(&state, Evidence::Plan(evidence)).unwrap();
        let Outcome::Planned { awards, .. } = outcome else { unreachable!() };
        awards.into_iter().map(|award| award.member).collect::<Vec<_>>()
    };
    assert_eq!(plan([seen, seen, seen]), [ids[1]], "one is hired, and doubled value beats a lower price");
    assert_eq!(plan([seen, None, seen]), [ids[0]], "a mark that came after the price was known is none");
    assert_eq!(plan([None, None, seen]), [ids[0], ids[2]], "nor is the number to hire, if most had not seen it");
}

#[test]
fn appraisers_do_not_appraise_themselves_and_the_median_ignores_one_liar() {
    let world = World::new();
    let state = world.planned();
    let (ids, mut evidence) = (world.ids(), world.settle_evidence(&state));
    let said = [[i64::MAX, i64::MIN], [301, 101], [300, 100], [299, 99]];
    evidence.appraisals = ids.iter().zip(said).map(|(who, gains)| world.appraisal(who, &gains)).collect();
    let (_, outcome) = world.decide(&state, Evidence::Settle(evidence)).unwrap();
    let Outcome::Settled(settlement) = outcome else { unreachable!() };
    assert_eq!(settlement.gains, BTreeMap::from([(ids[0], 300), (ids[1], 99)]));
}

#[test]
fn plans_that_do_not_hold_are_invalid() {
    let world = World::new();
    let state = State::genesis(&world.federation);
    let ids = world.ids();
    let stranger = Keypair::from_secret([99; 32]);
    let elsewhere = NetworkId([1; 32]);
    let chair = state.validators().unwrap().proposer(0);
    let not_chair = *ids.iter().find(|id| **id != chair).unwrap();
    let marks = |weight: u16| Marks { round: Round(1), hire: 1, weights: BTreeMap::from([(ids[0], weight)]) };
    type Spoil<'a> = Box<dyn Fn(&mut PlanEvidence) + 'a>;
    let table: Vec<(&str, Spoil<'_>)> = vec![
        ("not sorted", Box::new(|plan| plan.bids.swap(0, 1))),
        ("sorted, or one stands there twice", Box::new(|plan| plan.bids[1] = plan.bids[0].clone())),
        ("out of bounds", Box::new(|plan| plan.bids[0].1 = world.bid(&ids[0], 999, None).1)),
        ("had no say", Box::new(|plan| plan.bids[0].1 = plan.bids[1].1.clone())),
        (
            "does not verify",
            Box::new(|plan| {
                let said = plan.bids[0].0.peek().unwrap();
                plan.bids[0].0 = Signed::new(&world.keys[&ids[0]].0, &elsewhere, &said);
            }),
        ),
        (
            "had no say",
            Box::new(|plan| {
                let (mut commit, mut reveal) = world.bid(&ids[0], 1, None);
                commit.signer = stranger.id();
                reveal.signer = stranger.id();
                plan.bids = vec![(commit, reveal)];
            }),
        ),
        ("had no say", Box::new(|plan| plan.marks = Some(world.sign(&not_chair, &marks(100))))),
        ("out of bounds", Box::new(|plan| plan.marks = Some(world.sign(&chair, &marks(Marks::MOST + 1))))),
    ];
    for (wanted, spoil) in table {
        let mut evidence = world.plan_evidence();
        spoil(&mut evidence);
        let error = world.decide(&state, Evidence::Plan(evidence)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error:?} where {wanted:?} was expected");
    }
}

#[test]
fn settlements_that_do_not_hold_are_invalid() {
    let world = World::new();
    let state = world.planned();
    let ids = world.ids();
    let offer = |who: &MemberId, change: &dyn Fn(&mut UpdateOffer)| {
        let mut offer = world.update(who, 1).peek().unwrap();
        change(&mut offer);
        world.sign(who, &offer)
    };
    type Spoil<'a> = Box<dyn Fn(&mut SettleEvidence) + 'a>;
    let table: Vec<(&str, Spoil<'_>)> = vec![
        ("not sorted", Box::new(|settle| settle.updates.swap(0, 1))),
        ("had no say", Box::new(|settle| settle.updates = vec![world.update(&ids[3], 1)])),
        ("out of bounds", Box::new(|settle| settle.updates[0] = offer(&ids[0], &|o| o.contract = 1))),
        ("out of bounds", Box::new(|settle| settle.updates[0] = offer(&ids[0], &|o| o.samples = 101))),
        ("out of bounds", Box::new(|settle| settle.updates[0] = offer(&ids[0], &|o| o.update.size = 396))),
        ("out of bounds", Box::new(|settle| settle.updates[0] = offer(&ids[0], &|o| o.round = Round(2)))),
        ("twice", Box::new(|settle| settle.appraisals[1] = settle.appraisals[0].clone())),
        ("another model", Box::new(|settle| settle.updates.clear())),
        ("turn", Box::new(|settle| settle.turn = None)),
        ("turn", Box::new(|settle| settle.turn = Some(Hash::ZERO))),
    ];
    for (wanted, spoil) in table {
        let mut evidence = world.settle_evidence(&state);
        spoil(&mut evidence);
        let error = world.decide(&state, Evidence::Settle(evidence)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error:?} where {wanted:?} was expected");
    }
}

#[test]
fn bodies_in_the_wrong_place_are_invalid() {
    let world = World::new();
    let state = State::genesis(&world.federation);
    let order = state.validators().unwrap().order().to_vec();
    let good = state.propose(&world.federation, order[0], 0, Evidence::Plan(world.plan_evidence())).unwrap();
    type Spoil = fn(&mut Body);
    let table: [(&str, Spoil); 5] = [
        ("height", |body| body.header.height = Height(2)),
        ("round", |body| body.header.round = Round(2)),
        ("parent", |body| body.header.parent = Hash([1; 32])),
        ("not elected", |body| body.header.agreement_round = 1),
        ("state root", |body| body.header.state_root = Hash([1; 32])),
    ];
    for (wanted, spoil) in table {
        let mut body = good.clone();
        spoil(&mut body);
        let error = state.apply(&world.federation, &body.encode()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error:?} where {wanted:?} was expected");
    }
    assert!(state.apply(&world.federation, &good.encode()).is_ok());
    let settle = Evidence::Settle(world.settle_evidence(&state));
    assert_eq!(state.propose(&world.federation, order[0], 0, settle).unwrap_err(), Invalid::WrongStage);
}

#[test]
fn an_imbalance_is_refused_wherever_it_comes_from() {
    let world = World::new();
    let mut state = State::genesis(&world.federation);
    state.ledger.pool += 1;
    let error = world.decide(&state, Evidence::Plan(world.plan_evidence())).unwrap_err();
    assert!(matches!(error, Invalid::Ledger(LedgerError::Unbalanced { .. })), "{error:?}");
}

#[test]
fn members_who_let_others_take_over_lose_reputation() {
    let world = World::new();
    let state = State::genesis(&world.federation);
    let order = state.validators().unwrap().order().to_vec();
    let body = state.propose(&world.federation, order[2], 2, Evidence::Plan(world.plan_evidence())).unwrap();
    let (next, ..) = state.apply(&world.federation, &body.encode()).unwrap();
    let reputation = |member| next.ledger.accounts[member].reputation;
    assert_eq!([0, 1, 2, 3].map(|place| reputation(&order[place])), [250, 250, 500, 500]);
}
