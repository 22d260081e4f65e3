use althing_protocol::{ids::Hash, ledger::LedgerError};

use super::{
    config::Config,
    error::Error,
    options::MarketOptions,
    parquet,
    play::{self, Sources},
    record::Run,
    results,
    school::Library,
    summary::Summary,
    sweep::{self, Point},
    table::Table,
    world::World,
};

/// A small market in which every strategy has members, over which the words of a command line are laid.
const ALL: [&str; 6] = [
    "--members=90",
    "--set=rounds=12",
    "--seeds=3",
    "--set=market.max_winners=12",
    "--set=members.churn_permille=20",
    "--set=population=[{share=1,strategy='truthful'},{share=1,strategy={shading={}}},{share=1,strategy={inflating={}}},\
     {share=1,strategy={ring={}}},{share=1,strategy={sybil={}}},{share=1,strategy={free-rider={}}},\
     {share=1,strategy='flatterer'},{share=1,strategy='random'},{share=1,strategy={bandit={}}}]",
];

fn points(base: &[&str], more: &[&str]) -> Vec<Point> {
    sweep::points(&MarketOptions::of(&[base, more].concat())).unwrap()
}

fn config(base: &[&str], more: &[&str]) -> Config {
    points(base, more).remove(0).config
}

/// The bytes of everything that an experiment writes, pictures apart.
fn bytes(points: &[Point], runs: &[Run]) -> Vec<Vec<u8>> {
    let tables = [results::rounds(points, runs), results::strategies(points, runs), results::members(points, runs)];
    let both = tables.iter().flat_map(|table| [table.to_csv().into_bytes(), parquet::bytes(table)]);
    both.chain([Summary::of(points, runs, None).to_json().into_bytes()]).collect()
}

#[test]
fn equal_seeds_give_equal_bytes_on_any_number_of_threads_and_others_do_not() {
    let sweep = ["--sweep=market.mechanism=critical,vcg,first-price,posted:100,fixed", "--set=regret.every=5"];
    let wanted = points(&ALL, &sweep);
    let once = bytes(&wanted, &play::all(&wanted, Sources::default(), 1).unwrap());
    assert_eq!(once, bytes(&wanted, &play::all(&wanted, Sources::default(), 1).unwrap()));
    assert_eq!(once, bytes(&wanted, &play::all(&wanted, Sources::default(), 3).unwrap()));
    let other = points(&ALL, &[&sweep[..], &["--seed=9"]].concat());
    assert_ne!(once, bytes(&other, &play::all(&other, Sources::default(), 2).unwrap()));
}

#[test]
fn a_credit_from_nowhere_ends_the_experiment() {
    let config = config(&ALL, &[]);
    let mut world = World::new(&config, Sources::default(), 1).unwrap();
    for _ in 0..3 {
        world.step().unwrap();
    }
    world.ledger.pool += 1;
    let found = world.play(0, || ()).map(|run| run.rounds.len());
    assert!(matches!(found, Err(Error::Ledger { round: 4, source: LedgerError::Unbalanced { .. }, .. })), "{found:?}");
}

#[test]
fn budgets_are_kept_and_rows_add_up() {
    for point in points(&ALL, &["--sweep=market.mechanism=critical,vcg,first-price,posted:100,fixed"]) {
        let run = World::new(&point.config, Sources::default(), 4).unwrap().play(0, || ()).unwrap();
        let paid: u64 = run.rounds.iter().map(|row| row.paid + row.bonus).sum();
        assert!(run.rounds.iter().all(|row| row.paid + row.bonus <= row.budget && row.hired <= 12), "{}", point.name());
        assert_eq!(paid, run.parts.iter().map(|row| row.paid + row.bonus).sum::<u64>());
        assert_eq!(paid, run.members.iter().map(|row| row.tally.income()).sum::<u64>());
        assert!(paid > 0 && run.members.len() > 90, "somebody is paid, and somebody has left");
    }
}

/// What an experiment amounts to.
fn summary(base: &[&str], more: &[&str]) -> Summary {
    let points = points(base, more);
    Summary::of(&points, &play::all(&points, Sources::default(), 2).unwrap(), None)
}

#[test]
fn shading_pays_under_first_price_and_never_under_the_default() {
    let base = ["--members=200", "--rounds=20", "--seeds=2", "--set=market.bonus_permille=0", "--set=regret.every=5"];
    let parts = "--set=population=[{share=1,strategy='truthful'},{share=1,strategy={shading={}}}]";
    let found = summary(&base, &[parts, "--sweep=market.mechanism=critical,vcg,first-price"]);
    let figures: Vec<_> = found.points.iter().map(|point| point.parts.iter().collect::<Vec<_>>()).collect();
    for truthful in [&figures[0], &figures[1]] {
        assert_eq!(truthful[0].regret.unwrap().mean, 0.0, "{truthful:#?}");
        assert_eq!(truthful[0].liars_gain.unwrap().mean, 0.0);
        assert!(truthful[0].surplus.unwrap().mean > truthful[1].surplus.unwrap().mean, "{truthful:#?}");
    }
    let first = &figures[2];
    assert!(first[0].regret.unwrap().mean > 0.0 && first[0].liars_gain.unwrap().mean > 0.0, "{first:#?}");
    assert!(first[1].surplus.unwrap().mean > first[0].surplus.unwrap().mean, "{first:#?}");
}

