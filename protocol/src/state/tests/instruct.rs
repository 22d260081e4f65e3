//! Instructions of account owners in a Plan.

use super::*;
use crate::{
    genesis::Grant,
    ledger::InstructionError,
    limits::{LEAST_OPENING, MAX_INSTRUCTIONS},
    statement::{Action, Instruction},
};

const GRANT: u64 = 1_000_000;

/// Somebody who is no member, with a million micro-credits.
fn sponsor() -> Keypair {
    Keypair::from_secret([77; 32])
}

/// Four members, of whom the first has a million too, and a sponsor.
pub(super) fn village() -> World {
    let mut world = World::new();
    let mut genesis = world.federation.genesis.clone();
    let grant = |account| Grant { account, amount: GRANT };
    genesis.grants = vec![grant(world.ids()[0]), grant(sponsor().id())];
    genesis.validate().unwrap();
    world.federation = Federation::new(genesis);
    world.keys.insert(sponsor().id(), (sponsor(), HashChain::new([0; 32], 1)));
    world
}

impl World {
    pub(super) fn sponsor(&self) -> MemberId {
        sponsor().id()
    }

    pub(super) fn members(&self) -> Vec<MemberId> {
        self.federation.genesis.members.iter().map(|member| member.id).collect()
    }

    pub(super) fn instruct(&self, who: &MemberId, nonce: u64, action: Action) -> Signed<Instruction> {
        self.sign(who, &Instruction { nonce, action })
    }

    /// The state after a Plan without bids that says these, in the order of a body.
    pub(super) fn after(&self, state: &State, mut said: Vec<Signed<Instruction>>) -> Result<State, Invalid> {
        said.sort_by_key(|signed| (signed.signer, signed.peek().unwrap().nonce));
        self.decide(state, Evidence::Plan(only(said))).map(|(next, _)| next)
    }
}

/// A Plan that says nothing but these.
pub(super) fn only(instructions: Vec<Signed<Instruction>>) -> PlanEvidence {
    PlanEvidence { instructions, marks: None, bids: Vec::new(), counter_offers: None, replies: Vec::new() }
}

fn give(to: MemberId, amount: u64) -> Action {
    Action::Transfer { to, amount }
}

#[test]
fn credits_go_where_their_owner_says() {
    let world = village();
    let [first, second, ..] = world.members()[..] else { unreachable!() };
    let (sponsor, stranger) = (world.sponsor(), MemberId([5; 32]));
    let said = vec![
        world.instruct(&first, 0, give(second, 300)),
        world.instruct(&first, 1, give(stranger, LEAST_OPENING)),
        world.instruct(&sponsor, 0, give(first, GRANT)),
    ];
    let next = world.after(&State::genesis(&world.federation), said).unwrap();
    let standing = [first, second, sponsor, stranger].map(|who| next.ledger.standing(&who).unwrap());
    assert_eq!(standing, [(2, 2 * GRANT - 300 - LEAST_OPENING), (0, 300), (1, 0), (0, LEAST_OPENING)]);
    assert_eq!(next.ledger.minted, 2 * GRANT + 10_000, "the grants and the round's mint");
    assert_conserved(&next);
}

#[test]
fn an_instruction_is_carried_out_once() {
    let world = village();
    let first = world.members()[0];
    let said = world.instruct(&world.sponsor(), 0, give(first, 300));
    let next = world.after(&State::genesis(&world.federation), vec![said.clone()]).unwrap();
    let settled = world.decide(&next, Evidence::Settle(SettleEvidence { turn: world.turn(&next), ..nothing(&next) }));
    let again = world.after(&settled.unwrap().0, vec![said]).unwrap_err();
    let want = InstructionError::OutOfTurn { account: world.sponsor(), want: 1, got: 0 };
    assert_eq!(again, Invalid::Instruction(want));
}

/// A Settle of a round that hired nobody.
pub(super) fn nothing(state: &State) -> SettleEvidence {
    SettleEvidence {
        updates: Vec::new(),
        refused: BTreeMap::new(),
        appraisals: Vec::new(),
        model: state.model,
        turn: None,
        equivocations: Vec::new(),
    }
}

#[test]
fn what_cannot_be_carried_out_spoils_the_body_and_says_why() {
    let world = village();
    let [first, second, ..] = world.members()[..] else { unreachable!() };
    let (sponsor, stranger) = (world.sponsor(), MemberId([5; 32]));
    let table = [
        (second, 0, give(first, 1), "owns 0 micro-credits, and 1 are asked for"),
        (sponsor, 0, give(first, GRANT + 1), "owns 1000000 micro-credits, and 1000001 are asked for"),
        (sponsor, 0, give(sponsor, 1), "does nothing"),
        (sponsor, 0, give(first, 0), "does nothing"),
        (sponsor, 1, give(first, 1), "has number 1, but"),
        (sponsor, 0, give(stranger, LEAST_OPENING - 1), "has no account yet: send it at least 1000"),
    ];
    let state = State::genesis(&world.federation);
    for (who, nonce, action, wanted) in table {
        let why = world.after(&state, vec![world.instruct(&who, nonce, action.clone())]).unwrap_err().to_string();
        assert!(why.contains(wanted), "{wanted}: {why}");
        let instruction = Instruction { nonce, action };
        assert!(state.would_carry_out(&who, &instruction).unwrap_err().to_string().contains(wanted), "{wanted}");
    }
    let unknown = Signed::new(
        &Keypair::from_secret([78; 32]),
        &world.federation.network,
        &Instruction { nonce: 0, action: give(first, 1) },
    );
    let why = world.after(&state, vec![unknown]).unwrap_err().to_string();
    assert!(why.contains("has no account in this federation"), "{why}");
}

#[test]
fn instructions_are_sorted_bounded_and_signed_by_the_owner() {
    let world = village();
    let first = world.members()[0];
    let state = State::genesis(&world.federation);
    let refused = |said| world.decide(&state, Evidence::Plan(only(said))).unwrap_err();

    let both = |who: [MemberId; 2]| who.map(|who| world.instruct(&who, 0, give(MemberId([5; 32]), 5_000))).to_vec();
    let mut ids = [first, world.sponsor()];
    ids.sort();
    assert!(world.decide(&state, Evidence::Plan(only(both(ids)))).is_ok());
    ids.reverse();
    assert_eq!(refused(both(ids)), Invalid::Unsorted("instructions"));

    let many = (0..=MAX_INSTRUCTIONS as u64).map(|nonce| world.instruct(&first, nonce, give(world.sponsor(), 1)));
    assert_eq!(refused(many.collect()), Invalid::TooMany("instructions"));

    let elsewhere = crate::ids::NetworkId([1; 32]);
    let forged = Signed::new(&sponsor(), &elsewhere, &Instruction { nonce: 0, action: give(first, 1) });
    assert!(matches!(refused(vec![forged]), Invalid::Statement(StatementError::Forged(_))));
}

#[test]
fn a_genesis_gives_each_account_once_and_no_dust() {
    let mut genesis = village().federation.genesis;
    genesis.grants.push(genesis.grants[1].clone());
    assert!(genesis.validate().unwrap_err().to_string().contains("is given credits twice"));
    genesis.grants.truncate(1);
    genesis.grants[0].amount = LEAST_OPENING - 1;
    assert!(genesis.validate().unwrap_err().to_string().contains("grants.amount is 999"));
}
