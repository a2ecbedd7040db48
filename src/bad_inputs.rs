//! Splits off the bad inputs of a batch, so that the good ones are processed together.

/// The errors of the bad inputs of a batch, and their positions.
///
/// The good inputs are taken out and processed in one call, and the results are put back in the original order:
///
/// ```
/// use asif::bad_inputs::BadInputs;
///
/// let (good, bad) = BadInputs::split([Ok(2), Err("no number"), Ok(3)]);
/// let squares = good.into_iter().map(|n: i32| n * n).collect();
/// assert_eq!(bad.put_back(squares), [Ok(4), Err("no number"), Ok(9)]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct BadInputs<E> {
    /// One entry per input; `None` where the input is good.
    errors: Vec<Option<E>>,
}

impl<E> BadInputs<E> {
    /// The good inputs, in their order, and the bad ones.
    pub fn split<T>(inputs: impl IntoIterator<Item = Result<T, E>>) -> (Vec<T>, Self) {
        let (mut good, mut errors) = (Vec::new(), Vec::new());
        for input in inputs {
            match input {
                Ok(input) => {
                    good.push(input);
                    errors.push(None);
                }
                Err(error) => errors.push(Some(error)),
            }
        }
        (good, Self { errors })
    }

    /// The positions of the good inputs, ascending.
    pub(crate) fn good_places(&self) -> Vec<usize> {
        let numbered = self.errors.iter().enumerate();
        let good = numbered.filter(|(_, error)| error.is_none());
        good.map(|(place, _)| place).collect()
    }

    /// The errors of the bad inputs, in order.
    pub(crate) fn into_errors(self) -> Vec<E> {
        self.errors.into_iter().flatten().collect()
    }

    /// Merges `answers`, one for each good input in order, with the errors of the bad inputs:
    /// one result for each input, in the original order.
    ///
    /// # Panics
    /// When the number of answers differs from the number of good inputs.
    pub fn put_back<U>(self, answers: Vec<U>) -> Vec<Result<U, E>> {
        let good = self.errors.iter().filter(|error| error.is_none()).count();
        assert_eq!(answers.len(), good, "answers and good inputs");
        let mut answers = answers.into_iter();
        let at_place = |error: Option<E>| match error {
            Some(error) => Err(error),
            None => Ok(answers.next().expect("they were counted")),
        };
        self.errors.into_iter().map(at_place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_stand_where_their_inputs_stood() {
        for pattern in 0..1u32 << 6 {
            let inputs: Vec<Result<u32, u32>> = (0..6)
                .map(|n| if pattern >> n & 1 == 1 { Ok(n) } else { Err(n) })
                .collect();
            let (good, bad) = BadInputs::split(inputs.clone());
            let places: Vec<usize> = good.iter().map(|&n| n as usize).collect();
            assert_eq!(bad.good_places(), places);
            let wrong: Vec<u32> = inputs.iter().filter_map(|i| i.err()).collect();
            assert_eq!(bad.clone().into_errors(), wrong);
            let answers = good.iter().map(|n| 10 * n).collect();
            let expected: Vec<_> = inputs.iter().map(|i| i.map(|n| 10 * n)).collect();
            assert_eq!(bad.put_back(answers), expected);
        }
    }

    #[test]
    #[should_panic(expected = "answers and good inputs")]
    fn a_lost_answer_moves_none_to_the_place_of_another() {
        let (_, bad) = BadInputs::split([Ok(1), Err(()), Ok(2)]);
        drop(bad.put_back(vec![1]));
    }
}
