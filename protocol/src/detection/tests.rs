use super::*;
use crate::{
    aggregate,
    model::{Manifest, TensorSpec, Width},
    sim::Rng,
};

const LENGTH: u32 = 2_048;
const SEED: Hash = Hash([5; 32]);

fn manifest() -> Manifest {
    let shapes = vec![vec![LENGTH], vec![LENGTH / 2]];
    Manifest { tensors: vec![TensorSpec { path: "w".into(), shapes }] }
}

fn id(number: u8) -> MemberId {
    MemberId([number; 32])
}

/// A number like those of a bell curve: the sum of twelve draws, less six.
fn bell(rng: &mut Rng) -> f32 {
    (0..12).map(|_| rng.below(1_000_001) as f32 / 1e6).sum::<f32>() - 6.0
}

/// A step as training makes it: most parameters by little, some by much. `common` is what all have learnt alike.
fn honest(rng: &mut Rng, common: &[f32]) -> Vec<f32> {
    common.iter().map(|common| 0.3 * common + 0.01 * bell(rng).powi(3)).collect()
}

/// Base, the step before it, and the honest steps of members 1 to 6.
struct Round {
    base: Vec<f32>,
    last: Vec<f32>,
    steps: Vec<(u8, Vec<f32>)>,
}

impl Round {
    fn new() -> Self {
        let mut rng = Rng::new(11);
        let base: Vec<f32> = (0..LENGTH).map(|_| bell(&mut rng)).collect();
        let common: Vec<f32> = (0..LENGTH).map(|_| 0.01 * bell(&mut rng).powi(3)).collect();
        let last = honest(&mut rng, &common);
        let steps = (1..=6).map(|number| (number, honest(&mut rng, &common))).collect();
        Self { base, last, steps }
    }

    fn step(&self, number: u8) -> Vec<f32> {
        self.steps.iter().find(|(of, _)| *of == number).unwrap().1.clone()
    }

    /// With `step` by member 9 too.
    fn with(mut self, step: Vec<f32>) -> Self {
        self.steps.push((9, step));
        self
    }

    fn inspect(&self, noise: Noise) -> Signs {
        let whole = manifest().slice(Width::Full).unwrap();
        let moved = |step: &[f32], sign: f32| {
            let moved = self.base.iter().zip(step).map(|(base, step)| base + sign * step);
            aggregate::encode(&moved.collect::<Vec<f32>>())
        };
        let updates: Vec<_> = self.steps.iter().map(|(number, step)| (id(*number), moved(step, 1.0))).collect();
        let handed = updates.iter().map(|(maker, bytes)| Handed { maker: *maker, slice: &whole, bytes });
        inspect(noise, &aggregate::encode(&self.base), &moved(&self.last, -1.0), &handed.collect::<Vec<_>>())
    }

    fn refused(&self) -> BTreeMap<MemberId, Pretence> {
        self.inspect(Noise::Refused).pretences(&BTreeMap::new(), &SEED)
    }
}

#[test]
fn honest_steps_are_not_refused() {
    assert_eq!(Round::new().refused(), BTreeMap::new());
}

#[test]
fn each_pretence_is_found_out_whole_and_dressed_up() {
    let mut rng = Rng::new(3);
    let mut dressed = |step: Vec<f32>, part: f32| -> Vec<f32> {
        let size = (step.iter().map(|value| value * value).sum::<f32>() / step.len() as f32).sqrt();
        step.iter().map(|value| value + part * size * bell(&mut rng)).collect()
    };
    let (last, second) = (Round::new().last, Round::new().step(2));
    let twice: Vec<f32> = last.iter().map(|value| 2.0 * value).collect();
    let table = [
        ("the model as it is", vec![0.0; LENGTH as usize], Pretence::Idle),
        ("the last step", last.clone(), Pretence::Repeated),
        ("twice the last step", twice, Pretence::Repeated),
        ("the last step and some noise", dressed(last, 0.2), Pretence::Repeated),
        ("a bell curve", dressed(vec![0.001; LENGTH as usize], 5.0), Pretence::Noise),
    ];
    for (what, step, pretence) in table {
        assert_eq!(Round::new().with(step).refused(), BTreeMap::from([(id(9), pretence)]), "{what}");
    }
    for (what, step) in [("a copy", second.clone()), ("a copy and some noise", dressed(second, 0.2))] {
        let signs = Round::new().with(step).inspect(Noise::Refused);
        assert_eq!((signs.alone.len(), &signs.twins), (0, &BTreeSet::from([(id(2), id(9))])), "{what}");
    }
}

