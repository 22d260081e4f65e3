//! `althing privacy`.

mod account;

use std::{collections::BTreeMap, path::Path};

use althing_agents::privacy::{Conversion, Curve, Guarantee, MAX_STEPS, Spend};
use serde_json::json;

use super::Answer;
use crate::{
    cli::{EpsilonArgs, PrivacyCommand},
    failure::Failure,
    files,
    learn::catalogue::Catalogue,
};

/// Longest schedule, in bytes.
const MAX_SCHEDULE_BYTES: u64 = 1024 * 1024;

/// Most different pairs of rate and noise in a schedule: each takes some milliseconds.
const MAX_KINDS: usize = 4_096;

/// The header that a schedule may begin with.
const HEADER: &str = "q,sigma,steps";

pub(super) fn execute(command: &PrivacyCommand, catalogue: &Catalogue) -> Result<Answer, Failure> {
    match command {
        PrivacyCommand::Epsilon(args) => epsilon(args),
        PrivacyCommand::Show(args) => account::show(args),
        PrivacyCommand::Raise(args) => account::raise(args),
        PrivacyCommand::Rebind(args) => account::rebind(args, catalogue),
        PrivacyCommand::Close(args) => account::close(args, catalogue),
    }
}

fn epsilon(args: &EpsilonArgs) -> Result<Answer, Failure> {
    if !(args.delta > 0.0 && args.delta < 1.0) {
        let delta = args.delta;
        return Err(Failure::user(format_args!("--delta is {delta}; give a number above 0 and below 1, as 1e-5")));
    }
    let spends = match (&args.schedule, args.q, args.sigma, args.steps) {
        (Some(path), ..) => schedule(path)?,
        (None, Some(q), Some(sigma), Some(steps)) => vec![Spend::new(q, sigma, steps).map_err(Failure::user)?],
        (None, ..) => return Err(Failure::user("give --q, --sigma and --steps, or --schedule with a file of them")),
    };
    let mut curve = Curve::zero();
    for spend in &spends {
        curve.add(&Curve::of(spend));
    }
    let steps = spends.iter().map(Spend::steps).sum();
    Ok(answer(&curve.guarantee(args.delta, args.conversion), steps, args))
}

fn answer(guarantee: &Guarantee, steps: u64, args: &EpsilonArgs) -> Answer {
    let EpsilonArgs { delta, conversion, .. } = args;
    // JSON has no infinity: null says that there is no guarantee.
    let finite = guarantee.epsilon.is_finite().then_some(guarantee.epsilon);
    let json = json!({
        "epsilon": finite, "order": guarantee.order, "delta": delta, "conversion": conversion, "steps": steps,
    });
    let name = match conversion {
        Conversion::Tight => "tight",
        Conversion::Classic => "classic",
    };
    let text = match (finite, guarantee.order) {
        (Some(epsilon), Some(order)) => format!(
            "epsilon     {epsilon:.6}\ndelta       {delta:e}\norder       {order}\nconversion  {name}\nsteps       {steps}\n"
        ),
        _ => format!("epsilon     infinite: with so little noise nothing is private\nsteps       {steps}\n"),
    };
    Answer { text, json }
}

/// The spends of a schedule, those of equal rate and noise in one.
fn schedule(path: &Path) -> Result<Vec<Spend>, Failure> {
    let text = files::read(path, MAX_SCHEDULE_BYTES)?;
    // Bits of numbers from zero up are in the order of the numbers.
    let mut kinds: BTreeMap<(u64, u64), Spend> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let fault = |reason: String| Failure::user(format_args!("{}:{}: {reason}", path.display(), index + 1));
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || (kinds.is_empty() && line.replace(' ', "") == HEADER) {
            continue;
        }
        let spend = spend(line).map_err(fault)?;
        let kind = kinds.entry((spend.q().to_bits(), spend.sigma().to_bits())).or_insert_with(|| spend.with_steps(0));
        let steps = kind.steps() + spend.steps();
        if steps > MAX_STEPS {
            return Err(fault(format!("together that is more than {MAX_STEPS} steps of one kind; check the numbers")));
        }
        *kind = kind.with_steps(steps);
        if kinds.len() > MAX_KINDS {
            return Err(fault(format!("more than {MAX_KINDS} pairs of q and sigma; ask for parts of the schedule")));
        }
    }
    if kinds.is_empty() {
        return Err(Failure::user(format_args!(
            "{} is empty; write lines of {HEADER}, as 0.01,1.1,1000",
            path.display()
        )));
    }
    Ok(kinds.into_values().collect())
}

