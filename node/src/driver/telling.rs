//! What the node tells: each event as a line of JSON for programs, or in words for people.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use althing_protocol::{
    detection::Pretence,
    event::{Account, Event, Phase, Role},
    ids::MemberId,
    ledger::Roll,
    statement::Motion,
};
use serde::{Deserialize, Serialize};

use crate::{cli::Format, text::credits};

/// An event with the time at which it was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Milliseconds since 1970, by the node's clock.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Where events go.
pub struct Sink {
    format: Format,
    out: Box<dyn Write + Send>,
}

impl Sink {
    /// Standard output.
    pub fn stdout(format: Format) -> Self {
        Self::new(format, io::stdout())
    }

    /// Any writer.
    pub fn new(format: Format, out: impl Write + Send + 'static) -> Self {
        Self { format, out: Box::new(out) }
    }

    /// Tells `event`. Nobody listening any more is no reason to stop.
    pub(super) fn tell(&mut self, names: &Names, event: &Event) {
        let told = match self.format {
            Format::Json => serde_json::to_string(&Line { at_ms: unix_ms(), event: event.clone() }).ok(),
            Format::Text => names.words(event),
        };
        if let Some(line) = told
            && let Err(error) = writeln!(self.out, "{line}").and_then(|()| self.out.flush())
        {
            tracing::debug!(%error, "nobody reads the events any more");
        }
    }
}

pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Members' names, for people.
pub(super) struct Names(BTreeMap<MemberId, String>);

impl Names {
    /// Of all members, and of this node's owner, who may be none yet.
    pub(super) fn of(roll: &Roll, owner: (MemberId, &str)) -> Self {
        let owner = (owner.0, owner.1.to_owned());
        Self([owner].into_iter().chain(roll.names.clone()).collect())
    }

    /// Takes in the name of somebody who has joined.
    pub(super) fn hear(&mut self, event: &Event) {
        if let Event::MemberJoined { member, name, .. } = event {
            self.0.insert(*member, name.clone());
        }
    }

    pub(super) fn name(&self, member: &MemberId) -> String {
        self.0.get(member).cloned().unwrap_or_else(|| member.short())
    }

    /// Who was not paid for an update, and why.
    fn refusals(&self, refused: &BTreeMap<MemberId, Pretence>) -> String {
        let refusal =
            |(member, pretence): (&MemberId, &Pretence)| format!("; {} is not: {pretence}", self.name(member));
        refused.iter().map(refusal).collect()
    }

