//! What happens in a run, as data.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    agent::Habits,
    attack::Attack,
    byzantine::Lie,
    epidemic::target,
    fault::{Fault, Moment},
    link::Link,
    rng::Rng,
};
use crate::{
    aggregate,
    contribution::Contribution,
    crypto::Keypair,
    election::HashChain,
    genesis::{
        Admission, Aggregation, Agreement, Bounds, Contract, Exchange, Genesis, Grant, Limits, Market, Member,
        Membership, Noise, Phases, Task,
    },
    ids::{BlobRef, Hash},
    machine::{Identity, WhenHalted},
    market::Mechanism,
    model::{Manifest, TensorSpec, Width},
    time::Time,
    update::Codec,
};

/// Parameters of the simulated model: a square of nine, and three more.
const MODEL: [f32; 12] = [0.5, -0.25, 0.125, 1.0, 0.75, -1.0, 0.0, 0.25, -0.5, 2.0, 0.375, -0.125];

/// Widths at which it can be trained.
const WIDTHS: [Width; 3] = [Width::Full, Width::Half, Width::Quarter];

/// Members that a round can hire.
const WINNERS: u32 = 4;

/// Most that a unit of value may cost, in micro-credits.
const RESERVE_PRICE: u64 = 5_000;

/// What the sponsor has at the beginning, in micro-credits.
const GRANT: u64 = 50_000_000;

/// Links of each member's hash chain. The ledger would grant more turns, but no run takes as many as these, and walking
/// a long chain takes longer than anything else that happens.
const CHAIN_LINKS: u32 = 1_024;

/// A run, before it happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Everything random comes from here.
    pub seed: u64,
    /// The voting power of each member.
    pub powers: Vec<u64>,
    /// Others who are not in the genesis, and are invited. Each comes in, and may leave and come again until faults cease.
    pub newcomers: usize,
    /// Rounds that everybody must settle, or steps that it must end, once the faults have ceased.
    pub rounds: u64,
    /// How models travel.
    pub exchange: Exchange,
    /// What members do while the ledger is halted.
    pub when_halted: WhenHalted,
    /// The links, while there are faults.
    pub link: Link,
    /// How updates are coded.
    pub codec: Codec,
    /// Widths on the menu, each with a contract or two.
    pub widths: Vec<Width>,
    /// Bids that a member may lose in a row.
    pub max_losses: u32,
    /// Counter-offers that a chair may make in a round.
    pub max_counter_offers: u32,
    /// From one round to the next.
    pub pause_ms: u64,
    /// How winners and payments are found.
    pub mechanism: Mechanism,
    /// What winners put down, in thousandths of their pay.
    pub deposit_permille: u32,
    /// How often the owner of some account signs an instruction, in milliseconds; 0 for never.
    pub instructs_every_ms: u64,
    /// How often some member votes for the removal of a newcomer or a liar, in milliseconds; 0 for never.
    pub votes_every_ms: u64,
    /// Rounds that a voter may be away; 0 for any number.
    pub suspend_after: u32,
    /// How agents behave.
    pub habits: Habits,
    /// What goes wrong, and when.
    pub faults: Vec<(Time, Fault)>,
    /// Who lies, and how.
    pub liars: BTreeMap<usize, BTreeSet<Lie>>,
    /// Who attacks what is learnt, and how. Otherwise these members keep to the protocol.
    pub attackers: BTreeMap<usize, Attack>,
    /// How updates become a model.
    pub aggregation: Aggregation,
    /// When the faults cease: links are good from then on, partitions heal, and who is to start again has done so.
    /// Liars go on lying.
    pub calm_at: Time,
    /// How long after that the rounds may take.
    pub patience_ms: u64,
}

impl Scenario {
    /// A federation of `members` in which nothing goes wrong.
    pub fn quiet(seed: u64, members: usize) -> Self {
        Self {
            seed,
            powers: vec![1; members],
            newcomers: 0,
            rounds: 2,
            exchange: Exchange::default(),
            when_halted: WhenHalted::Wait,
            link: Link::GOOD,
            codec: Codec::F32,
            widths: vec![Width::Full],
            max_losses: 0,
            max_counter_offers: 0,
            pause_ms: 0,
            mechanism: Mechanism::Critical,
            deposit_permille: 0,
            instructs_every_ms: 0,
            votes_every_ms: 0,
            suspend_after: 0,
            habits: Habits::DILIGENT,
            faults: Vec::new(),
            liars: BTreeMap::new(),
            attackers: BTreeMap::new(),
            aggregation: Aggregation::default(),
            calm_at: Time(0),
            patience_ms: 120_000,
        }
    }

