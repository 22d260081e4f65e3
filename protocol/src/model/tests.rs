use proptest::prelude::*;

use super::*;

fn tensor(path: &str, shapes: &[&[u32]]) -> TensorSpec {
    TensorSpec { path: path.to_owned(), shapes: shapes.iter().map(|shape| shape.to_vec()).collect() }
}

#[test]
fn a_slice_is_the_leading_box_of_every_tensor() {
    let manifest = Manifest {
        tensors: vec![tensor("w", &[&[4, 3], &[2, 2]]), tensor("b", &[&[3], &[2]]), tensor("c", &[&[2], &[2]])],
    };
    assert_eq!(manifest.validate(), Ok(()));
    assert_eq!((manifest.parameters(), manifest.widths()), (17, &[Width::Full, Width::Half][..]));
    let half = manifest.slice(Width::Half).unwrap();
    // Rows 0 and 1 of three columns each, two columns of them; then the bias at 12, and the last tensor at 15.
    assert_eq!(half.runs(), [0..2, 3..5, 12..14, 15..17]);
    assert_eq!((half.len(), half.whole(), half.is_whole()), (8, 17, false));
    let whole = manifest.slice(Width::Full).unwrap();
    assert_eq!((whole.runs().len(), &whole.runs()[0], whole.is_whole()), (1, &(0..17), true));
    assert_eq!(manifest.slice(Width::Quarter), None);
}

#[test]
fn faults_are_named() {
    let fault = |tensors| Manifest { tensors }.validate().unwrap_err().to_string();
    assert!(fault(vec![]).contains("0 tensors"));
    assert!(fault(vec![tensor("", &[&[1]])]).contains("no name"));
    assert!(fault(vec![tensor("w", &[])]).contains("shapes of w"));
    assert!(fault(vec![tensor("w", &[&[]])]).contains("shapes of w"));
    assert!(fault(vec![tensor("w", &[&[2, 0]])]).contains("shapes of w"));
    assert!(fault(vec![tensor("w", &[&[2], &[3]])]).contains("shapes of w"));
    assert!(fault(vec![tensor("w", &[&[2], &[1, 1]])]).contains("shapes of w"));
    assert!(fault(vec![tensor("w", &[&[2], &[1]]), tensor("b", &[&[2]])]).contains("shapes of b"));
    assert!(fault(vec![tensor("w", &[&[u32::MAX, u32::MAX]])]).contains("smaller"));
}

#[test]
fn widths_are_words_and_round_up() {
    for width in Width::ALL {
        assert_eq!(width.to_string().parse(), Ok(width));
        assert_eq!(width.of(1), 1);
        assert_eq!(width.of(32), 32 / width.divisor());
    }
    assert_eq!((Width::Half.of(5), Width::Eighth.of(84)), (3, 11));
    assert!("0.5".parse::<Width>().unwrap_err().to_string().contains("say 1, 1/2"));
}

proptest! {
    /// Against the definition: a place belongs to a slice if each of its indices lies in the narrow box.
    #[test]
    fn slices_hold_what_the_definition_says(
        boxes in prop::collection::vec(prop::collection::vec((1_u32..5, 1_u32..5), 1..4), 1..4),
    ) {
        let shapes = |axes: &Vec<(u32, u32)>| {
            let full: Vec<u32> = axes.iter().map(|(a, b)| *a.max(b)).collect();
            let narrow: Vec<u32> = axes.iter().map(|(a, b)| *a.min(b)).collect();
            vec![full, narrow]
        };
        let tensors = boxes.iter().map(|axes| TensorSpec { path: "t".into(), shapes: shapes(axes) }).collect();
        let manifest = Manifest { tensors };
        prop_assert_eq!(manifest.validate(), Ok(()));
        let mut held = Vec::new();
        let mut place = 0_usize;
        for tensor in &manifest.tensors {
            let (full, narrow) = (&tensor.shapes[0], &tensor.shapes[1]);
            for flat in 0..tensor.len() {
                let mut rest = flat;
                let indices: Vec<u64> = full.iter().rev().map(|extent| {
                    let index = rest % u64::from(*extent);
                    rest /= u64::from(*extent);
                    index
                }).collect();
                if indices.iter().rev().zip(narrow).all(|(index, extent)| *index < u64::from(*extent)) {
                    held.push(place);
                }
                place += 1;
            }
        }
        let slice = manifest.slice(Width::Half).unwrap();
        let runs: Vec<usize> = slice.runs().iter().cloned().flatten().collect();
        prop_assert_eq!(&runs, &held);
        let model: Vec<usize> = (0..slice.whole()).collect();
        prop_assert_eq!(slice.gather(&model), held.clone());
        let mut back = vec![usize::MAX; slice.whole()];
        slice.scatter(&held, &mut back);
        for (place, value) in back.into_iter().enumerate() {
            prop_assert_eq!(value, if held.contains(&place) { place } else { usize::MAX });
        }
    }
}