#[test]
fn with_little_noise_a_flattering_minority_changes_no_appraisal() {
    // Without any, honest appraisals were equal to the last digit, and so copies of each other.
    let base = ["--members=60", "--rounds=6", "--seeds=2", "--set=learning.noise=0.02"];
    let honest = summary(&base, &["--set=population=[{share=7,strategy='truthful'},{share=3,strategy='truthful'}]"]);
    // The whole federation appraises, so that chance gives flatterers no majority.
    let all = "--set=learning.appraisers=60";
    let flattered =
        summary(&base, &[all, "--set=population=[{share=7,strategy='truthful'},{share=3,strategy='flatterer'}]"]);
    let income = |summary: &Summary| summary.points[0].parts[0].income.unwrap().mean;
    let (before, after) = (income(&honest), income(&flattered));
    assert!((after / before - 1.0).abs() < 0.05, "{before} before, {after} with flatterers");
}

#[test]
fn privacy_accounts_run_out_and_are_never_overdrawn() {
    let config =
        config(&ALL, &["--set=privacy.epsilon_per_round=3", "--set=rounds=40", "--set=members.churn_permille=0"]);
    let run = World::new(&config, Sources::default(), 2).unwrap().play(0, || ()).unwrap();
    let tells = |strategy: &str| strategy != "free-rider" && strategy != "sybil";
    let trained = run.members.iter().filter(|row| tells(config.population[row.part].strategy.name()));
    assert!(trained.clone().all(|row| row.tally.hired <= 2), "8 pay for two rounds of 3");
    assert!(trained.clone().any(|row| row.tally.hired == 2 && row.tally.bids < 40), "who has spent it bids no more");
}

#[test]
fn every_example_can_be_played() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/markets")).unwrap();
    let files: Vec<String> = folder.map(|entry| entry.unwrap().path().display().to_string()).collect();
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        assert!(!points(&["--config", &file], &[]).is_empty(), "{file}");
    }
}

#[test]
fn a_parquet_file_is_the_one_that_its_authors_library_has_read() {
    let table = Table::default()
        .whole("seed", [7, 8].into_iter())
        .signed("surplus", [-1, i64::MAX].into_iter())
        .real("accuracy", [0.5, f64::NAN].into_iter())
        .text("strategy", ["truthful", "ring"].into_iter());
    assert_eq!(table.to_csv(), "seed,surplus,accuracy,strategy\n7,-1,0.5,truthful\n8,9223372036854775807,,ring\n");
    let golden = "12004698529479dba73e728dfbdf84fd6bd495e6ce5f8c616324b812653fd84a";
    assert_eq!(Hash::of(&parquet::bytes(&table)).to_string(), golden);
}

/// Eight members who train.
const REAL: [&str; 8] = [
    "--learning=real",
    "--members=8",
    "--rounds=4",
    "--seeds=1",
    "--set=market.max_winners=8",
    "--set=market.min_winners=1",
    "--set=members.samples={constant=400}",
    "--set=training={model='lenet',partition='iid',batch=16,learning_rate=0.01,momentum=0.9,held_out=40,test=300}",
];

fn real(more: &[&str]) -> (Vec<Point>, Vec<Run>) {
    let library = Library::open(&MarketOptions::of(&[]).data).unwrap();
    let points = points(&REAL, more);
    let runs = play::all(&points, Sources { library: Some(&library), book: None }, 2).unwrap();
    (points, runs)
}

#[test]
fn members_who_really_train_learn_and_the_same_seed_gives_the_same_bytes() {
    let (points, runs) = real(&[]);
    let accuracy: Vec<f64> = runs[0].rounds.iter().map(|row| row.accuracy).collect();
    assert!(accuracy.last() > Some(&0.6) && accuracy.last() > accuracy.first(), "{accuracy:?}");
    let (again, others) = real(&[]);
    assert!(bytes(&points, &runs) == bytes(&again, &others), "the same seed gave other bytes");
}

#[test]
fn who_really_trains_earns_more_of_the_bonus_than_who_feigns_or_has_wrong_labels() {
    let parts = "--set=population=[{share=3,strategy='truthful'},{share=1,strategy={free-rider={}}}]";
    let (_, runs) = real(&[parts, "--set=market.contribution=alone"]);
    let bonus = |part: usize| runs[0].parts.iter().filter(|row| row.part == part).map(|row| row.bonus).sum::<u64>();
    assert!(bonus(0) > 0 && bonus(1) == 0, "{} and {}", bonus(0), bonus(1));

    let qualities = real(&["--set=members.quality={uniform={low=0.0,high=1.0}}"]).1;
    let mut members: Vec<_> = qualities[0].members.iter().map(|row| (row.quality, row.tally.bonus)).collect();
    members.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let sum = |members: &[(f64, u64)]| members.iter().map(|(_, bonus)| bonus).sum::<u64>();
    assert!(sum(&members[..4]) < sum(&members[4..]), "{members:?}");
}
