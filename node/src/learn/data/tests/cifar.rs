use super::*;
use crate::config;

/// Bytes of an image.
const IMAGE: usize = 3 * 32 * 32;

/// A record of these label bytes, whose pixels are all `value`.
fn record(labels: &[u8], value: u8) -> Vec<u8> {
    [labels, &[value; IMAGE]].concat()
}

/// CIFAR-10 with one record in each file: the training labels are 0 to 4, the test label is 9.
fn cifar10() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for batch in 1..=5 {
        let name = format!("data_batch_{batch}.bin");
        fs::write(folder.path().join(name), record(&[batch - 1], 10 * batch)).unwrap();
    }
    fs::write(folder.path().join("test_batch.bin"), record(&[9], 90)).unwrap();
    folder
}

fn source(folder: &Path, schema: Schema) -> Result<Source, DataError> {
    let config = config::Data { path: folder.to_owned(), ..config::Data::default() };
    Source::find(&config, schema)
}

#[test]
fn batches_are_one_data_set() {
    let folder = cifar10();
    fs::write(folder.path().join("data_batch_4.bin.gz"), gzip(&record(&[7], 70))).unwrap();
    let source = source(folder.path(), Schema::Cifar10).unwrap();
    assert_eq!(source.labels(Subset::Train).unwrap(), [0, 1, 2, 7, 4], "a packed file comes before a plain one");
    let data = source.load(Subset::Train, &[4, 0, 3]).unwrap();
    assert_eq!(data.labels(), [4, 0, 7]);
    assert_eq!(data.values, Values::Bytes([[50; IMAGE], [10; IMAGE], [70; IMAGE]].concat()));
    assert_eq!(source.load_all(Subset::Test).unwrap().labels(), [9]);
    let error = source.load(Subset::Train, &[5]).unwrap_err();
    assert!(matches!(error, DataError::NoSuchSample { index: 5, samples: 5, .. }), "{error}");
}

#[test]
fn of_a_hundred_classes_the_fine_label_counts() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.bin"), [record(&[19, 99], 1), record(&[255, 20], 2)].concat()).unwrap();
    let here = source(folder.path(), Schema::Cifar100).unwrap();
    assert_eq!(here.labels(Subset::Train).unwrap(), [99, 20]);
    let error = source(folder.path(), Schema::Cifar10).unwrap_err().to_string();
    assert!(error.contains("the files of cifar100") && error.contains("10 classes"), "{error}");
}

#[test]
fn faults_are_named_with_file_and_record() {
    let good = record(&[1], 1);
    let cases: [(&str, Vec<u8>); 4] = [
        ("data_batch_3.bin ends within record 2, after 3072 of its 3073 bytes", [&good[..], &good[1..]].concat()),
        ("data_batch_3.bin ends within record 1, after 1 of its 3073 bytes", vec![1]),
        (
            "data_batch_3.bin: the label of record 2 is 10, and classes go from 0 to 9",
            [good, record(&[10], 0)].concat(),
        ),
        ("data_batch_3.bin holds no example", Vec::new()),
    ];
    for (expected, bytes) in cases {
        let folder = cifar10();
        fs::write(folder.path().join("data_batch_3.bin"), bytes).unwrap();
        let error = source(folder.path(), Schema::Cifar10).unwrap().labels(Subset::Train).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} tells {expected:?}");
    }
    let folder = cifar10();
    fs::remove_file(folder.path().join("data_batch_5.bin")).unwrap();
    let error = source(folder.path(), Schema::Cifar10).unwrap().labels(Subset::Train).unwrap_err().to_string();
    assert!(error.contains("no data_batch_5.bin.gz (nor data_batch_5.bin)"), "{error}");
}

#[test]
fn data_of_another_schema_is_refused_before_it_is_read() {
    let folder = cifar10();
    let error = source(folder.path(), Schema::Mnist).unwrap_err().to_string();
    assert!(error.contains("holds cifar files") && error.contains("reads mnist: 1 x 28 x 28 numbers"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = source(empty.path(), Schema::Cifar10).unwrap_err().to_string();
    assert!(error.contains("no data in") && error.contains("train.csv"), "{error}");
    let wanted = config::Data { path: folder.path().into(), format: Some(Format::Csv), ..config::Data::default() };
    let error = Source::find(&wanted, Schema::Cifar10).unwrap_err().to_string();
    assert!(error.contains("data.format of the configuration is csv") && error.contains("cifar files"), "{error}");
    // With data of several kinds in one folder, each model finds its own.
    fs::write(folder.path().join("train.csv"), "1,0\n").unwrap();
    for schema in [Schema::Cifar10, Schema::Csv { features: 1, classes: 2 }] {
        assert!(source(folder.path(), schema).unwrap().labels(Subset::Train).is_ok(), "{schema}");
    }
}

proptest::proptest! {
    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>, repeats in 1_usize..80) {
        let folder = cifar10();
        fs::write(folder.path().join("data_batch_2.bin"), bytes.repeat(repeats)).unwrap();
        let _ = source(folder.path(), Schema::Cifar10).unwrap().load_all(Subset::Train);
    }
}
