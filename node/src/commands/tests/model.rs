use althing_protocol::{aggregate, ids::BlobRef};

use super::*;

/// The line at the end of a configuration that names MNIST.
fn mnist() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/data/mnist");
    format!("[data]\npath = {:?}\n", folder.display().to_string())
}

fn append(dir: &Path, text: &str) {
    let config = fs::read_to_string(dir.join("node.toml")).unwrap();
    fs::write(dir.join("node.toml"), config + text).unwrap();
}

#[test]
fn a_model_goes_out_and_comes_back_as_it_was() {
    let folder = node_folder();
    let dir = folder.path();
    let first = json(dir, "althing model show --config HERE/node.toml");
    assert_eq!((&first["parameters"], &first["tensors"][4]["torch"]), (&44_426.into(), &"fc1.weight".into()));
    let exported = json(dir, "althing model export --config HERE/node.toml --out HERE/model.safetensors");
    let back =
        json(dir, "althing model import HERE/model.safetensors --genesis HERE/genesis.toml --out HERE/model.bin");
    assert_eq!((&exported["model"], &back["model"]), (&first["model"], &first["model"]));
    let shown = run(dir, "althing model show --genesis HERE/genesis.toml --model-file HERE/model.bin").unwrap();
    assert!(shown.contains("lenet for mnist") && shown.contains("fc1.weight 256x120"), "{shown}");
    let error = run(dir, "althing model export --config HERE/node.toml --out HERE/model.safetensors").unwrap_err();
    assert!(error.to_string().contains("never overwritten"), "{error}");
}

#[test]
fn a_model_is_measured_on_the_test_set() {
    let folder = node_folder();
    let dir = folder.path();
    append(dir, &mnist());
    let measured = json(dir, "althing model evaluate --config HERE/node.toml");
    assert_eq!((&measured["samples"], &measured["dataset"]), (&10_000.into(), &"mnist".into()));
    let correct = measured["correct"].as_u64().unwrap();
    assert!(correct < 3_000 && measured["accuracy"].as_f64() == Some(correct as f64 / 1e4), "{measured}");
}

#[test]
fn a_federation_goes_on_from_a_model() {
    let folder = node_folder();
    let dir = folder.path();
    let genesis = genesis_file::load(&dir.join("genesis.toml")).unwrap();
    let weights: Vec<f32> = (0..44_426).map(|index| index as f32 / 1e6).collect();
    let bytes = aggregate::encode(&weights);
    fs::write(dir.join("model.bin"), &bytes).unwrap();
    run(
        dir,
        "althing genesis new --name on --initial-model HERE/model.bin --member-key HERE/key.toml --out HERE/on.toml",
    )
    .unwrap();
    let on = genesis_file::load(&dir.join("on.toml")).unwrap();
    assert_eq!((on.task.initial_model, &on.task.tensors), (BlobRef::of(&bytes), &genesis.task.tensors));
    let config = "genesis = \"on.toml\"\nkey = \"key.toml\"\ndata_dir = \"data\"\n";
    fs::write(dir.join("node.toml"), config).unwrap();
    let error = run(dir, "althing model show --config HERE/node.toml").unwrap_err().to_string();
    assert!(error.contains("another first model") && error.contains("say its file as first_model"), "{error}");
    fs::write(dir.join("node.toml"), format!("{config}first_model = \"model.bin\"\n")).unwrap();
    let shown = json(dir, "althing model show --config HERE/node.toml");
    assert_eq!(shown["model"]["hash"], on.task.initial_model.hash.to_string());
    fs::write(dir.join("model.bin"), aggregate::encode(&vec![0.0; 44_426])).unwrap();
    let error = run(dir, "althing model show --config HERE/node.toml").unwrap_err().to_string();
    assert!(error.contains("get the file from the founder"), "{error}");
}

#[test]
fn files_that_are_no_models_are_refused() {
    let folder = node_folder();
    let dir = folder.path();
    fs::write(dir.join("short.bin"), [0; 8]).unwrap();
    fs::write(dir.join("nan.bin"), aggregate::encode(&vec![f32::NAN; 44_426])).unwrap();
    let found = "althing genesis new --name on --member-key HERE/key.toml --out HERE/on.toml --initial-model";
    for (words, wanted) in [
        ("althing model show --config HERE/node.toml --model-file HERE/short.bin", "has 8 bytes, and a lenet"),
        ("althing model show --config HERE/node.toml --model-file HERE/nan.bin", "parameter 0 is not a finite number"),
        ("althing model import HERE/short.bin --genesis HERE/genesis.toml", "short.bin: its header cannot be read"),
        ("althing model import HERE/none.bin --genesis HERE/genesis.toml", "none.bin does not exist"),
        (&format!("{found} HERE/short.bin"), "has 8 bytes, and a first model 177704"),
        (&format!("{found} HERE/nan.bin"), "parameter 0 is not a finite number"),
    ] {
        let failure = run(dir, words).unwrap_err();
        assert!(failure.blame == Blame::User && failure.to_string().contains(wanted), "{words}: {failure}");
    }
}