fn spend(line: &str) -> Result<Spend, String> {
    let words: Vec<&str> = line.split(',').map(str::trim).collect();
    let [q, sigma, steps] = words[..] else {
        return Err(format!("{} fields where {HEADER} are wanted, as 0.01,1.1,1000", words.len()));
    };
    let number =
        |name: &str, word: &str| word.parse().map_err(|_| format!("{name} is {word:?}; write a number, as 0.01"));
    let steps = steps.parse().map_err(|_| format!("steps is {steps:?}; write a whole number, as 1000"))?;
    Spend::new(number("q", q)?, number("sigma", sigma)?, steps).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::{fs, process::ExitCode};

    use clap::Parser;
    use serde_json::Value;

    use super::*;
    use crate::{
        cli::Cli,
        commands::{self, Handlers},
        failure::Blame,
    };

    fn read(text: &str) -> Result<Vec<Spend>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.csv");
        fs::write(&path, text).unwrap();
        schedule(&path)
    }

    /// What the whole command prints.
    fn run(words: &str) -> Result<String, Failure> {
        let cli = Cli::try_parse_from(words.split(' ')).unwrap();
        let handlers = Handlers {
            catalogue: Catalogue::default(),
            run: |_, _, _| Err(Failure::machine("no node")),
            ledger: |_, _| Err(Failure::machine("no ledger")),
        };
        let mut out = Vec::new();
        commands::execute(&cli, &handlers, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_answer_is_for_people_and_for_programs() {
        let words = "althing privacy epsilon --q 0.01 --sigma 1.1 --steps 1000 --delta 1e-5";
        assert!(run(words).unwrap().contains("epsilon     1.711770\n"));
        let json: Value = serde_json::from_str(&run(&format!("{words} --json")).unwrap()).unwrap();
        assert!((json["epsilon"].as_f64().unwrap() - 1.711_770).abs() < 1e-6, "{json}");
        assert_eq!(json["order"], 9.6);
        assert_eq!(
            (&json["delta"], &json["conversion"], &json["steps"]),
            (&json!(1e-5), &json!("tight"), &json!(1000))
        );
        let classic: Value =
            serde_json::from_str(&run(&format!("{words} --conversion classic --json")).unwrap()).unwrap();
        assert!(classic["epsilon"].as_f64() > json["epsilon"].as_f64(), "{classic}");
        let bare = "althing privacy epsilon --q 0.01 --sigma 0 --steps 1 --delta 1e-5";
        assert!(run(bare).unwrap().contains("infinite"));
        let json: Value = serde_json::from_str(&run(&format!("{bare} --json")).unwrap()).unwrap();
        assert!(json["epsilon"].is_null() && json["order"].is_null(), "{json}");
    }

    #[test]
    fn a_schedule_of_one_line_is_that_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.csv");
        fs::write(&path, "q,sigma,steps\n0.01,1.1,250\n0.01,1.1,750\n").unwrap();
        let told = run(&format!("althing privacy epsilon --schedule {} --delta 1e-5", path.display())).unwrap();
        assert!(told.contains("epsilon     1.711770\n") && told.contains("steps       1000\n"), "{told}");
    }

    #[test]
    fn what_is_wrong_is_the_users_to_correct() {
        for (words, wanted) in [
            ("--q 1.5 --sigma 1 --steps 1 --delta 1e-5", "sampling rate q is 1.5"),
            ("--q 0.1 --sigma -1 --steps 1 --delta 1e-5", "multiplier sigma is -1"),
            ("--q 0.1 --sigma 1 --steps 1099511627777 --delta 1e-5", "split them"),
            ("--q 0.1 --sigma 1 --steps 1 --delta 0", "--delta is 0"),
            ("--q 0.1 --sigma 1 --steps 1 --delta nan", "--delta is NaN"),
            ("--schedule /nobody/plan.csv --delta 1e-5", "does not exist"),
        ] {
            let failure = run(&format!("althing privacy epsilon {words}")).unwrap_err();
            assert!(failure.to_string().contains(wanted), "{failure}");
            assert_eq!(failure.exit_code(), ExitCode::from(2));
        }
        for words in [
            "--q 0.1 --sigma 1 --delta 1e-5",
            "--q 0.1 --sigma 1 --steps 1",
            "--q 0.1 --sigma 1 --steps 1 --delta 1e-5 --schedule plan.csv",
            "--q 0.1 --sigma 1 --steps 1 --delta 1e-5 --conversion loose",
        ] {
            let words = format!("althing privacy epsilon {words}");
            assert_eq!(Cli::try_parse_from(words.split(' ')).unwrap_err().exit_code(), 2, "{words}");
        }
    }

    #[test]
    fn lines_of_one_kind_are_one_spend() {
        let text = "q, sigma, steps\n# first week\n0.01,1.1,400\n\n 0.1, 2 ,200 # much\n0.01,1.1,600\n";
        let spends = read(text).unwrap();
        assert_eq!(spends, [Spend::new(0.01, 1.1, 1_000).unwrap(), Spend::new(0.1, 2.0, 200).unwrap()]);
    }

    #[test]
    fn faults_name_their_line() {
        let many: String = (0..=MAX_KINDS).map(|kind| format!("0.01,{kind},1\n")).collect();
        for (text, wanted) in [
            ("0.01,1.1\n", "plan.csv:1: 2 fields where q,sigma,steps"),
            ("0.01,1.1,10\n\n0.01,x,10\n", "plan.csv:3: sigma is \"x\""),
            ("0.01,1.1,1.5\n", "plan.csv:1: steps is \"1.5\""),
            ("q,sigma,steps\n2,1.1,10\n", "plan.csv:2: the sampling rate q is 2"),
            ("0.01,nan,10\n", "plan.csv:1: the noise multiplier sigma is NaN"),
            ("0.01,1,1099511627776\n0.01,1,1\n", "plan.csv:2: together"),
            ("# nothing\n", "is empty; write lines"),
            ("0.01,1,1\nq,sigma,steps\n", "plan.csv:2: steps is"),
            (&many, "plan.csv:4097: more than 4096 pairs"),
        ] {
            let failure = read(text).unwrap_err();
            assert!(failure.to_string().contains(wanted), "{failure}");
            assert_eq!(failure.blame, Blame::User);
        }
    }
}
