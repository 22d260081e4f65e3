//! How long a decision takes when the network takes no time: signing, checking and counting for all members together.

use std::collections::VecDeque;

use althing_protocol::{
    consensus::{Effect, Engine, Input, Message, Timeouts, Validator, ValidatorSet, Verdict},
    crypto::Keypair,
    ids::{Hash, Height, MemberId, NetworkId},
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

const NETWORK: NetworkId = NetworkId([1; 32]);
const HEIGHT: Height = Height(1);

/// Members in one process, whose words arrive in the order in which they were said.
struct Members {
    engines: Vec<Engine>,
    queue: VecDeque<(usize, Input)>,
    decided: usize,
}

impl Members {
    fn new(n: u8) -> Self {
        let keypairs: Vec<_> = (1..=n).map(|number| Keypair::from_secret([number; 32])).collect();
        let engine = |keypair: &Keypair| Engine::new(keypair.clone(), NETWORK, Timeouts::default());
        Self { engines: keypairs.iter().map(engine).collect(), queue: VecDeque::new(), decided: 0 }
    }

    /// From the start of a height to its decision by the last member.
    fn decide(mut self, validators: &ValidatorSet) -> usize {
        for number in 0..self.engines.len() {
            let effects = self.engines[number].start(HEIGHT, validators.clone()).expect("it is the first height");
            self.carry_out(number, effects);
        }
        while let Some((number, input)) = self.queue.pop_front() {
            let effects = self.engines[number].handle(input).expect("nobody misbehaves");
            self.carry_out(number, effects);
        }
        assert_eq!(self.decided, self.engines.len());
        self.decided
    }

    fn carry_out(&mut self, number: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Publish(message) => {
                    if let Message::Proposal(proposal) = &message {
                        self.tell(number, &judged(proposal.signer, proposal.body));
                    }
                    self.tell(number, &Input::Message(message));
                }
                Effect::Build { height, round } => {
                    self.queue.push_back((number, Input::Built { height, round, body: Hash::of(b"body") }));
                }
                Effect::Decide { .. } => self.decided += 1,
                _ => {}
            }
        }
    }

    fn tell(&mut self, from: usize, input: &Input) {
        let others = (0..self.engines.len()).filter(|&to| to != from);
        self.queue.extend(others.map(|to| (to, input.clone())));
    }
}

fn judged(proposer: MemberId, body: Hash) -> Input {
    Input::Judged { height: HEIGHT, round: 0, valid_round: None, proposer, body, verdict: Verdict::Valid }
}

fn validators(n: u8) -> ValidatorSet {
    let seat = |number| Validator { id: Keypair::from_secret([number; 32]).id(), power: 1, weight: 1 };
    ValidatorSet::new(Hash::ZERO, (1..=n).map(seat).collect()).expect("distinct members with power")
}

fn decision(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision of all members on one core");
    for n in [4, 8, 16] {
        let set = validators(n);
        group.bench_function(format!("n = {n}"), |bencher| {
            bencher.iter_batched(|| Members::new(n), |members| members.decide(&set), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, decision);
criterion_main!(benches);
