//! Who comes and goes: by invitations that Plans take and Settles carry out.

use super::{
    instruct::{only, village},
    *,
};
use crate::{
    genesis::Admission,
    ledger::Ticket,
    limits::MAX_INSTRUCTION_BYTES,
    statement::{Action, Application, Claim, Instruction, Invitation, Newcomer},
};

/// A village whose founders may invite, with somebody at its door.
pub(super) fn open_village() -> World {
    let mut world = village();
    let mut genesis = world.federation.genesis.clone();
    genesis.membership.admission = Admission::Founders;
    genesis.validate().unwrap();
    world.federation = Federation::new(genesis);
    world.keys.insert(carla().id(), (carla(), HashChain::new([90; 32], CHAIN_TURNS)));
    world
}

pub(super) fn carla() -> Keypair {
    Keypair::from_secret([90; 32])
}

fn ticket() -> Keypair {
    Keypair::from_secret([91; 32])
}

/// Good for two, until round 3.
pub(super) fn invitation() -> Invitation {
    Invitation { ticket: ticket().id(), uses: 2, last_round: Round(3) }
}

impl World {
    pub(super) fn applies(&self, inviter: &MemberId, invitation: Invitation, who: &Keypair) -> Application {
        let name = if who.id() == carla().id() { "carla".into() } else { who.id().short() };
        let newcomer = Newcomer { name, anchor: HashChain::new([90; 32], CHAIN_TURNS).anchor() };
        let signed = self.sign(inviter, &invitation);
        Application::new(newcomer, who.id(), signed, &ticket(), &self.federation.network)
    }

    pub(super) fn joins(&self, who: &Keypair, nonce: u64, application: Application) -> Signed<Instruction> {
        let action = Action::Join(Box::new(application));
        Signed::new(who, &self.federation.network, &Instruction { nonce, action })
    }

    pub(super) fn carla_joins(&self) -> Signed<Instruction> {
        self.joins(&carla(), 0, self.applies(&self.members()[0], invitation(), &carla()))
    }

    /// The state after an empty Settle.
    pub(super) fn settled(&self, planned: &State) -> State {
        let none = SettleEvidence {
            updates: Vec::new(),
            refused: BTreeMap::new(),
            appraisals: Vec::new(),
            model: planned.model,
            turn: self.turn(planned),
            equivocations: Vec::new(),
        };
        self.decide(planned, Evidence::Settle(none)).unwrap().0
    }

    /// The state after a round in which nothing happens but these.
    pub(super) fn round(&self, state: &State, said: Vec<Signed<Instruction>>) -> State {
        self.settled(&self.after(state, said).unwrap())
    }
}

#[test]
fn who_is_invited_is_a_member_once_the_round_is_settled_and_votes_once_it_has_delivered() {
    let world = open_village();
    let planned = world.after(&State::genesis(&world.federation), vec![world.carla_joins()]).unwrap();
    assert!(!planned.ledger.accounts.contains_key(&carla().id()), "not in the middle of a round");
    let mut state = world.settled(&planned);
    assert_eq!(state.ledger.roll.names[&carla().id()], "carla");
    assert_eq!(state.ledger.accounts[&carla().id()].nonce, 1, "joining was its first instruction");
    assert!(!state.validators().unwrap().contains(&carla().id()), "it has not shown yet that it is there");

    let bid = world.bid_in(state.round, &carla().id(), 100, None);
    let hires = PlanEvidence { bids: vec![bid], ..only(Vec::new()) };
    state = world.decide(&state, Evidence::Plan(hires)).unwrap().0;
    let offer = UpdateOffer { round: state.round, ..world.update(&carla().id(), 1).peek().unwrap() };
    let delivers = SettleEvidence {
        updates: vec![world.sign(&carla().id(), &offer)],
        refused: BTreeMap::new(),
        appraisals: Vec::new(),
        model: BlobRef { hash: Hash([9; 32]), size: 400 },
        turn: world.turn(&state),
        equivocations: Vec::new(),
    };
    state = world.decide(&state, Evidence::Settle(delivers)).unwrap().0;
    assert_eq!(state.validators().unwrap().power(&carla().id()), 1);
    assert_eq!(state.validators().unwrap().total_power(), 5);
}