#[test]
fn noise_may_be_allowed() {
    let mut rng = Rng::new(3);
    let noise = Round::new().with((0..LENGTH).map(|_| bell(&mut rng)).collect());
    assert_eq!(noise.inspect(Noise::Refused).alone, BTreeMap::from([(id(9), Pretence::Noise)]));
    assert_eq!(noise.inspect(Noise::Allowed), Signs::default());
}

#[test]
fn who_came_first_is_not_the_copy_whatever_its_twins_say() {
    let mut round = Round::new();
    let second = round.step(2);
    round = round.with(second.clone());
    round.steps.push((10, second));
    let signs = round.inspect(Noise::Refused);
    let order = |numbers: &[u8]| numbers.iter().map(|number| id(*number)).collect::<Vec<_>>();
    let mut arrivals = BTreeMap::from([
        (id(1), order(&[1, 2, 9, 10])),
        (id(3), order(&[2, 3, 10])),
        (id(4), order(&[9, 2, 10, 4])),
        // What a twin says of itself counts for nothing.
        (id(9), order(&[9, 10, 2])),
        (id(10), order(&[9, 10, 2])),
    ]);
    let copied = |from: u8, by: [u8; 2]| by.map(|number| (id(number), Pretence::Copied(id(from)))).into();
    assert_eq!(signs.pretences(&arrivals, &SEED), copied(2, [9, 10]));
    for witness in [1, 3] {
        arrivals.insert(id(witness), order(&[9, 10, 2]));
    }
    assert_eq!(signs.pretences(&arrivals, &SEED), copied(9, [2, 10]));
    assert_eq!(signs.pretences(&BTreeMap::new(), &SEED).len(), 2, "if nobody says, one of them is believed");
}

/// One less the cosine by another road: half the squared distance between the directions.
#[test]
fn gaps_are_those_of_what_both_hold() {
    let round = Round::new();
    let (whole, half) = (manifest().slice(Width::Full).unwrap(), manifest().slice(Width::Half).unwrap());
    let bytes = |number: u8, slice: &Slice| {
        let moved: Vec<f32> = round.base.iter().zip(round.step(number)).map(|(base, step)| base + step).collect();
        aggregate::encode(&slice.gather(&moved))
    };
    let (a, b) = (bytes(1, &whole), bytes(2, &half));
    let handed = [Handed { maker: id(1), slice: &whole, bytes: &a }, Handed { maker: id(2), slice: &half, bytes: &b }];
    let gaps = twins::gaps(&aggregate::encode(&round.base), &handed);
    let direction = |bytes: &[u8]| {
        let step = aggregate::parameters(bytes).zip(&round.base).map(|(new, base)| f64::from(new - base));
        let step: Vec<f64> = step.take(LENGTH as usize / 2).collect();
        let length = step.iter().map(|value| value * value).sum::<f64>().sqrt();
        step.into_iter().map(move |value| value / length).collect::<Vec<f64>>()
    };
    let apart: f64 = direction(&a).iter().zip(direction(&b)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / 2.0;
    assert!((gaps[0][1].unwrap() - apart).abs() < 1e-9, "{gaps:?} {apart}");
    assert_eq!(gaps[0][1], gaps[1][0]);
}

#[test]
fn too_small_a_model_says_nothing_of_directions() {
    let slice = Manifest { tensors: vec![TensorSpec { path: "w".into(), shapes: vec![vec![3]] }] };
    let slice = slice.slice(Width::Full).unwrap();
    let [base, update] = [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]].map(|values: [f32; 3]| aggregate::encode(&values));
    let handed = [1, 2].map(|number| Handed { maker: id(number), slice: &slice, bytes: &update });
    assert_eq!(inspect(Noise::Refused, &base, &base, &handed), Signs::default());
}
