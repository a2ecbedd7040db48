//! Retries a failed batch input by input, so that one bad input costs only itself.
//!
//! Models answer some inputs with NaN (an L2 norm inside the graph and a black picture), or fail on
//! them. The others of the batch must not be affected. So the inputs of such a batch are run once more,
//! each alone, which gives the same vectors as any other batch. If none of them works,
//! the encoder's own canary is run: if that fails too, the model is at fault, not an input.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::{EncodeError, InputError};

/// A unit vector `[dim]`, or why this input has none.
pub(crate) type EncodedInput = Result<Vec<f32>, InputError>;

/// Runs a batch, and its inputs one by one where it fails: at most twice each.
///
/// # Errors
/// The first failure, when the model fails on its `canary` as well.
pub(crate) fn encode_each<T>(
    model: &str,
    inputs: &[T],
    dim: usize,
    run: impl Fn(&[T]) -> Result<Vec<f32>, EncodeError>,
    canary: impl Fn() -> Result<Vec<f32>, EncodeError>,
) -> Result<Vec<EncodedInput>, EncodeError> {
    // The length is checked with the run, so that a wrong number of vectors is isolated too.
    let run = |inputs: &[T]| guarded(model, || whole(model, run(inputs)?, inputs.len(), dim));
    let failure = match run(inputs) {
        Ok(vectors) => {
            let rows = vectors.chunks_exact(dim);
            return Ok(rows.map(|row| Ok(row.to_vec())).collect());
        }
        Err(failure) => failure,
    };
    let works = || guarded(model, &canary).is_ok();
    // A model that fails on everything is not retried for each input.
    // `NotAVector` is about an input's values; other failures may be the model's.
    if !matches!(failure, EncodeError::NotAVector { .. }) && !works() {
        return Err(failure);
    }
    // Alone already: running it again would only repeat the failure.
    if let [_] = inputs {
        return match works() {
            true => Ok(vec![Err(charged(model, failure))]),
            false => Err(failure),
        };
    }
    let alone = |input: &T| run(std::slice::from_ref(input)).map_err(|e| charged(model, e));
    let all: Vec<EncodedInput> = inputs.iter().map(alone).collect();
    // One that works shows that the model does, and spares the canary.
    match all.iter().any(Result::is_ok) || works() {
        true => Ok(all),
        false => Err(failure),
    }
}

/// Checks that the output has `inputs` vectors of dimension `dim`. A model may
/// return another length than when it was opened, for example one value per token.
///
/// # Errors
/// [`EncodeError::Run`] when they are not.
pub(super) fn whole(
    model: &str,
    vectors: Vec<f32>,
    inputs: usize,
    dim: usize,
) -> Result<Vec<f32>, EncodeError> {
    match vectors.len() == inputs * dim {
        true => Ok(vectors),
        false => Err(EncodeError::Run {
            model: model.to_owned(),
            reason: format!(
                "its vectors have {dim} numbers, but for a batch of {inputs} it made {}",
                vectors.len()
            ),
        }),
    }
}

/// Runs `prepare` on an input; a panic becomes an error of that input only.
///
/// # Errors
/// What `prepare` fails with, or [`InputError::Panicked`].
pub(crate) fn prepared<T>(
    prepare: impl FnOnce() -> Result<T, InputError>,
) -> Result<T, InputError> {
    catch_unwind(AssertUnwindSafe(prepare)).unwrap_or_else(|panic| {
        Err(InputError::Panicked {
            reason: said(&*panic),
        })
    })
}

/// Runs the model; a panic counts as a failure.
fn guarded<T>(model: &str, run: impl FnOnce() -> Result<T, EncodeError>) -> Result<T, EncodeError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        Err(EncodeError::Run {
            model: model.to_owned(),
            reason: format!("a panic, {}", said(&*panic)),
        })
    })
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".to_owned())
}

