//! `althing model`.

use std::{fmt::Write as _, ops::ControlFlow, path::Path, sync::Arc};

use althing_protocol::{
    aggregate,
    epidemic::{self, Topology},
    genesis::Genesis,
    ids::BlobRef,
    limits::MAX_BLOB_BYTES,
    model::{TensorSpec, Width},
    state::State,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::Answer;
use crate::{
    blobs,
    cli::{ExportArgs, ExportFormat, ImportArgs, ModelArgs, ModelCommand},
    config::Config,
    driver::{BLOBS_DIR, first_model},
    failure::Failure,
    files::{self, Readers},
    genesis_file,
    learn::{
        catalogue::{Catalogue, Task},
        job::EvaluateJob,
        params,
        safetensors::{self, HEADER_BYTES_MAX},
        train::EvaluateOn,
    },
    store::{EXCHANGE, Store},
};

pub(super) fn execute(command: &ModelCommand, catalogue: &Catalogue) -> Result<Answer, Failure> {
    match command {
        ModelCommand::Show(args) => Ok(show(&Model::find(args, catalogue)?)),
        ModelCommand::Evaluate(args) => evaluate(args, catalogue),
        ModelCommand::Export(args) => export(args, catalogue),
        ModelCommand::Import(args) => import(args, catalogue),
    }
}

/// A model with what this program knows of it.
struct Model {
    genesis: Genesis,
    task: Arc<dyn Task>,
    /// Finite, and as many as the genesis says.
    weights: Arc<[f32]>,
    blob: BlobRef,
}

impl Model {
    fn find(args: &ModelArgs, catalogue: &Catalogue) -> Result<Self, Failure> {
        let genesis = match &args.genesis {
            Some(file) => genesis_file::load(file)?,
            None => genesis_file::load(&Config::load(&args.config)?.genesis)?,
        };
        let task = catalogue.check(&genesis.task)?;
        let bytes = match &args.model_file {
            Some(file) => files::read_bytes(file, MAX_BLOB_BYTES)?,
            None => settled(&Config::load(&args.config)?, &genesis, catalogue)?,
        };
        let wanted = genesis.task.initial_model.size;
        if bytes.len() as u64 != wanted {
            return Err(Failure::user(format_args!(
                "the model file has {} bytes, and a {} of this genesis {wanted}: name a file of its parameters",
                bytes.len(),
                genesis.task.model
            )));
        }
        let weights: Arc<[f32]> = aggregate::parameters(&bytes).collect();
        params::check_finite(&weights).map_err(Failure::user)?;
        Ok(Self { genesis, task, weights, blob: BlobRef::of(&bytes) })
    }

    fn name(&self) -> String {
        format!("{} for {}", self.genesis.task.model, self.genesis.task.dataset)
    }
}

/// The name of the model that a node holds: the one that was settled last, or its own where there are only steps.
fn held(store: &Store, genesis: &Genesis) -> Result<Option<BlobRef>, Failure> {
    let damaged = |why: &dyn std::fmt::Display| {
        Failure::machine(format_args!("the store is damaged ({why}); move it away and sync anew"))
    };
    if matches!(genesis.exchange.topology, Topology::Epidemic { .. }) {
        let saved = store.recall(EXCHANGE)?;
        return saved.map(|bytes| epidemic::saved_model(&bytes).map_err(|why| damaged(&why))).transpose();
    }
    let state = store.state()?.map(|(_, bytes)| State::decode(&bytes).map_err(|why| damaged(&why))).transpose()?;
    Ok(state.map(|state| state.model))
}

/// The bytes of the model that a node has settled last, or of its own where there are only steps.
fn settled(config: &Config, genesis: &Genesis, catalogue: &Catalogue) -> Result<Vec<u8>, Failure> {
    let first = || first_model(config, genesis, catalogue);
    if !Store::exists(&config.data_dir) {
        return first();
    }
    let store = Store::open(&config.data_dir, &genesis.network())?;
    let Some(model) = held(&store, genesis)?.filter(|model| *model != genesis.task.initial_model) else {
        return first();
    };
    let found = blobs::Store::open(&config.data_dir.join(BLOBS_DIR))?.get(&model)?;
    found.ok_or_else(|| {
        Failure::user(format_args!(
            "the model that this node held last ({}) is not in {}; run the node until it has it",
            model.hash.short(),
            config.data_dir.display()
        ))
    })
}

fn show(model: &Model) -> Answer {
    let tensors = &model.genesis.task.tensors;
    let widths: Vec<String> = tensors.widths().iter().map(ToString::to_string).collect();
    let mut text = format!(
        "model       {}\nhash        {}\nbytes       {}\nparameters  {}\nwidths      {}\n",
        model.name(),
        model.blob.hash,
        model.blob.size,
        tensors.parameters(),
        widths.join(", ")
    );
    let mut listed = Vec::new();
    for ((tensor, places), entry) in tensors.places().zip(model.task.state_dict()) {
        let norm = model.weights.get(places).map_or(0.0, norm);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "tensor      {} {} (norm {norm:.4})", tensor.path, extents(tensor));
        listed.push(json!({ "path": tensor.path, "shapes": tensor.shapes, "torch": entry.name, "norm": norm }));
    }
    let json = json!({
        "model": model.blob,
        "task": model.genesis.task.model,
        "dataset": model.genesis.task.dataset,
        "parameters": tensors.parameters(),
        "widths": widths,
        "tensors": listed,
    });
    Answer { text, json }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

fn extents(tensor: &TensorSpec) -> String {
    let extents: Vec<String> = tensor.shapes.iter().flat_map(|shape| shape.iter().map(ToString::to_string)).collect();
    extents.chunks(tensor.shapes.first().map_or(1, Vec::len)).map(|shape| shape.join("x")).collect::<Vec<_>>().join(" ")
}

fn evaluate(args: &ModelArgs, catalogue: &Catalogue) -> Result<Answer, Failure> {
    let model = Model::find(args, catalogue)?;
    let examiner = model.task.examiner(&Config::load(&args.config)?.data)?;
    let job = EvaluateJob { weights: Arc::clone(&model.weights), width: Width::Full, on: EvaluateOn::Test };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is a constant, so it can be parsed.
    if let Ok(style) = ProgressStyle::with_template("{spinner} judged {pos} batches, {elapsed}") {
        bar.set_style(style);
    }
    let evaluation = examiner.evaluate(&job, &mut || {
        bar.inc(1);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let evaluation = evaluation.map_err(Failure::user)?;
    let text = format!(
        "model     {} ({})\naccuracy  {:.4} ({} of {} test examples)\nloss      {:.4}\n",
        model.name(),
        model.blob.hash.short(),
        evaluation.accuracy(),
        evaluation.correct,
        evaluation.samples,
        evaluation.loss
    );
    let json = json!({
        "model": model.blob,
        "task": model.genesis.task.model,
        "dataset": model.genesis.task.dataset,
        "accuracy": evaluation.accuracy(),
        "correct": evaluation.correct,
        "samples": evaluation.samples,
        "loss": evaluation.loss,
    });
    Ok(Answer { text, json })
}

fn export(args: &ExportArgs, catalogue: &Catalogue) -> Result<Answer, Failure> {
    let model = Model::find(&args.model, catalogue)?;
    let bytes = match args.format {
        ExportFormat::Safetensors => {
            safetensors::export(&model.genesis.task.tensors, &model.task.state_dict(), &model.weights)
        }
    };
    files::create(&args.out, &bytes, Readers::Everybody)?;
    Ok(written(&model.name(), &model.blob, &args.out))
}

fn import(args: &ImportArgs, catalogue: &Catalogue) -> Result<Answer, Failure> {
    let genesis = genesis_file::load(&args.genesis)?;
    let task = catalogue.check(&genesis.task)?;
    let most = genesis.task.initial_model.size + HEADER_BYTES_MAX as u64 + 8;
    let file = files::read_bytes(&args.file, most)?;
    let weights = safetensors::import(&genesis.task.tensors, &task.state_dict(), &file)
        .map_err(|fault| Failure::user(format_args!("{}: {fault}", args.file.display())))?;
    let bytes = aggregate::encode(&weights);
    files::create(&args.out, &bytes, Readers::Everybody)?;
    let name = format!("{} for {}", genesis.task.model, genesis.task.dataset);
    Ok(written(&name, &BlobRef::of(&bytes), &args.out))
}

fn written(name: &str, blob: &BlobRef, out: &Path) -> Answer {
    let text = format!("model  {name}\nhash   {}\nfile   {}\n", blob.hash, out.display());
    Answer { text, json: json!({ "model": blob, "file": out }) }
}