#[test]
fn an_invitation_that_does_not_hold_lets_nobody_in() {
    let world = open_village();
    let founder = world.members()[0];
    let stranger = world.sponsor();
    let good = |who: &Keypair| world.applies(&founder, invitation(), who);
    let mut unprintable = good(&carla());
    unprintable.name = "\x1b[0m".into();
    let mut namesake = good(&carla());
    namesake.name = founder.short();
    let other_ticket = Keypair::from_secret([92; 32]);
    let mut stolen = good(&carla());
    stolen.claim = Signed::new(&other_ticket, &world.federation.network, &Claim { newcomer: carla().id() });
    let lapsed = Invitation { last_round: Round(0), ..invitation() };
    let spent = Invitation { uses: 0, ..invitation() };
    let member = &world.keys[&founder].0;
    let table = [
        (world.joins(&carla(), 0, world.applies(&stranger, invitation(), &carla())), "may not invite members"),
        (
            world.joins(&carla(), 0, world.applies(&founder, lapsed, &carla())),
            "held until round 0, and this is round 1",
        ),
        (world.joins(&carla(), 0, world.applies(&founder, spent, &carla())), "is used up"),
        (world.joins(&carla(), 0, stolen), "the claim to the invitation is not"),
        (world.joins(&carla(), 0, good(&other_ticket)), "the claim to the invitation is not"),
        (world.joins(&carla(), 0, unprintable), "cannot be printed"),
        (world.joins(&carla(), 0, namesake), "is called"),
        (world.joins(&carla(), 1, good(&carla())), "has number 1, but"),
        (world.joins(member, 0, good(member)), "is a member already"),
    ];
    let state = State::genesis(&world.federation);
    for (said, wanted) in table {
        let why = world.after(&state, vec![said]).unwrap_err().to_string();
        assert!(why.contains(wanted), "{wanted}: {why}");
    }
    let closed = village();
    let applies = closed.joins(&carla(), 0, closed.applies(&founder, invitation(), &carla()));
    let why = closed.after(&State::genesis(&closed.federation), vec![applies]).unwrap_err().to_string();
    assert!(why.contains("may not invite members"), "{why}");
}

#[test]
fn a_forged_invitation_is_no_statement_and_the_longest_application_is_one() {
    let world = open_village();
    let mut application = world.applies(&world.members()[0], invitation(), &carla());
    application.name = "𠀀".repeat(crate::limits::MAX_NAME_CHARS);
    let action = Action::Join(Box::new(application.clone()));
    assert!(codec::encode(&Instruction { nonce: u64::MAX, action }).len() <= MAX_INSTRUCTION_BYTES);
    let elsewhere = crate::ids::NetworkId([1; 32]);
    application.invitation = Signed::new(&world.keys[&world.members()[0]].0, &elsewhere, &invitation());
    let said = world.joins(&carla(), 0, application);
    let why = world.after(&State::genesis(&world.federation), vec![said]).unwrap_err();
    assert!(matches!(why, Invalid::Statement(StatementError::Forged(_))), "{why}");
}

