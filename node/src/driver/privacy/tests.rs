//! A member that crashes anywhere between debit and offer, over the real store, with every draw of noise counted where
//! it is drawn.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use althing_agents::privacy::{Conversion, Curve, Spend};
use althing_protocol::{
    aggregate,
    genesis::{Contract, Genesis, Member},
    ids::BlobRef,
    model::{Manifest, TensorSpec, Width},
};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::{
    blobs::{self, Durability},
    driver::{
        Outlet, Unchanged,
        jobs::{Brought, Jobs, Memory},
        measured::{Kind, Measured},
        writer::Residual,
    },
    genesis_file::{Draft, draft},
    keyfile::KeyFile,
    learn::{
        catalogue::Catalogue,
        job::{EvaluateJob, Method, Pause, TrainJob},
        train::{Evaluation, LearnError, Trained},
        worker::WorkerHandle,
    },
};

const EPSILON: f64 = 3.0;
const DELTA: f64 = 1e-5;
const SAMPLES: u64 = 200;

/// What was drawn: where the noise is drawn, not where somebody says so.
type Draws = Arc<Mutex<Vec<(Ticket, Spend)>>>;

/// A learner that draws no noise and counts what it would draw.
struct Counting {
    draws: Draws,
    store: Arc<Store>,
    /// Whether trainings are broken off, with their noise drawn.
    breaks: bool,
}

impl Learn for Counting {
    fn samples(&self) -> u64 {
        SAMPLES
    }

    fn fingerprint(&self) -> Option<Hash> {
        Some(Hash([7; 32]))
    }

    fn train(&self, job: TrainJob, _: &mut Pause<'_>) -> Result<Trained, LearnError> {
        let Method::Private(hyper, licence) = job.method else { panic!("all training is private here") };
        let (ticket, spend) = (licence.debited().ticket(), *licence.debited().spend());
        assert_eq!(hyper.spend(SAMPLES as usize).unwrap(), spend, "it draws what it paid for");
        let durable = Account::stored(Arc::clone(&self.store)).unwrap().expect("there is an account");
        assert!(durable.filter().has(&ticket), "{ticket:?} is drawn before it is durable");
        let mut draws = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
        draws.push((ticket, spend));
        if self.breaks {
            return Err(LearnError::Cancelled);
        }
        // Each draw makes another update, so that two for one ticket would show.
        Ok(Trained { weights: vec![draws.len() as f32; 4], samples: SAMPLES, loss: 0.0, training_ms: 1 })
    }

    fn evaluate(&self, _: &EvaluateJob, _: &mut Pause<'_>) -> Result<Evaluation, LearnError> {
        Err(LearnError::NoSample)
    }
}

/// What becomes of an order to train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The process dies with the debit durable and nothing drawn.
    PaidOnly,
    /// Noise is drawn, and the training is lost.
    BrokenOff,
    /// The process dies with the blob stored and not remembered.
    Unremembered,
    /// The process dies with all remembered and nothing offered.
    Unoffered,
    /// The update is offered.
    Offered,
    /// The update is offered, and the order comes again in the same life.
    Repeated,
    /// The order comes twice before the training begins.
    Doubled,
}

const FATES: [Fate; 7] = [
    Fate::PaidOnly,
    Fate::BrokenOff,
    Fate::Unremembered,
    Fate::Unoffered,
    Fate::Offered,
    Fate::Repeated,
    Fate::Doubled,
];

/// A member's disk, and what has happened to it over all its lives.
struct World {
    folder: TempDir,
    genesis: Arc<Genesis>,
    draws: Draws,
    offered: BTreeMap<Ticket, Vec<BlobRef>>,
}

/// One life of its process.
struct Life {
    purse: Purse,
    jobs: Jobs,
    brought: mpsc::Receiver<Brought>,
    council: Council,
    blobs: blobs::Store,
}

fn genesis() -> Genesis {
    let key = KeyFile::generate("anna").unwrap();
    let member = Member { name: "anna".into(), id: key.id(), power: 1, anchor: key.anchor() };
    let founder =
        Draft { name: "g".into(), model: "2nn".into(), dataset: "mnist".into(), seed: 1, members: vec![member] };
    let mut genesis = draft(founder, Catalogue::built_in().facts("2nn", "mnist", 1).unwrap());
    // A model of four parameters, so that a case takes milliseconds.
    genesis.task.tensors = Manifest { tensors: vec![TensorSpec { path: "w".into(), shapes: vec![vec![4]] }] };
    genesis
}