    /// The scenario that `seed` draws: one to seven members, bad links, faults and liars, a codec and widths.
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let members = rng.within(1, 7) as usize;
        let calm_at = Time(rng.within(4_000, 8_000));
        let heavy = rng.chance(250);
        let powers = (0..members).map(|_| if heavy { rng.within(1, 3) } else { 1 }).collect();
        let mut scenario = Self {
            powers,
            link: Link::draw(&mut rng),
            habits: Habits::draw(&mut rng),
            calm_at,
            ..Self::quiet(seed, members)
        };
        for _ in 0..rng.below(6) {
            let at = Time(rng.within(100, calm_at.0 - 500));
            scenario.faults.push((at, draw_fault(&mut rng, members)));
        }
        scenario.faults.sort_by_key(|(at, _)| *at);
        scenario.draw_liars(&mut rng);
        scenario.draw_updates(&mut rng);
        scenario.newcomers = rng.pick(&[0, 0, 1, 2]).copied().unwrap_or_default();
        for _ in 0..rng.below(1 + scenario.newcomers as u64) {
            let at = Time(rng.within(100, calm_at.0 - 500));
            scenario.faults.push((at, draw_fault(&mut rng, scenario.everybody())));
        }
        scenario.faults.sort_by_key(|(at, _)| *at);
        // The least that keeps the floor's promise to so many members, one more, or no floor.
        let least = scenario.everybody().div_ceil(WINNERS as usize) as u32;
        scenario.max_losses = rng.pick(&[least, least, least + 1, 0]).copied().unwrap_or_default();
        scenario.max_counter_offers = rng.within(0, 2) as u32;
        scenario.pause_ms = rng.pick(&[0, 0, 100, 700]).copied().unwrap_or_default();
        scenario.draw_market(&mut rng);
        scenario.instructs_every_ms = rng.pick(&[0, 0, 300, 1_500]).copied().unwrap_or_default();
        // One member's disk at the most: what nobody has any more does not come back.
        if members > 1 && rng.chance(300) {
            let at = Time(rng.within(500, calm_at.0 - 500));
            scenario.faults.push((at, Fault::Rot { member: rng.below(members as u64) as usize }));
            scenario.faults.sort_by_key(|(at, _)| *at);
        }
        scenario.votes_every_ms = rng.pick(&[0, 0, 200, 600]).copied().unwrap_or_default();
        // While a third is away, whoever is left bears fewer liars.
        let suspend_after = rng.pick(&[0, 1, 2, 4]).copied().unwrap_or_default();
        scenario.suspend_after = if scenario.liars.is_empty() { suspend_after } else { 0 };
        scenario
    }

    /// More than half of the federations keep the default auction; half of all take deposits.
    fn draw_market(&mut self, rng: &mut Rng) {
        let all = Mechanism::all(rng.within(1, RESERVE_PRICE));
        self.mechanism =
            if rng.chance(500) { Mechanism::Critical } else { rng.pick(&all).copied().unwrap_or_default() };
        self.deposit_permille = rng.pick(&[0, 250, 1_000, 0]).copied().unwrap_or_default();
        if self.mechanism == Mechanism::Fixed {
            self.max_counter_offers = 0;
        }
    }

    /// Half of the federations code their updates; half hire for slices, some for nothing else.
    fn draw_updates(&mut self, rng: &mut Rng) {
        let codecs = [Codec::F32, Codec::F32, Codec::Q8, Codec::TopK { permille: 250 }];
        self.codec = rng.pick(&codecs).copied().unwrap_or_default();
        let first = if rng.chance(500) { 0 } else { rng.below(WIDTHS.len() as u64) as usize };
        let last = rng.within(first as u64, WIDTHS.len() as u64 - 1) as usize;
        self.widths = WIDTHS.get(first..=last).unwrap_or_default().to_vec();
    }

    /// Lets some members lie, with less than a third of the power together.
    fn draw_liars(&mut self, rng: &mut Rng) {
        let total: u64 = self.powers.iter().sum();
        let mut lying = 0;
        for _ in 0..rng.below(3) {
            let member = rng.below(self.powers.len() as u64) as usize;
            let power = self.powers.get(member).copied().unwrap_or(0);
            if self.liars.contains_key(&member) || 3 * (lying + power) >= total {
                continue;
            }
            lying += power;
            let lies = (0..rng.within(1, 3)).filter_map(|_| rng.pick(&Lie::ALL).copied()).collect();
            self.liars.insert(member, lies);
        }
    }

    /// Members of the genesis and newcomers.
    pub const fn everybody(&self) -> usize {
        self.powers.len() + self.newcomers
    }

    /// Members that keep to the protocol.
    pub fn honest(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.everybody()).filter(|member| !self.liars.contains_key(member))
    }

    /// Who everybody is, newcomers last. The seed of the run is not part of it: names stay the same over all runs.
    pub fn identities(&self) -> Vec<Identity> {
        (0..self.everybody())
            .map(|place| {
                let secret =
                    |what: &str| Hash::derive("althing 1 simulated secret", &[what.as_bytes(), &[place as u8]]).0;
                let chain = HashChain::new(secret("chain"), CHAIN_LINKS);
                Identity { keypair: Keypair::from_secret(secret("key")), chain }
            })
            .collect()
    }

    /// Somebody who is no member, and has credits from the beginning.
    pub fn sponsor() -> Keypair {
        Keypair::from_secret(Hash::derive("althing 1 simulated secret", &[b"sponsor"]).0)
    }

    fn membership(&self) -> Membership {
        let admission = if self.newcomers > 0 { Admission::Founders } else { Admission::Closed };
        let voters = self.powers.iter().filter(|power| **power > 0).count() as u32;
        // Who has no vote from the beginning is to get none.
        let max_voters = if self.powers.contains(&0) { voters } else { Membership::default().max_voters };
        Membership { admission, max_voters, suspend_after: self.suspend_after }
    }

    fn grants(&self) -> Vec<Grant> {
        let grant = Grant { account: Self::sponsor().id(), amount: GRANT };
        if self.instructs_every_ms > 0 { vec![grant] } else { Vec::new() }
    }

    /// What the data of the member in this place would have it learn in an epidemic federation.
    pub fn target(&self, place: usize) -> Vec<f32> {
        self.identities().get(place).map(|who| target(&who.keypair.id(), MODEL.len())).unwrap_or_default()
    }

    /// The bytes of the first model.
    pub fn first_model() -> Vec<u8> {
        aggregate::encode(&MODEL)
    }

    /// The federation. The seed is part of it, so that every run elects others.
    pub fn genesis(&self) -> Genesis {
        let identities = self.identities();
        let member = |(place, (identity, power)): (usize, (&Identity, &u64))| Member {
            name: format!("member {place}"),
            id: identity.keypair.id(),
            power: *power,
            anchor: identity.chain.anchor(),
        };
        Genesis {
            name: "simulated".into(),
            task: task(self.seed),
            market: Market {
                max_losses: self.max_losses,
                max_counter_offers: self.max_counter_offers,
                mechanism: self.mechanism,
                deposit_permille: self.deposit_permille,
                ..market()
            },
            phases: Phases {
                commit: Bounds { min_ms: 300, max_ms: 1_500 },
                reveal: Bounds { min_ms: 300, max_ms: 1_500 },
                counter: Bounds { min_ms: 200, max_ms: 500 },
                train: Bounds { min_ms: 1_000, max_ms: 4_000 },
                appraise: Bounds { min_ms: 300, max_ms: 1_500 },
                absence_grace_ms: 400,
                pause_ms: self.pause_ms,
            },
            agreement: Agreement { propose_ms: 1_000, vote_ms: 300, step_ms: 300, rebroadcast_ms: 600 },
            limits: Limits { max_update_bytes: 1_024, max_samples: 1_000, max_update_norm: 10 },
            aggregation: self.aggregation,
            exchange: Exchange { codec: self.codec, ..self.exchange },
            contracts: self.widths.iter().flat_map(|width| contracts(*width)).collect(),
            members: identities.iter().zip(&self.powers).enumerate().map(member).collect(),
            membership: self.membership(),
            grants: self.grants(),
        }
    }
}