    /// The event in words; `None` for what would only tire.
    fn words(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::Started { member, network, height } => {
                format!("{} of network {}, at height {height}", self.name(member), network.short())
            }
            Event::Listening { address } => format!("listening on {address}"),
            Event::Serving { address } => format!("live page at http://{address}/"),
            Event::PeerUp { member } => format!("{} is here", self.name(member)),
            Event::PeerDown { member } => format!("{} is gone", self.name(member)),
            Event::RoundOpened { round, aggregator } => {
                format!("round {round}: {} is elected aggregator", self.name(aggregator))
            }
            Event::PhaseEntered { round, phase: Phase::Wait } => {
                format!("round {round}: waiting for members with two thirds of the votes")
            }
            Event::Planned { round, proposer, bids, awards, agreement_round, .. } => {
                let hired: Vec<String> = awards.iter().map(|award| self.name(&award.member)).collect();
                let hired = if hired.is_empty() { "nobody".to_owned() } else { hired.join(", ") };
                let takeover = takeover(*agreement_round);
                format!("round {round}: {} planned{takeover}: {bids} bids, hired {hired}", self.name(proposer))
            }
            Event::Trained { round, samples, training_ms, .. } => {
                format!("round {round}: trained on {samples} examples in {:.1} s", *training_ms as f64 / 1e3)
            }
            Event::Guarded { account: None } => {
                "training without noise: an update may tell its readers anything about the data; \
                 [privacy] in the configuration changes that"
                    .to_owned()
            }
            Event::Guarded { account: Some(account) } => format!("training with noise: {}", standing(account)),
            Event::Debited { round, steps, sigma_milli, account, .. } => format!(
                "round {round}: {steps} steps with noise of {:.3} norms are paid for: {}",
                *sigma_milli as f64 / 1e3,
                standing(account)
            ),
            Event::Forfeited { round, why } => format!("round {round} is forfeited: {why}"),
            Event::Withdrawn { round, member } => {
                format!("round {round}: no update of {} will come", self.name(member))
            }
            Event::MemberJoined { round, member, name } => {
                format!("{name} is a member from round {} on ({})", round.next(), member.short())
            }
            Event::MemberLeft { member, .. } => format!("{} is no member any more", self.name(member)),
            Event::Voted { member, motion: Motion::Remove(whom), .. } => {
                format!("{} votes for the removal of {}", self.name(member), self.name(whom))
            }
            Event::VoteSuspended { member, .. } => {
                format!("{} was away too long, and has no vote until it is seen again", self.name(member))
            }
            Event::VoteRestored { member, .. } => format!("{} was seen again, and votes", self.name(member)),
            Event::MemberRemoved { member, .. } => format!("the members have removed {}", self.name(member)),
            Event::Settled { round, proposer, updates, refused, payments, agreement_round, .. } => {
                let paid: u64 = payments.values().sum();
                format!(
                    "round {round}: {} settled{}: {updates} updates, {:.3} credits paid{}",
                    self.name(proposer),
                    takeover(*agreement_round),
                    paid as f64 / 1e6,
                    self.refusals(refused)
                )
            }
            Event::Transferred { from, to, amount, .. } => {
                format!("{} gave {} credits to {}", self.name(from), credits(*amount), self.name(to))
            }
            Event::JobFunded { job, sponsor, terms, .. } => format!(
                "job {job} is funded by {}: {} rounds of at most {} credits",
                self.name(sponsor),
                terms.rounds,
                credits(terms.budget_per_round)
            ),
            Event::JobEnded { job, end, rounds, paid, returned, .. } => format!(
                "job {job} has ended ({}): {rounds} rounds, {} credits paid, {} returned",
                end.name(),
                credits(*paid),
                credits(*returned)
            ),
            Event::ExchangeBegun { step, .. } => format!("step {step}: exchanging models with whoever is here"),
            Event::Stepped { step, received, accepted, samples, training_ms, .. } => format!(
                "step {step}: trained on {samples} examples in {:.1} s, {received} models came, {accepted} accepted",
                *training_ms as f64 / 1e3
            ),
            Event::ExchangeEnded { step } => format!("step {step} is not taken: the ledger decides again"),
            Event::Synced { height } => format!("caught up to height {height}"),
            Event::Misbehaved { member, why } => format!("{} misbehaved: {why}", self.name(member)),
            Event::Doubted { member, why } => format!("the proposal of {} is not accepted: {why}", self.name(member)),
            Event::Refused { member, why } => format!("refused {}: {why}", member.short()),
            Event::Hindered { why } => format!("hindered: {why}"),
            Event::Stopped => "stopped".to_owned(),
            Event::Decided { round, role: Role::Bidder, choice, .. } if choice == "pass" => {
                format!(
                    "round {round}: this node does not bid: no contract pays what it costs (agents.cost_per_sample)"
                )
            }
            Event::Benched { round, role, until } => format!(
                "round {round}: the model did worse than rules as {role:?} and is not asked before round {until}"
            )
            .to_lowercase(),
            Event::PhaseEntered { .. }
            | Event::Advised { .. }
            | Event::Decided { .. }
            | Event::Received { .. }
            | Event::Arrived { .. }
            | Event::Adopted { .. } => return None,
        })
    }
}

fn standing(account: &Account) -> String {
    let micro = |value: u64| value as f64 / 1e6;
    let Account { epsilon_micro, spent_micro, delta_pico, .. } = *account;
    format!(
        "epsilon {:.3} of {:.3} spent at delta {:e}",
        micro(spent_micro),
        micro(epsilon_micro),
        delta_pico as f64 / 1e12
    )
}

const fn takeover(agreement_round: u32) -> &'static str {
    if agreement_round == 0 { "" } else { " in the elected member's place" }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use althing_protocol::ids::Round;

    use super::*;

    /// A writer whose text can be read back.
    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told(format: Format, events: &[Event]) -> String {
        let (page, anna) = (Page::default(), MemberId([1; 32]));
        let names = Names(BTreeMap::from([(anna, "anna".to_owned())]));
        let mut sink = Sink::new(format, page.clone());
        events.iter().for_each(|event| sink.tell(&names, event));
        let text = page.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn programs_get_every_event_as_a_line_that_reads_back() {
        let events = [
            Event::PeerUp { member: MemberId([1; 32]) },
            Event::PhaseEntered { round: Round(3), phase: Phase::Bid },
            Event::Stopped,
        ];
        let text = told(Format::Json, &events);
        let lines: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.iter().map(|line| line.event.clone()).collect::<Vec<_>>(), events);
        assert!(lines.iter().all(|line| line.at_ms > 1_700_000_000_000));
    }

    #[test]
    fn people_get_names_and_are_spared_the_phases() {
        let anna = MemberId([1; 32]);
        let events = [
            Event::PhaseEntered { round: Round(3), phase: Phase::Bid },
            Event::RoundOpened { round: Round(3), aggregator: anna },
            Event::PeerDown { member: MemberId([2; 32]) },
        ];
        assert_eq!(told(Format::Text, &events), "round 3: anna is elected aggregator\n02020202 is gone\n");
    }

    #[test]
    fn a_reader_that_has_left_is_no_reason_to_stop() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        Sink::new(Format::Text, Closed).tell(&Names(BTreeMap::new()), &Event::Stopped);
    }
}
