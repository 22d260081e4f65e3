mod cifar;
mod csv;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

use super::*;
use crate::learn::portion::Portion;

/// MNIST as it comes with the sources.
fn mnist() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/data/mnist")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The bytes of an image file whose image `i` is all `i`.
fn image_bytes(count: u8) -> Vec<u8> {
    let header = [0x0803, u32::from(count), 28, 28].map(u32::to_be_bytes).concat();
    header.into_iter().chain((0..count).flat_map(|value| [value; PIXELS])).collect()
}

/// The bytes of a label file whose label `i` is `i mod 10`.
fn label_bytes(count: u8) -> Vec<u8> {
    let header = [0x0801, u32::from(count)].map(u32::to_be_bytes).concat();
    header.into_iter().chain((0..count).map(|value| value % 10)).collect()
}

/// A folder with a training set of the given files, as they are on disk.
fn folder(images: (&str, &[u8]), labels: (&str, &[u8])) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format!("train-images-idx3-ubyte{}", images.0)), images.1).unwrap();
    fs::write(folder.path().join(format!("train-labels-idx1-ubyte{}", labels.0)), labels.1).unwrap();
    folder
}

/// What loading all 20 samples of such a folder says.
fn failure(images: &[u8], labels: &[u8]) -> String {
    let folder = folder(("", images), ("", labels));
    let wanted: Vec<u32> = (0..20).collect();
    let message = load(folder.path(), Subset::Train, &wanted).unwrap_err().to_string();
    let name = folder.path().display().to_string();
    assert!(message.contains(&name), "{message:?} names the place");
    message
}

#[test]
fn only_the_wanted_samples_are_loaded_in_the_order_wanted() {
    for ending in ["", ".gz"] {
        let pack = |bytes: Vec<u8>| if ending.is_empty() { bytes } else { gzip(&bytes) };
        let folder = folder((ending, &pack(image_bytes(20))), (ending, &pack(label_bytes(20))));
        let data = load(folder.path(), Subset::Train, &[13, 2, 19, 2]).unwrap();
        assert_eq!(data.labels, [3, 2, 9, 2]);
        assert_eq!(data.values, Values::Bytes([[13; PIXELS], [2; PIXELS], [19; PIXELS], [2; PIXELS]].concat()));
    }
}

#[test]
fn mnist_is_read_whole() {
    let train = labels(&mnist(), Subset::Train).unwrap();
    assert_eq!((train.len(), &train[..5]), (60_000, &[5, 0, 4, 1, 9][..]));
    let test = load_all(&mnist(), Subset::Test).unwrap();
    assert_eq!((test.len(), test.labels[0]), (10_000, 7));
    let inputs = test.inputs(&(0..test.len()).collect::<Vec<_>>());
    let mean = inputs.iter().copied().map(f64::from).sum::<f64>() / inputs.len() as f64;
    assert!(mean.abs() < 0.01, "mean of what a network reads: {mean}");
}

#[test]
fn missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = labels(folder.path(), Subset::Test).unwrap_err().to_string();
    assert!(message.starts_with("no t10k-labels-idx1-ubyte.gz"), "{message}");
}

#[test]
fn damaged_files_are_refused_with_the_reason() {
    let (images, labels) = (image_bytes(20), label_bytes(20));
    let absurd = [&[0, 0, 8, 3][..], &[0xff; 12]].concat();
    let mut small = images.clone();
    small[11] = 27;
    let mut wrong_label = labels.clone();
    wrong_label[8 + 4] = 10;
    let cases: [(&str, &[u8], &[u8]); 9] = [
        ("holds no example", &image_bytes(0), &label_bytes(0)),
        ("begins with 0x00000801", &labels, &labels),
        ("begins with 0x00000803", &images, &images),
        ("ends after 15695 of 15696 bytes", &images[..images.len() - 1], &labels),
        ("ends after 2 of 4 bytes", &images, &labels[..2]),
        ("has 4294967295 samples", &absurd, &labels),
        ("27 x 28", &small, &labels),
        ("the label of record 5 is 10", &images, &wrong_label),
        ("20 images but 19 labels", &images, &label_bytes(19)),
    ];
    for (expected, images, labels) in cases {
        let message = failure(images, labels);
        assert!(message.contains(expected), "{message:?} tells {expected:?}");
    }
}