#[test]
fn an_invitation_is_used_up_lapses_and_can_be_taken_back() {
    let world = open_village();
    let founder = world.members()[0];
    let others = [93, 94].map(|secret| Keypair::from_secret([secret; 32]));
    let join = |who: &Keypair| world.joins(who, 0, world.applies(&founder, invitation(), who));
    let state = State::genesis(&world.federation);

    let mut used = world.round(&state, vec![world.carla_joins(), join(&others[0])]);
    let refused = |state: &State| world.after(state, vec![join(&others[1])]).unwrap_err().to_string();
    assert!(refused(&used).contains("is used up"));
    assert!(serde_json::to_string(&used.ledger).is_ok(), "nodes tell it to whoever asks");
    assert_eq!(used.ledger.roll.tickets[&founder][&ticket().id()], Ticket { left: 0, last_round: Round(3) });
    (0..2).for_each(|_| used = world.round(&used, Vec::new()));
    assert!(used.ledger.roll.tickets.is_empty(), "nobody has to remember what has lapsed");
    assert!(refused(&used).contains("held until round 3, and this is round 4"));

    let revoked = world.round(&state, vec![world.instruct(&founder, 0, Action::Revoke(invitation()))]);
    assert!(refused(&revoked).contains("taken back"));
    let again = world.after(&revoked, vec![world.instruct(&founder, 1, Action::Revoke(invitation()))]);
    assert!(again.unwrap_err().to_string().contains("taken back"));
    // Another founder's word says nothing about it.
    let meddled = world.round(&state, vec![world.instruct(&world.members()[1], 0, Action::Revoke(invitation()))]);
    assert!(world.after(&meddled, vec![join(&others[1])]).is_ok());
}

#[test]
fn who_leaves_keeps_its_credits_and_may_come_again() {
    let world = open_village();
    let first = world.members()[0];
    let state = State::genesis(&world.federation);
    let planned = world.after(&state, vec![world.instruct(&first, 0, Action::Leave)]).unwrap();
    assert!(planned.validators().unwrap().contains(&first), "it votes until the round is settled");
    let gone = world.settled(&planned);
    assert!(!gone.ledger.accounts.contains_key(&first) && !gone.ledger.roll.inviters.contains(&first));
    assert_eq!(gone.ledger.standing(&first), state.ledger.standing(&first).map(|(_, owned)| (1, owned)));
    let again = world.after(&gone, vec![world.instruct(&first, 1, Action::Leave)]).unwrap_err().to_string();
    assert!(again.contains("is no member"), "{again}");

    let second = world.members()[1];
    let back = world.joins(&world.keys[&first].0, 1, world.applies(&second, invitation(), &world.keys[&first].0));
    let back = world.round(&gone, vec![back]);
    assert_eq!(back.ledger.standing(&first), state.ledger.standing(&first).map(|(_, owned)| (2, owned)));
    assert_eq!(back.ledger.accounts[&first].power, 0, "and has to deliver again before it votes");
}

#[test]
fn who_leaves_can_be_passed_over_in_its_last_settle() {
    let world = open_village();
    let state = State::genesis(&world.federation);
    let chair = state.validators().unwrap().proposer(0);
    let planned = world.after(&state, vec![world.instruct(&chair, 0, Action::Leave)]).unwrap();
    let next = planned.validators().unwrap().proposer(1);
    let none = SettleEvidence {
        updates: Vec::new(),
        refused: BTreeMap::new(),
        appraisals: Vec::new(),
        model: planned.model,
        turn: world.keys[&next].1.reveal(&planned.ledger.accounts[&next].tip),
        equivocations: Vec::new(),
    };
    let body = planned.propose(&world.federation, next, 1, Evidence::Settle(none)).unwrap();
    let settled = planned.apply(&world.federation, &body.encode()).unwrap().0;
    assert!(!settled.ledger.accounts.contains_key(&chair));
}

#[test]
fn the_last_vote_stays() {
    let world = open_village();
    let [first, second, third, fourth] = world.members()[..] else { unreachable!() };
    let leave = |who: &MemberId| world.instruct(who, 0, Action::Leave);
    let state = State::genesis(&world.federation);
    let all = world.after(&state, [first, second, third, fourth].iter().map(leave).collect());
    assert!(all.unwrap_err().to_string().contains("has the last vote"));
    // A newcomer that has delivered nothing has none.
    let state = world.round(&state, vec![world.carla_joins()]);
    let one = world.round(&state, [first, second, third].iter().map(leave).collect());
    assert!(world.after(&one, vec![leave(&fourth)]).unwrap_err().to_string().contains("has the last vote"));
}
