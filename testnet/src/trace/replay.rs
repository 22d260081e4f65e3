//! A trace in the simulator: the same answers to the same calls, on a ledger of its own.

use std::collections::BTreeMap;

use althing_protocol::{
    event::Award,
    genesis::{Genesis, Market, Membership},
    hiring::Call,
    ids::{MemberId, Round},
    ledger::{Ledger, LedgerError, Settled, Turn},
    market::Mechanism,
    settlement::settle,
};
use serde::Serialize;

use super::{Trace, TraceError, TracedRound};

/// What updates have brought, in millionths of loss.
pub(super) type Gains = BTreeMap<MemberId, i64>;

/// What a replay has paid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// The mechanism that has cleared it.
    pub mechanism: Mechanism,
    /// Rounds.
    pub rounds: usize,
    /// What each member was paid in all rounds, in micro-credits.
    pub payments: BTreeMap<MemberId, u64>,
    /// What the live run has paid it, in micro-credits.
    pub live_payments: BTreeMap<MemberId, u64>,
    /// Where the two differ, the first twenty of them; nowhere, if the mechanism is the live one.
    pub differences: Vec<Difference>,
    /// Updates of members whom the live run had not hired in their round, so that their gain is not known but taken to
    /// be the member's own median.
    pub supposed: usize,
}

/// Differences that are told.
const DIFFERENCES_MAX: usize = 20;

/// A member that the replay leaves with another balance than the live run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// After which round.
    pub round: Round,
    /// Whose.
    pub member: MemberId,
    /// By the replay, in micro-credits.
    pub replayed: u64,
    /// In the live run, in micro-credits.
    pub live: u64,
}

impl Replayed {
    /// Whether everybody owned the same after every round.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Trace {
    /// Plays the rounds again: as they were, or as another mechanism would have cleared the same bids.
    ///
    /// # Errors
    /// [`TraceError::Refused`] when the ledger refuses what the live one has taken.
    pub fn replay(&self, mechanism: Option<Mechanism>) -> Result<Replayed, TraceError> {
        let mechanism = mechanism.unwrap_or(self.genesis.market.mechanism);
        let market = Market { mechanism, ..self.genesis.market.clone() };
        let mut stage = Stage::new(&self.genesis, market);
        let habits = self.habits();
        let mut replayed = Replayed {
            mechanism,
            rounds: self.rounds.len(),
            payments: BTreeMap::new(),
            live_payments: BTreeMap::new(),
            differences: Vec::new(),
            supposed: 0,
        };
        for round in &self.rounds {
            let supposed = &mut replayed.supposed;
            let payments = stage.play(round, |_, awards| Ok(gains(round, awards, &habits, supposed)))?;
            add(&mut replayed.payments, &payments);
            add(&mut replayed.live_payments, &round.payments);
            stage.compare(round, &mut replayed.differences);
        }
        Ok(replayed)
    }

    /// The median gain of each member over the rounds in which it delivered, in millionths of loss.
    fn habits(&self) -> Gains {
        let mut gains = BTreeMap::<MemberId, Vec<i64>>::new();
        for (member, gain) in self.rounds.iter().flat_map(|round| &round.gains) {
            gains.entry(*member).or_default().push(*gain);
        }
        let median = |mut gains: Vec<i64>| {
            gains.sort_unstable();
            gains.get(gains.len().saturating_sub(1) / 2).copied().unwrap_or(0)
        };
        gains.into_iter().map(|(member, gains)| (member, median(gains))).collect()
    }
}

/// The gains of whom the simulated market hires: as measured, or as supposed of members that were not hired live.
fn gains(round: &TracedRound, awards: &[Award], habits: &Gains, supposed: &mut usize) -> Gains {
    let mut gains = Gains::new();
    for award in awards {
        let member = &award.member;
        if round.hired.contains(member) {
            gains.extend(round.gains.get(member).map(|gain| (*member, *gain)));
        } else {
            *supposed += 1;
            gains.insert(*member, habits.get(member).copied().unwrap_or(0));
        }
    }
    gains
}

pub(super) fn add(sums: &mut BTreeMap<MemberId, u64>, payments: &BTreeMap<MemberId, u64>) {
    for (member, amount) in payments {
        *sums.entry(*member).or_default() += amount;
    }
}

/// The simulated federation.
pub(super) struct Stage {
    market: Market,
    /// What the live market was cleared by.
    live: Mechanism,
    membership: Membership,
    ledger: Ledger,
}

impl Stage {
    /// The federation of `genesis` before its first round, with this market.
    pub(super) fn new(genesis: &Genesis, market: Market) -> Self {
        // A trace does not tell who was there, so nobody is away.
        let membership = Membership { suspend_after: 0, ..genesis.membership };
        Self { market, live: genesis.market.mechanism, membership, ledger: Ledger::new(genesis) }
    }

    /// Plays `round`, in which the updates of those who are hired have brought what `gains` says; what it has paid.
    pub(super) fn play(
        &mut self,
        round: &TracedRound,
        gains: impl FnOnce(&mut Ledger, &[Award]) -> Result<Gains, LedgerError>,
    ) -> Result<BTreeMap<MemberId, u64>, TraceError> {
        let refused = |why: &dyn std::fmt::Display| TraceError::Refused { round: round.round, why: why.to_string() };
        for (owner, instruction) in &round.instructions {
            // With other payments an account may own less than its owner gave away in the live run.
            let carried = self.ledger.carry_out(owner, instruction, round.round);
            if let (Err(why), true) = (carried, self.is_live()) {
                return Err(refused(&why));
            }
        }
        let call =
            Call { market: &self.market, members: self.ledger.accounts.len(), round: round.round, seed: round.seed };
        let awards = call.hire(&mut self.ledger, &round.answers).map_err(|why| refused(&why))?;
        let gains = gains(&mut self.ledger, &awards).map_err(|why| refused(&why))?;
        let payments = settle(&mut self.ledger, &awards, &gains).map_err(|why| refused(&why))?;
        for member in &round.convicted {
            self.ledger.slash(member, self.market.slash_permille, round.height).map_err(|why| refused(&why))?;
        }
        let (worked, model) = (!gains.is_empty(), round.model);
        let settled = Settled { round: round.round, worked, accuracy_ppm: round.accuracy_ppm, model };
        self.ledger.turn_jobs(settled).map_err(|why| refused(&why))?;
        let delivered = payments.keys().copied().collect();
        self.ledger.turn_roll(&Turn { round: round.round, delivered, membership: &self.membership });
        self.ledger.check().map_err(|why| refused(&why))?;
        Ok(payments)
    }

    /// Whether the rounds are cleared as they were.
    fn is_live(&self) -> bool {
        self.market.mechanism == self.live
    }

    fn compare(&self, round: &TracedRound, differences: &mut Vec<Difference>) {
        for (member, live) in &round.balances {
            let replayed = self.ledger.standing(member).map_or(0, |(_, balance)| balance);
            if replayed != *live && differences.len() < DIFFERENCES_MAX {
                differences.push(Difference { round: round.round, member: *member, replayed, live: *live });
            }
        }
    }
}
