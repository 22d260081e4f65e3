//! What must hold after everything went wrong: judged from what the nodes have left behind, their ledgers and their
//! lines, by somebody who asks no node anything.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use althing_protocol::{
    audit::{AuditError, audit},
    body::{Body, Evidence},
    event::Event,
    genesis::Genesis,
    ids::{Hash, Height, MemberId, Round},
    state::Federation,
    wire::Decision,
};
use serde::Serialize;

use super::vigilance::overlooked;
use crate::{hostile::Breach, observer::Line};

/// What a node has left behind.
#[derive(Debug, Clone)]
pub struct Testimony {
    /// What people call it.
    pub name: String,
    /// Its key.
    pub id: MemberId,
    /// Whether it attacks.
    pub conduct: Conduct,
    /// How it breaks the protocol, and from which round, if it does.
    pub breach: Option<(Breach, Round)>,
    /// Everything that it has printed, over all its lives.
    pub lines: Vec<Line>,
    /// Everything that it holds decided, or why that cannot be read.
    pub ledger: Result<Vec<Decision>, String>,
}

/// Whether a node is what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// It is.
    Honest,
    /// It attacks.
    Hostile,
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// Every ledger verifies from the genesis up.
    Verified,
    /// No two nodes hold, or ever told of, different decisions of one height.
    Agreement,
    /// What a node ever told of as decided stands in its ledger.
    NoLostDecision,
    /// No honest node signs two things in one place, or is called a liar.
    NoFalseAccusation,
    /// Credits add up after every decision.
    Supply,
    /// No noise is drawn before it is paid for, none twice, and no budget is overspent.
    Privacy,
    /// No node ends but when it is made to.
    Endurance,
    /// Every honest node comes back, and settles rounds soon after the faults have ceased.
    Liveness,
    /// Who breaks the protocol is noticed, and gains nothing by it.
    Vigilance,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Verified,
        Self::Agreement,
        Self::NoLostDecision,
        Self::NoFalseAccusation,
        Self::Supply,
        Self::Privacy,
        Self::Endurance,
        Self::Liveness,
        Self::Vigilance,
    ];

    /// In a word or two.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Verified => "ledgers",
            Self::Agreement => "agreement",
            Self::NoLostDecision => "decisions",
            Self::NoFalseAccusation => "honesty",
            Self::Supply => "supply",
            Self::Privacy => "privacy",
            Self::Endurance => "endurance",
            Self::Liveness => "liveness",
            Self::Vigilance => "vigilance",
        }
    }
}

/// Something that must not have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What should hold.
    pub property: Property,
    /// How it does not.
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property.words(), self.why)
    }
}

/// Everything that does not hold.
pub fn judge(genesis: &Genesis, testimonies: &[Testimony]) -> Vec<Violation> {
    let mut judge = Judge { testimonies, violations: Vec::new() };
    judge.verify(genesis);
    judge.compare();
    for testimony in testimonies {
        judge.find_lost(testimony);
        judge.reckon_privacy(testimony);
        judge.watch(testimony);
    }
    judge.look_for_accusations();
    judge.violations
}

struct Judge<'a> {
    testimonies: &'a [Testimony],
    violations: Vec<Violation>,
}