impl World {
    fn new(genesis: &Arc<Genesis>) -> Self {
        let folder = TempDir::new().unwrap();
        Self { folder, genesis: Arc::clone(genesis), draws: Draws::default(), offered: BTreeMap::new() }
    }

    fn live(&self, fate: Fate) -> Life {
        let network = NetworkId([1; 32]);
        let store = Arc::new(Store::open(&self.folder.path().join("data"), &network).unwrap());
        let text = format!(
            "genesis = \"g\"\nkey = \"key.toml\"\ndata_dir = \"data\"\n\
             [privacy]\nepsilon = {EPSILON}\ndelta = {DELTA}\nrounds = 4\nlot = 20\n"
        );
        let config = Config::parse(&text, &self.folder.path().join("node.toml")).unwrap();
        let counting =
            || Counting { draws: Arc::clone(&self.draws), store: Arc::clone(&store), breaks: fate == Fate::BrokenOff };
        let purse = Purse::open(&config, &store, network, &self.genesis.task, &counting()).unwrap().unwrap();
        let blobs = blobs::Store::open(&self.folder.path().join("blobs")).unwrap();
        blobs.put(&base(), Durability::Refetchable).unwrap();
        let measured = Measured::recall(Arc::clone(&store), &self.genesis.task, &counting(), (Kind::Private, 100));
        let residual = Residual::open(self.folder.path(), base().len() / 4);
        let (bring, brought) = mpsc::channel(8);
        let worker = WorkerHandle::spawn(Box::new(counting())).unwrap();
        let (ends, memory) = ((bring, Arc::new(Unchanged) as Arc<dyn Outlet>), Memory { residual, measured });
        let jobs = Jobs::new(worker, blobs.clone(), ends, Arc::clone(&self.genesis), memory);
        Life { purse, jobs, brought, council: Council::by_rules(1), blobs }
    }

    /// One order, in a life of its own, up to where it dies.
    fn order(&mut self, order: &TrainOrder, fate: Fate) {
        let mut life = self.live(fate);
        let orders = if fate == Fate::Repeated { 2 } else { 1 };
        for _ in 0..orders {
            let step = life.take(order);
            let step = if fate == Fate::Doubled && matches!(step, Step::Draw(..)) {
                assert!(matches!(life.take(order), Step::Wait), "it is being made");
                step
            } else {
                step
            };
            if let Some(update) = self.carry_out(&mut life, order, step, fate) {
                self.offered.entry(ticket(order)).or_default().push(update);
            }
        }
    }

    /// What is offered in the end.
    fn carry_out(&self, life: &mut Life, order: &TrainOrder, step: Step, fate: Fate) -> Option<BlobRef> {
        match step {
            Step::Draw(..) if fate == Fate::PaidOnly => None,
            Step::Draw(paid, _) if fate == Fate::Unremembered => {
                let store = Arc::clone(&paid.store);
                let learner = Counting { draws: Arc::clone(&self.draws), store, breaks: false };
                let method = Method::Private(paid.hyper, paid.licence);
                let job = TrainJob { weights: Arc::default(), width: Width::Full, method, seed: [0; 32] };
                let trained = learner.train(job, &mut || std::ops::ControlFlow::Continue(())).unwrap();
                life.blobs.put(&aggregate::encode(&trained.weights), Durability::Durable).unwrap();
                None
            }
            Step::Draw(paid, _) => {
                let prepared = life.jobs.prepare(order.clone()).unwrap();
                life.jobs.train(prepared, Work::Paid(paid)).unwrap();
                if fate == Fate::BrokenOff {
                    // Nothing is brought; the life ends once the learner has.
                    return None;
                }
                let brought = life.brought.blocking_recv().unwrap().unwrap();
                let Input::Trained { made, .. } = brought else { panic!("{brought:?}") };
                assert!(made.epsilon_micro > 0);
                (fate != Fate::Unoffered).then_some(made.update)
            }
            Step::Offer(made) => {
                assert!(life.jobs.holds(&made.update), "what is remembered is there");
                Some(made.update)
            }
            Step::Wait => panic!("nothing runs"),
            Step::Forfeit(_) => None,
        }
    }