#[test]
fn damaged_gzip_is_told_from_a_short_file() {
    let whole = gzip(&image_bytes(20));
    let labels = gzip(&label_bytes(20));
    let load_from = |images: &[u8]| {
        let folder = folder((".gz", images), (".gz", &labels));
        load(folder.path(), Subset::Train, &(0..20).collect::<Vec<_>>()).unwrap_err()
    };
    assert!(matches!(load_from(&whole[..whole.len() / 2]), DataError::Truncated { .. }));
    let mut flipped = whole;
    flipped[..2].fill(0);
    assert!(matches!(load_from(&flipped), DataError::Damaged { .. }));
}

#[test]
fn samples_that_do_not_fit_together_are_refused() {
    assert!(Dataset::new(vec![0; 2 * PIXELS], vec![0, 9]).is_ok());
    for (bytes, labels) in [(2 * PIXELS, vec![0]), (2 * PIXELS - 1, vec![0, 0]), (PIXELS, vec![10])] {
        assert!(matches!(Dataset::new(vec![0; bytes], labels), Err(DataError::Inconsistent { .. })));
    }
}

#[test]
fn a_sample_that_is_not_there_is_refused() {
    let folder = folder(("", &image_bytes(20)), ("", &label_bytes(20)));
    let error = load(folder.path(), Subset::Train, &[3, 20]).unwrap_err();
    assert!(matches!(error, DataError::NoSuchSample { index: 20, samples: 20, .. }), "{error}");
}

proptest::proptest! {
    /// Whatever bytes stand in the files, reading ends in data or in an error.
    #[test]
    fn random_bytes_never_panic(mut images: Vec<u8>, mut labels: Vec<u8>, with_magic: bool) {
        if with_magic {
            images.splice(0..0, [0, 0, 8, 3]);
            labels.splice(0..0, [0, 0, 8, 1]);
        }
        for ending in ["", ".gz"] {
            let folder = folder((ending, &images), (ending, &labels));
            let _ = load_all(folder.path(), Subset::Train);
        }
    }
}

#[test]
fn samples_are_selected_in_the_order_asked_for() {
    let images = (0..3).flat_map(|value| [value; PIXELS]).collect();
    let dataset = Dataset::new(images, vec![7, 8, 9]).unwrap();
    let selected = dataset.select(&[2, 0]).unwrap();
    assert_eq!((selected.labels(), &selected.values), (&[9, 7][..], &[[2; PIXELS], [0; PIXELS]].concat().into()));
    let mut first = dataset.clone();
    let rest = first.split_off(1);
    assert_eq!((Some(first), Some(rest)), (dataset.select(&[0]), dataset.select(&[1, 2])));
    assert_eq!(dataset.select(&[3]), None);
    assert!(dataset.select(&[]).unwrap().is_empty());
}

#[test]
fn a_network_reads_each_channel_on_its_own_scale() {
    let (black, white) = ([0; 1_024], [255; 1_024]);
    let dataset = Dataset::of(Schema::Cifar10, [black, white, white].concat().into(), vec![3]).unwrap();
    let inputs = dataset.inputs(&[0, 0]);
    let expected = [-0.4914 / 0.2470, (1.0 - 0.4822) / 0.2435, (1.0 - 0.4465) / 0.2616];
    for (place, wanted) in [0, 1_024, 2_048].into_iter().zip(expected) {
        assert!((inputs[place] - wanted).abs() < 1e-6 && inputs[place] == inputs[3_072 + place + 1_023]);
    }
    assert!(Dataset::of(Schema::Csv { features: 1, classes: 2 }, vec![0_u8].into(), vec![0]).is_err());
    assert!(Dataset::of(Schema::Mnist, vec![0.0_f32; PIXELS].into(), vec![0]).is_err());
}

#[test]
fn a_part_needs_an_example_to_train_on_and_one_to_appraise_with() {
    let folder = folder(("", &image_bytes(20)), ("", &label_bytes(20)));
    let config = |parts, held_out| crate::config::Data {
        path: folder.path().to_owned(),
        parts,
        held_out,
        ..crate::config::Data::default()
    };
    let portion = |parts, held_out| Portion::load(&Source::mnist(folder.path()), &config(parts, held_out));
    let few = portion(2, 3).unwrap();
    assert_eq!((few.train.len(), few.held_out.len()), (7, 3));
    let half = portion(2, 256).unwrap();
    assert_eq!((half.train.len(), half.held_out.len()), (5, 5));
    let error = portion(20, 1).unwrap_err().to_string();
    assert!(error.contains("part 0") && error.contains("has 1 examples") && error.contains("fewer parts"), "{error}");
    let error = portion(21, 1).unwrap_err().to_string();
    assert!(error.contains("20 samples cannot be divided among 21"), "{error}");
}
