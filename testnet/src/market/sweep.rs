//! From files and options to the points of an experiment: every combination of what its sweeps name.

use std::{fs, path::Path};

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    config::{Config, DEFAULTS},
    error::Error,
    options::MarketOptions,
};

/// Points of an experiment at the most.
const POINTS_MOST: usize = 10_000;

/// A field, and the values that it takes in turn.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sweep {
    /// Names with dots between, as `market.mechanism` or `population.0.share`.
    field: String,
    values: Vec<Value>,
}

/// One combination.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// The fields that are swept, each with its value here.
    pub(super) labels: Vec<(String, String)>,
    pub(super) config: Config,
}

impl Point {
    /// What tells this point from the others, in a line.
    pub(super) fn name(&self) -> String {
        let short = |field: &str| field.rsplit('.').next().unwrap_or(field).to_owned();
        let words = self.labels.iter().map(|(field, value)| format!("{} {value}", short(field)));
        let words = words.collect::<Vec<_>>().join(", ");
        if words.is_empty() { "as configured".to_owned() } else { words }
    }
}

/// The points that options ask for.
///
/// # Errors
/// [`Error::Unreadable`] or [`Error::Config`] if there is nothing to be made of them.
pub(super) fn points(options: &MarketOptions) -> Result<Vec<Point>, Error> {
    let mut table: Table = DEFAULTS.parse().map_err(|error| Error::Config(format!("defaults: {error}")))?;
    let mut sweeps = Vec::new();
    if let Some(path) = &options.config {
        let mut file = read(path)?;
        if let Some(value) = file.remove("sweep") {
            let wrong = |error| Error::Config(format!("{}: sweep: {error}", path.display()));
            sweeps = Vec::<Sweep>::deserialize(value).map_err(wrong)?;
        }
        lay_over(&mut table, file);
    }
    for (field, value) in options.overrides() {
        set(&mut table, &field, value)?;
    }
    for sweep in options.sweeps() {
        sweeps.retain(|other: &Sweep| other.field != sweep.0);
        sweeps.push(Sweep { field: sweep.0, values: sweep.1 });
    }
    let mut made = vec![(Vec::new(), table)];
    for sweep in &sweeps {
        made = widen(made, sweep)?;
    }
    made.into_iter().map(|(labels, table)| finish(labels, table)).collect()
}

fn read(path: &Path) -> Result<Table, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    text.parse().map_err(|error| Error::Config(format!("{}: {error}", path.display())))
}

/// Lays a file over the defaults, section by section. What is no section is replaced as a whole.
fn lay_over(table: &mut Table, file: Table) {
    for (key, value) in file {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(section)), Value::Table(fields)) => section.extend(fields),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

type Made = Vec<(Vec<(String, String)>, Table)>;

/// Every point so far with every value of another field.
fn widen(made: Made, sweep: &Sweep) -> Result<Made, Error> {
    if sweep.values.is_empty() || made.len() * sweep.values.len() > POINTS_MOST {
        let field = &sweep.field;
        return Err(Error::Config(format!(
            "sweep of {field}: name at least one value, and at most {POINTS_MOST} points"
        )));
    }
    let mut wider = Vec::with_capacity(made.len() * sweep.values.len());
    for (labels, table) in &made {
        for value in &sweep.values {
            let (mut labels, mut table) = (labels.clone(), table.clone());
            set(&mut table, &sweep.field, value.clone())?;
            labels.push((sweep.field.clone(), words(value)));
            wider.push((labels, table));
        }
    }
    Ok(wider)
}

/// Sets a field by its path. Fields may be new, so that those left away by default can be swept too; if nothing reads
/// them, that is found when the point is made.
fn set(table: &mut Table, path: &str, value: Value) -> Result<(), Error> {
    let absent = || Error::Config(format!("there is no field `{path}` to set"));
    let (parents, last) = path.rsplit_once('.').map_or((None, path), |(parents, last)| (Some(parents), last));
    let mut section = table;
    let mut keys = parents.into_iter().flat_map(|parents| parents.split('.')).peekable();
    while let Some(key) = keys.next() {
        let next = section.get_mut(key).ok_or_else(absent)?;
        let next = match next {
            Value::Array(entries) => {
                let place: usize = keys.next().and_then(|place| place.parse().ok()).ok_or_else(absent)?;
                entries.get_mut(place).ok_or_else(absent)?
            }
            other => other,
        };
        section = next.as_table_mut().ok_or_else(absent)?;
    }
    section.insert(last.to_owned(), value);
    Ok(())
}

/// A value as it stands in tables and beside curves: without commas, which part fields there.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
    .replace([',', '"', '\n'], " ")
}

fn finish(labels: Vec<(String, String)>, table: Table) -> Result<Point, Error> {
    let config = Config::deserialize(table).map_err(|error| Error::Config(error.to_string().replace('\n', " ")))?;
    config.validate()?;
    Ok(Point { labels, config })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(arguments: &[&str]) -> Result<Vec<Point>, String> {
        points(&MarketOptions::of(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn without_anything_the_defaults_are_one_point() {
        let points = made(&[]).unwrap();
        assert_eq!((points.len(), points[0].name().as_str()), (1, "as configured"));
        assert_eq!((points[0].config.members.count, points[0].config.rounds), (1_000, 100));
    }

    #[test]
    fn sweeps_are_multiplied_and_any_field_can_be_one() {
        let sweeps =
            ["--sweep", "market.mechanism=critical,vcg,posted:120", "--sweep", "members.samples.gamma.shape=1,2.5"];
        let points = made(&[&sweeps[..], &["--set", "population.0.strategy={sybil={identities=3}}"]].concat()).unwrap();
        let names: Vec<String> = points.iter().map(Point::name).collect();
        assert_eq!(names.len(), 6);
        assert_eq!(
            (names[0].as_str(), names[5].as_str()),
            ("mechanism critical, shape 1", "mechanism posted:120, shape 2.5")
        );
        assert_eq!(points[5].config.market.mechanism.to_string(), "posted:120");
        assert_eq!(points[0].config.population[0].strategy.identities(), 3);
    }

    #[test]
    fn what_nothing_reads_or_nobody_could_play_is_refused() {
        for (wrong, wanted) in [
            (["--set", "market.mechanisms=vcg"], "unknown field `mechanisms`"),
            (["--set", "nothing.here=1"], "there is no field `nothing.here`"),
            (["--set", "population.1.share=1"], "there is no field `population.1.share`"),
            (["--set", "members.count=0"], "members.count is 0, but must be from 1"),
            (["--set", "market.mechanism=auction"], "`auction` is no market mechanism"),
            (["--set", "members.samples={gamma={mean=-1,shape=1}}"], "members.samples: the numbers must be"),
            (["--set", "selector.focus=me"], "`me` is no focus; say one of even"),
            (["--set", "population.0.strategy={sybil={identities=0}}"], "sybil.identities must be from 1"),
        ] {
            let error = made(&wrong).unwrap_err();
            assert!(error.contains(wanted), "{wrong:?}: {error}");
        }
    }
}