impl Judge<'_> {
    fn complain(&mut self, property: Property, why: String) {
        self.violations.push(Violation { property, why });
    }

    fn verify(&mut self, genesis: &Genesis) {
        let federation = Federation::new(genesis.clone());
        for Testimony { name, ledger, .. } in self.testimonies {
            match ledger.as_ref().map(|decisions| audit(&federation, decisions)) {
                Ok(Ok(_)) => {}
                Ok(Err(AuditError::Supply(height, why))) => {
                    self.complain(Property::Supply, format!("{name} at height {height}: {why}"));
                }
                Ok(Err(why)) => self.complain(Property::Verified, format!("the ledger of {name}: {why}")),
                Err(why) => self.complain(Property::Verified, format!("the ledger of {name} cannot be read: {why}")),
            }
        }
    }

    /// All ledgers, and all that was told, height by height.
    fn compare(&mut self) {
        let mut decided: BTreeMap<Height, BTreeMap<Hash, &str>> = BTreeMap::new();
        for testimony in self.testimonies {
            let held = testimony.ledger.iter().flatten().map(|decision| {
                let Decision { certificate, .. } = decision;
                (certificate.height, certificate.body)
            });
            for (height, body) in held.chain(settled(testimony).map(|(height, _, body)| (height, body))) {
                decided.entry(height).or_default().entry(body).or_insert(&testimony.name);
            }
        }
        for (height, bodies) in decided.into_iter().filter(|(_, bodies)| bodies.len() > 1) {
            let names: Vec<&str> = bodies.into_values().collect();
            let why = format!("height {height} is decided differently at {}", names.join(" and "));
            self.complain(Property::Agreement, why);
        }
    }

    fn find_lost(&mut self, testimony: &Testimony) {
        let Ok(ledger) = &testimony.ledger else { return };
        let last = Height(ledger.len() as u64);
        for event in testimony.lines.iter().map(|line| &line.event) {
            let (Event::Planned { height, round, .. } | Event::Settled { height, round, .. }) = event else { continue };
            if *height > last {
                let why = format!("{} told of height {height} in round {round} and holds {last}", testimony.name);
                self.complain(Property::NoLostDecision, why);
            }
        }
    }

    /// Whether somebody who breaks the protocol came off too well.
    fn watch(&mut self, testimony: &Testimony) {
        let overlooked = testimony.breach.and_then(|breach| overlooked(breach, testimony, self.testimonies));
        overlooked.into_iter().for_each(|why| self.complain(Property::Vigilance, why));
    }

    /// What each life says it has paid, in order.
    fn reckon_privacy(&mut self, testimony: &Testimony) {
        let mut paid_for: BTreeSet<Round> = BTreeSet::new();
        let mut spent = 0;
        for event in testimony.lines.iter().map(|line| &line.event) {
            let Event::Debited { round, account, .. } = event else { continue };
            let name = &testimony.name;
            if !paid_for.insert(*round) {
                self.complain(Property::Privacy, format!("{name} draws noise twice for round {round}"));
            }
            if account.spent_micro > account.epsilon_micro {
                self.complain(Property::Privacy, format!("{name} has overspent its budget in round {round}"));
            }
            if account.spent_micro < spent {
                self.complain(Property::Privacy, format!("{name} has forgotten in round {round} what it had spent"));
            }
            spent = account.spent_micro;
        }
    }

    /// Of honest members: by decisions, and by each other.
    fn look_for_accusations(&mut self) {
        let honest: BTreeMap<MemberId, &str> = self
            .testimonies
            .iter()
            .filter(|testimony| testimony.conduct == Conduct::Honest)
            .map(|testimony| (testimony.id, testimony.name.as_str()))
            .collect();
        let mut accused = BTreeSet::new();
        for testimony in self.testimonies.iter().filter(|testimony| testimony.conduct == Conduct::Honest) {
            for event in testimony.lines.iter().map(|line| &line.event) {
                if let Event::Misbehaved { member, why } = event
                    && let Some(name) = honest.get(member)
                {
                    accused.insert(format!("{} says that {name} misbehaved: {why}", testimony.name));
                }
            }
            for offender in testimony.ledger.iter().flatten().flat_map(caught) {
                if let Some(name) = honest.get(&offender) {
                    accused.insert(format!("a decision proves that {name} has signed two things in one place"));
                }
            }
        }
        accused.into_iter().for_each(|why| self.complain(Property::NoFalseAccusation, why));
    }
}

/// Every Settle that a node has told of.
fn settled(testimony: &Testimony) -> impl Iterator<Item = (Height, Round, Hash)> + '_ {
    testimony.lines.iter().filter_map(|line| match &line.event {
        Event::Settled { height, round, body, .. } => Some((*height, *round, *body)),
        _ => None,
    })
}

