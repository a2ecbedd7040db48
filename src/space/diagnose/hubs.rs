//! Hubs: vectors that are among the nearest neighbours of very many others (Radovanovic et al., JMLR 11,
//! 2010).

/// How often each of `n` is among the neighbours of the others, `[n]`.
pub(crate) fn occurrences(neighbours: &[Vec<u32>], n: usize) -> Vec<u32> {
    let mut times = vec![0; n];
    for &i in neighbours.iter().flatten() {
        times[i as usize] += 1;
    }
    times
}

/// The skewness of a distribution: its third central moment divided by the cube of its deviation; 0 if all
/// values are equal.
pub(crate) fn skewness(times: &[u32]) -> f64 {
    let n = times.len().max(1) as f64;
    let mean = times.iter().map(|&t| f64::from(t)).sum::<f64>() / n;
    let moment = |p: i32| {
        times
            .iter()
            .map(|&t| (f64::from(t) - mean).powi(p))
            .sum::<f64>()
            / n
    };
    let variance = moment(2);
    if variance > 0.0 {
        moment(3) / variance.powf(1.5)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_makes_the_distribution_lean() {
        let star: Vec<Vec<u32>> = (0..20).map(|i| vec![if i == 0 { 1 } else { 0 }]).collect();
        let times = occurrences(&star, 20);
        assert_eq!((times[0], times[1], times[2]), (19, 1, 0));
        assert!(skewness(&times) > 3.0);
        let ring: Vec<Vec<u32>> = (0..20).map(|i| vec![(i + 1) % 20]).collect();
        assert_eq!(skewness(&occurrences(&ring, 20)), 0.0);
        assert_eq!(skewness(&[]), 0.0);
        // One of four: mean 1, moments 3 and 6, so 6 / 3^1.5.
        assert!((skewness(&[4, 0, 0, 0]) - 6.0 / 3f64.powf(1.5)).abs() < 1e-12);
    }
}