    /// The epsilon of all that was drawn, added up here and not by the filter.
    fn drawn_epsilon(&self) -> f64 {
        let mut curve = Curve::zero();
        for (_, spend) in self.draws.lock().unwrap().iter() {
            curve.add(&Curve::of(spend));
        }
        curve.guarantee(DELTA, Conversion::Tight).epsilon
    }

    fn check(&self) {
        let draws = self.draws.lock().unwrap().clone();
        let tickets: BTreeMap<Ticket, Spend> = draws.iter().copied().collect();
        assert_eq!(tickets.len(), draws.len(), "noise was drawn twice for one ticket: {draws:?}");
        let store = Arc::new(Store::open(&self.folder.path().join("data"), &NetworkId([1; 32])).unwrap());
        let account = Account::stored(store).unwrap().unwrap();
        assert!(tickets.keys().all(|ticket| account.filter().has(ticket)), "drawn and not debited");
        assert!(self.drawn_epsilon() <= account.filter().epsilon_spent() + 1e-9, "more was drawn than debited");
        assert!(account.filter().epsilon_spent() <= EPSILON, "the budget is exceeded");
        for (ticket, offered) in &self.offered {
            assert!(offered.iter().all(|update| *update == offered[0]), "{ticket:?}: two updates for one ticket");
        }
    }
}

impl Life {
    fn take(&mut self, order: &TrainOrder) -> Step {
        self.purse.take(wanted(order), &mut self.council).unwrap().0
    }
}

fn base() -> Vec<u8> {
    aggregate::encode(&[0.0; 4])
}

fn wanted(order: &TrainOrder) -> Wanted {
    Wanted { ticket: ticket(order), epochs: order.contract.epochs, least_micro: 0 }
}

fn order(round: u64, epochs: u32) -> TrainOrder {
    let contract = Contract { name: "c".into(), epochs, width: Width::Full, value: 100 };
    TrainOrder {
        round: Round(round),
        base: BlobRef::of(&base()),
        progress: None,
        contract,
        samples: 1,
        seed: Hash::ZERO,
    }
}

#[test]
fn after_a_crash_an_update_is_offered_only_if_it_was_remembered() {
    let genesis = Arc::new(genesis());
    for (fate, offers) in [
        (Fate::PaidOnly, 0),
        (Fate::BrokenOff, 0),
        (Fate::Unremembered, 0),
        (Fate::Unoffered, 1),
        (Fate::Offered, 2),
        (Fate::Repeated, 3),
        (Fate::Doubled, 2),
    ] {
        let mut world = World::new(&genesis);
        world.order(&order(1, 1), fate);
        world.order(&order(1, 1), Fate::Offered);
        world.check();
        let offered = world.offered.get(&ticket(&order(1, 1))).map_or(0, Vec::len);
        assert_eq!(offered, offers, "{fate:?}");
        let drawn = world.draws.lock().unwrap().len();
        assert_eq!(drawn, usize::from(fate != Fate::PaidOnly), "{fate:?}");
    }
}

#[test]
fn a_spent_budget_forfeits_and_draws_nothing() {
    let mut world = World::new(&Arc::new(genesis()));
    (1..=8).for_each(|round| world.order(&order(round, 1), Fate::Offered));
    world.check();
    assert_eq!(world.draws.lock().unwrap().len(), 4, "the plan was for four rounds");
    let Step::Forfeit(words) = world.live(Fate::Offered).take(&order(9, 1)) else { panic!("nothing is left") };
    assert!(words.contains("privacy budget does not pay"), "{words}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_crash_and_no_repetition_draws_what_is_not_paid(
        orders in prop::collection::vec((1_u64..6, 1_u32..3, 0..FATES.len()), 1..10),
    ) {
        let mut world = World::new(&Arc::new(genesis()));
        for (round, epochs, fate) in orders {
            world.order(&order(round, epochs), FATES[fate]);
            world.check();
        }
        prop_assert!(world.drawn_epsilon() <= EPSILON);
    }
}