fn draw_fault(rng: &mut Rng, members: usize) -> Fault {
    let member = rng.below(members as u64) as usize;
    let down_ms = rng.within(50, 3_000);
    match rng.below(10) {
        0 | 1 => Fault::Crash { member, down_ms: Some(down_ms) },
        2..6 => {
            let moment = if rng.chance(500) { Moment::BeforeWrite } else { Moment::AfterWrite };
            Fault::CrashAtWrite { member, writes: rng.below(30) as u32, moment, down_ms }
        }
        6 => Fault::Blackout { down_ms },
        7 | 8 => Fault::Partition { sides: (0..members).map(|_| rng.below(2) as u8).collect() },
        _ => Fault::Heal,
    }
}

fn task(seed: u64) -> Task {
    Task {
        model: "twelve numbers".into(),
        dataset: "none".into(),
        seed,
        initial_model: BlobRef::of(&Scenario::first_model()),
        batch: 1,
        learning_rate: 0.1,
        momentum: 0.0,
        tensors: Manifest {
            tensors: vec![
                TensorSpec { path: "square".into(), shapes: WIDTHS.map(|width| vec![width.of(3); 2]).to_vec() },
                TensorSpec { path: "line".into(), shapes: WIDTHS.map(|width| vec![width.of(3)]).to_vec() },
            ],
        },
    }
}

/// One pass over the data and two, worth the less the narrower the slice.
fn contracts(width: Width) -> [Contract; 2] {
    let contract = |passes: &str, epochs, value| Contract {
        name: format!("{passes} at {width}"),
        epochs,
        width,
        value: value / width.divisor(),
    };
    [contract("one pass", 1, 100), contract("two passes", 2, 150)]
}

fn market() -> Market {
    Market {
        mint_per_round: 1_000_000,
        mint_halves_every: 8,
        budget_per_round: 900_000,
        bonus_permille: 200,
        max_winners: WINNERS,
        min_winners: 1,
        reserve_price: RESERVE_PRICE,
        slash_permille: 250,
        max_losses: 0,
        max_counter_offers: 0,
        mechanism: Mechanism::Critical,
        min_bidders: 1,
        max_share_permille: 1_000,
        deposit_permille: 0,
        noise: Noise::Refused,
        contribution: Contribution::Shapley,
        usual_samples: 500,
    }
}