/// Whom a decision has caught signing two things in one place.
pub(super) fn caught(decision: &Decision) -> Vec<MemberId> {
    match Body::decode(&decision.body).map(|body| body.evidence) {
        Ok(Evidence::Settle(settle)) => settle.equivocations.iter().map(|caught| caught.member()).collect(),
        Ok(Evidence::Plan(_)) | Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use althing_protocol::{
        event::{Account, Award, Credits, HiredBy},
        sim::{self, Scenario},
    };

    use super::*;

    /// What a simulated federation has decided, and its genesis.
    static DECIDED: LazyLock<(Genesis, Vec<Decision>)> = LazyLock::new(|| {
        let scenario = Scenario::quiet(1, 4);
        (scenario.genesis(), sim::run(&scenario).decisions)
    });

    /// What four honest nodes leave behind that have come through it.
    fn testimonies() -> Vec<Testimony> {
        let (genesis, ledger) = &*DECIDED;
        let of = |member: &althing_protocol::genesis::Member| Testimony {
            name: member.name.clone(),
            id: member.id,
            conduct: Conduct::Honest,
            breach: None,
            lines: ledger.iter().filter_map(told).collect(),
            ledger: Ok(ledger.clone()),
        };
        genesis.members.iter().map(of).collect()
    }

    fn line(event: Event) -> Line {
        Line { at_ms: 0, event }
    }

    /// What a node tells of a Settle.
    fn told(decision: &Decision) -> Option<Line> {
        let body = Body::decode(&decision.body).unwrap();
        let Evidence::Settle(settle) = &body.evidence else { return None };
        let credits = Credits {
            minted: 0,
            burned: 0,
            pool: 0,
            escrow: 0,
            jobs: 0,
            balances: BTreeMap::new(),
            guests: BTreeMap::new(),
        };
        Some(line(Event::Settled {
            round: body.header.round,
            height: body.header.height,
            body: decision.certificate.body,
            elected: body.header.proposer,
            proposer: body.header.proposer,
            agreement_round: 0,
            model: settle.model,
            updates: settle.updates.len(),
            refused: BTreeMap::new(),
            slowest_training_ms: 0,
            payments: BTreeMap::new(),
            credits,
        }))
    }

    fn debited(round: u64, spent_micro: u64) -> Line {
        let account = Account { epsilon_micro: 1_000, delta_pico: 1, spent_micro, rounds_left: 1 };
        line(Event::Debited { round: Round(round), lot: 1, samples: 2, sigma_milli: 1_000, steps: 1, account })
    }

    /// The properties that do not hold after `spoil`.
    fn broken(spoil: impl FnOnce(&mut [Testimony])) -> BTreeSet<Property> {
        let mut testimonies = testimonies();
        spoil(&mut testimonies);
        judge(&DECIDED.0, &testimonies).into_iter().map(|violation| violation.property).collect()
    }

    #[test]
    fn a_federation_without_a_fault_is_found_without_one() {
        assert!(DECIDED.1.len() >= 4);
        assert_eq!(judge(&DECIDED.0, &testimonies()), []);
        let honest = |all: &mut [Testimony]| {
            all[0].lines.extend([debited(1, 400), debited(2, 1_000)]);
            all[1].ledger.as_mut().unwrap().pop();
            all[1].lines.pop();
        };
        assert_eq!(broken(honest), BTreeSet::new(), "one ledger may end earlier than another");
    }

    #[test]
    fn every_property_is_seen_to_break() {
        let ledger = |testimony: &mut Testimony| testimony.ledger.clone().unwrap();
        let misbehaved = |member| line(Event::Misbehaved { member, why: "it lies".into() });
        type Spoil<'a> = Box<dyn FnOnce(&mut [Testimony]) + 'a>;
        let cases: Vec<(Property, Spoil<'_>)> = vec![
            (Property::Verified, Box::new(|all| all[2].ledger = Err("torn".into()))),
            (Property::Verified, Box::new(|all| all[2].ledger.as_mut().unwrap().swap(0, 1))),
            (
                Property::Agreement,
                Box::new(|all| {
                    let Event::Settled { body, .. } = &mut all[3].lines[0].event else { panic!("a settle") };
                    *body = Hash([7; 32]);
                }),
            ),
            (
                Property::NoLostDecision,
                Box::new(|all| {
                    let mut shorter = ledger(&mut all[0]);
                    shorter.truncate(2);
                    all[0].ledger = Ok(shorter);
                }),
            ),
            (
                Property::NoFalseAccusation,
                Box::new(|all| {
                    let id = all[1].id;
                    all[0].lines.push(misbehaved(id));
                }),
            ),
            (Property::Privacy, Box::new(|all| all[0].lines.push(debited(1, 1_001)))),
            (Property::Privacy, Box::new(|all| all[0].lines.extend([debited(1, 5), debited(1, 6)]))),
            (Property::Privacy, Box::new(|all| all[0].lines.extend([debited(1, 5), debited(2, 4)]))),
        ];
        for (property, spoil) in cases {
            assert_eq!(broken(spoil), BTreeSet::from([property]));
        }
    }

    /// What does not hold where member 1 breaks the protocol from the first round on, after `spoil`.
    fn left_by(breach: Breach, spoil: impl FnOnce(&mut [Testimony])) -> BTreeSet<Property> {
        broken(|all| {
            (all[1].conduct, all[1].breach) = (Conduct::Hostile, Some((breach, Round(1))));
            spoil(all);
        })
    }

    #[test]
    fn a_breach_that_nobody_has_noticed_is_complained_of() {
        let unnoticed = BTreeSet::from([Property::Vigilance]);
        for breach in Breach::ALL {
            let left = left_by(breach, |_| ());
            if breach == Breach::Besiege {
                assert_eq!(left, BTreeSet::new(), "there is nothing to notice");
            } else {
                assert_eq!(left, unnoticed, "{breach}");
            }
        }
        let blame = |all: &mut [Testimony]| {
            let member = all[1].id;
            all[0].lines.push(line(Event::Misbehaved { member, why: "it lies".into() }));
        };
        for breach in [Breach::FalseBlobs, Breach::FalseModel, Breach::Forge] {
            assert_eq!(left_by(breach, blame), BTreeSet::new(), "{breach}");
        }
        assert_eq!(left_by(Breach::Equivocate, blame), unnoticed, "that needs a proof");
    }

    #[test]
    fn an_update_that_was_withheld_must_be_in_no_decision() {
        let hire = |all: &mut [Testimony]| {
            let award =
                Award { member: all[1].id, contract: 0, samples: 9, price: 1, payment: 1, hired_by: HiredBy::Auction };
            let member = all[0].id;
            all[0].lines.push(line(Event::Planned {
                round: Round(1),
                height: Height(1),
                elected: member,
                proposer: member,
                agreement_round: 0,
                bids: 4,
                awards: vec![award],
            }));
        };
        assert_eq!(left_by(Breach::Withhold, hire), BTreeSet::from([Property::Vigilance]), "it is in some");
        let too_late = |all: &mut [Testimony]| {
            hire(all);
            all[1].breach = Some((Breach::Withhold, Round(1_000)));
        };
        assert_eq!(left_by(Breach::Withhold, too_late), BTreeSet::new());
    }

    #[test]
    fn hostile_nodes_may_be_called_what_they_are() {
        let accuse = |all: &mut [Testimony]| {
            let liar = all[1].id;
            all[1].conduct = Conduct::Hostile;
            all[0].lines.push(line(Event::Misbehaved { member: liar, why: "it lies".into() }));
            let honest = all[0].id;
            all[1].lines.push(line(Event::Misbehaved { member: honest, why: "says a liar".into() }));
        };
        assert_eq!(broken(accuse), BTreeSet::new());
    }
}