/// The error of an input that was run alone.
fn charged(model: &str, failure: EncodeError) -> InputError {
    let model = model.to_owned();
    match failure {
        EncodeError::NotAVector { .. } => InputError::NoVector { model },
        EncodeError::Run { reason, .. } => InputError::ModelFailed { model, reason },
        other => InputError::ModelFailed {
            model,
            reason: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    const CANARY: i32 = 1_000;

    /// A model whose vectors are the input; negative ones give NaN, 13 fails, 666 panics.
    fn model(inputs: &[i32]) -> Result<Vec<f32>, EncodeError> {
        if let Some(row) = inputs.iter().position(|i| *i < 0) {
            let model = "m".to_owned();
            return Err(EncodeError::NotAVector { model, row });
        }
        if inputs.contains(&13) {
            return Err(broken());
        }
        assert!(!inputs.contains(&666), "as the test wants");
        Ok(inputs.iter().map(|i| *i as f32).collect())
    }

    fn broken() -> EncodeError {
        EncodeError::Run {
            model: "m".to_owned(),
            reason: "broken".to_owned(),
        }
    }

    fn each(inputs: &[i32]) -> (Result<Vec<EncodedInput>, EncodeError>, Vec<Vec<i32>>) {
        let runs = RefCell::new(Vec::new());
        let run = |inputs: &[i32]| {
            runs.borrow_mut().push(inputs.to_vec());
            model(inputs)
        };
        let made = encode_each("m", inputs, 1, run, || run(&[CANARY]));
        (made, runs.into_inner())
    }

    #[test]
    fn a_bad_input_is_charged_alone() {
        let no_vector = |r: &EncodedInput| matches!(r, Err(InputError::NoVector { .. }));
        let (made, runs) = each(&[1, -2, 3]);
        let made = made.unwrap();
        assert_eq!((&made[0], &made[2]), (&Ok(vec![1.0]), &Ok(vec![3.0])));
        assert!(no_vector(&made[1]));
        assert_eq!(runs, [vec![1, -2, 3], vec![1], vec![-2], vec![3]]);

        let (made, _) = each(&[13, 5, 666]);
        let made = made.unwrap();
        assert!(
            matches!(&made[0], Err(InputError::ModelFailed { reason, .. }) if reason == "broken")
        );
        assert_eq!(made[1], Ok(vec![5.0]));
        assert!(
            matches!(&made[2], Err(InputError::ModelFailed { reason, .. })
            if reason.contains("as the test wants"))
        );

        let (made, runs) = each(&[-1]);
        assert!(no_vector(&made.unwrap()[0]));
        assert_eq!(runs, [vec![-1], vec![CANARY]], "not run again for itself");
        let (made, _) = each(&[-1, -2]);
        assert!(made.unwrap().iter().all(no_vector));
    }

    #[test]
    fn a_model_that_fails_on_everything_is_asked_a_few_times_only() {
        let runs = RefCell::new(0);
        let run = |_: &[i32]| {
            *runs.borrow_mut() += 1;
            Err(broken())
        };
        let many: Vec<i32> = (0..32).collect();
        let made = encode_each("m", &many, 1, run, || run(&[CANARY]));
        assert!(matches!(made, Err(EncodeError::Run { .. })));
        assert_eq!(runs.into_inner(), 2);
        let nan = |_: &[i32]| model(&[-1]);
        let made = encode_each("m", &many, 1, nan, || nan(&[]));
        assert!(matches!(made, Err(EncodeError::NotAVector { .. })));
    }

    #[test]
    fn a_vector_of_another_length_is_charged_to_its_input() {
        // 3 is answered with two numbers, so a batch with it has one too many.
        let run = |inputs: &[i32]| {
            let numbers = |&i: &i32| vec![i as f32; if i == 3 { 2 } else { 1 }];
            Ok(inputs.iter().flat_map(numbers).collect())
        };
        let made = encode_each("m", &[1, 3, 4], 1, run, || run(&[CANARY])).unwrap();
        assert_eq!((&made[0], &made[2]), (&Ok(vec![1.0]), &Ok(vec![4.0])));
        let Err(InputError::ModelFailed { reason, .. }) = &made[1] else {
            panic!("{made:?}");
        };
        assert_eq!(
            reason,
            "its vectors have 1 numbers, but for a batch of 1 it made 2"
        );
    }

    #[test]
    fn a_panic_in_preparing_is_an_error_of_the_input() {
        let panicked = prepared(|| -> Result<(), InputError> { panic!("at {}", 7) });
        assert!(matches!(panicked, Err(InputError::Panicked { reason }) if reason == "at 7"));
        assert_eq!(prepared(|| Ok(1)), Ok(1));
    }
}
