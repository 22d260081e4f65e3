use super::*;
use crate::config;

const SCHEMA: Schema = Schema::Csv { features: 2, classes: 3 };

/// A folder with this text as `train.csv`, and the source in it with this column of labels.
fn train_csv(text: impl AsRef<[u8]>, label: Option<&str>) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.csv"), text).unwrap();
    let path = folder.path().to_owned();
    let config = config::Data { path, label: label.map(Into::into), ..config::Data::default() };
    let source = Source::find(&config, SCHEMA).unwrap();
    (folder, source)
}

fn read(text: &str, label: Option<&str>) -> Result<Dataset, DataError> {
    let (_folder, source) = train_csv(text, label);
    source.load_all(Subset::Train)
}

#[test]
fn lines_are_examples_with_or_without_a_header() {
    let wanted = Dataset::of(SCHEMA, vec![0.5, -1.0, 2.0, 3e-2].into(), vec![2, 0]).unwrap();
    for text in [
        "0.5,-1,2\n2,3e-2,0\n",
        "\u{feff}0.5,-1,2\r\n\r\n2,3e-2,0",
        "x,y,kind\n 0.5 , -1 , 2.0 \n2,3e-2,0\n\n",
        "\"x\",\"y\",\"kind\"\n\"0.5\",\"-1\",\"2\"\n2,3e-2,0\n",
    ] {
        assert_eq!(read(text, None).unwrap(), wanted, "{text}");
    }
    assert_eq!(read("kind,x,y\n2,0.5,-1\n0,2,3e-2\n", Some("kind")).unwrap(), wanted);
    assert_eq!(read("1,kind,2\n0.5,2,-1\n2,0,3e-2\n", Some("kind")).unwrap(), wanted, "a name makes it a header");
}

#[test]
fn only_the_wanted_lines_are_kept_in_the_order_wanted() {
    let (folder, source) = train_csv("1,0,0\n2,0,1\n3,0,2\n", None);
    let data = source.load(Subset::Train, &[2, 0, 2]).unwrap();
    assert_eq!((data.labels(), data.inputs(&[0, 1, 2])), (&[2, 0, 2][..], vec![3.0, 0.0, 1.0, 0.0, 3.0, 0.0]));
    let error = source.load_all(Subset::Test).unwrap_err().to_string();
    assert!(error.contains("no test.csv"), "{error}");
    fs::write(folder.path().join("test.csv.gz"), gzip(b"7,8,1\n")).unwrap();
    assert_eq!(source.load_all(Subset::Test).unwrap().inputs(&[0]), [7.0, 8.0]);
}

#[test]
fn one_file_is_data_for_training() {
    let (folder, _) = train_csv("", None);
    for (name, bytes) in [("flowers.csv", b"1,2,0\n".to_vec()), ("packed.csv.gz", gzip(b"1,2,0\n"))] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let source = Source::find(&config::Data { path, ..config::Data::default() }, SCHEMA).unwrap();
        assert_eq!(source.labels(Subset::Train).unwrap(), [0]);
        assert!(matches!(source.labels(Subset::Test), Err(DataError::Missing { .. })));
    }
    let config = config::Data { path: folder.path().join("none.csv"), ..config::Data::default() };
    let error = Source::find(&config, SCHEMA).unwrap().labels(Subset::Train).unwrap_err().to_string();
    assert!(error.contains("no none.csv"), "{error}");
}

/// Every fault with its line, its column where there is one, and what to do.
#[test]
fn faults_are_named_with_line_and_column() {
    let long = format!("x,y,kind\n1,2,0\n1,{},0\n", "0".repeat(200_000));
    let cases = [
        ("x,y,kind\n1,2\n", None, ":2: 2 cells, and there must be 3: 2 features and the label"),
        ("1,2,0\n\n1,2,0,4\n", None, ":3: 4 cells"),
        ("x,y,z,kind\n", None, ":1: 4 cells"),
        ("x,y,kind\n1,2,0\n1,two,0\n", None, ":3: column 2 (y): `two` is no number"),
        ("1,2,0\none,2,0\n", None, ":2: column 1: `one` is no number"),
        ("1,two,0\n", None, ":1: column 2: `two` is no number"),
        ("1,2,0\n,2,0\n", None, ":2: column 1: the cell is empty: fill it in"),
        ("1,2,0\n1,NaN,0\n", None, ":2: column 2: `NaN` is no finite number"),
        ("1,2,0\n-inf,2,0\n", None, ":2: column 1: `-inf` is no finite number"),
        ("1,2,0\n1,1e99,0\n", None, ":2: column 2: `1e99` is no finite number"),
        ("1,2,0\n1,1001,0\n", None, ":2: column 2: `1001` is beyond 1000: scale the column"),
        ("1,2,0\n1,2,3\n", None, ":2: column 3: the label `3` is no class: classes are the whole numbers from 0 to 2"),
        ("1,2,0\n1,2,-1\n", None, "`-1` is no class"),
        ("1,2,0\n1,2,0.5\n", None, "`0.5` is no class"),
        ("1,2,0\n1,2,nan\n", None, "`nan` is no class"),
        ("1,2,0\n1,2,\n", None, ":2: column 3: the cell is empty"),
        (
            "x,y,kind\n1,2,0\n",
            Some("label"),
            ":1: no column is called `label`, as data.label of the configuration says",
        ),
        ("x,y,kind\n", None, "train.csv holds no example"),
        ("\n\n", None, "train.csv holds no example"),
        ("", None, "train.csv holds no example"),
        (&long, None, ":3: it is longer than 131072 bytes"),
    ];
    for (text, label, wanted) in cases {
        let error = read(text, label).expect_err(wanted).to_string();
        assert!(error.contains("train.csv") && error.contains(wanted), "{error:?} tells {wanted:?}");
        assert!(error.len() < 400, "{error}");
    }
    let (_folder, source) = train_csv(b"1,2,0\n1,\xff,0\n", None);
    let error = source.load_all(Subset::Train).unwrap_err().to_string();
    assert!(error.contains("train.csv:2: it is no UTF-8 text"), "{error}");
}

proptest::proptest! {
    #[test]
    fn random_text_never_panics(text in "[0-9a-z,.\"\n\r-]{0,200}", bytes: Vec<u8>) {
        let _ = read(&text, None);
        let (_folder, source) = train_csv(&bytes, Some("x"));
        let _ = source.load_all(Subset::Train);
    }
}
