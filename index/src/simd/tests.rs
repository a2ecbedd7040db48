use super::*;
use crate::random::SplitMix64;
use proptest::prelude::*;

fn vectors(n: usize, dim: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-100.0f32..100.0, n * dim)
}

/// A width, a number of rows, four queries, the rows, and ids into them.
fn case() -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>, Vec<u32>)> {
    (1usize..100, 1usize..20).prop_flat_map(|(dim, n)| {
        let ids = prop::collection::vec(0..n as u32, 0..40);
        (Just(dim), vectors(TILE, dim), vectors(n, dim), ids)
    })
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

proptest! {
    #[test]
    fn all_f32_kernels_agree_to_the_bit((dim, queries, rows, ids) in case()) {
        let n = rows.len() / dim;
        let mut expected = vec![0.0; TILE * n];
        for (q, out) in queries.chunks_exact(dim).zip(expected.chunks_exact_mut(n)) {
            for (row, out) in rows.chunks_exact(dim).zip(out) {
                *out = scalar::dot_f32(q, row);
            }
        }
        for kernels in KernelTable::available() {
            let mut out = vec![0.0; TILE * n];
            kernels.f32_tile(&queries, &rows, &mut out);
            prop_assert_eq!(bits(&out), bits(&expected), "{:?} tile", kernels);
            kernels.f32_rows(&queries[..dim], &rows, &mut out[..n]);
            prop_assert_eq!(bits(&out[..n]), bits(&expected[..n]), "{:?} rows", kernels);
            let mut out = vec![0.0; ids.len()];
            kernels.f32_at(&queries[..dim], &rows, &ids, &mut out);
            let picked: Vec<f32> = ids.iter().map(|&i| expected[i as usize]).collect();
            prop_assert_eq!(bits(&out), bits(&picked), "{:?} at", kernels);
        }
    }

    #[test]
    fn the_reference_is_near_the_exact_product((dim, queries, rows, _) in case()) {
        let exact = |a: &[f32], b: &[f32]| -> (f64, f64) {
            let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
            (products.clone().sum(), products.map(f64::abs).sum())
        };
        for row in rows.chunks_exact(dim) {
            let (sum, size) = exact(&queries[..dim], row);
            let found = f64::from(scalar::dot_f32(&queries[..dim], row));
            prop_assert!((found - sum).abs() <= size * 1e-6 + 1e-30, "{found} {sum}");
        }
    }

    #[test]
    fn all_f16_kernels_agree_to_the_bit(
        (dim, queries, rows, ids) in case(),
        small in any::<bool>(),
    ) {
        let query = &queries[..dim];
        // Halves below 2^-14 have fewer digits, and an instruction could take them for zero.
        let factor = if small { 1e-7 } else { 1.0 };
        let rows: Vec<f16> = rows.iter().map(|v| f16::from_f32(v * factor)).collect();
        let wide: Vec<f32> = rows.iter().map(|h| h.to_f32()).collect();
        let expected: Vec<f32> = wide
            .chunks_exact(dim)
            .map(|row| scalar::dot_f32(query, row))
            .collect();
        for kernels in KernelTable::available() {
            let mut out = vec![0.0; expected.len()];
            kernels.f16_rows(query, &rows, &mut out);
            prop_assert_eq!(bits(&out), bits(&expected), "{:?} rows", kernels);
            let mut out = vec![0.0; ids.len()];
            kernels.f16_at(query, &rows, &ids, &mut out);
            let picked: Vec<f32> = ids.iter().map(|&i| expected[i as usize]).collect();
            prop_assert_eq!(bits(&out), bits(&picked), "{:?} at", kernels);
        }
    }

    #[test]
    fn all_code_kernels_agree(
        lines in 1usize..6,
        n in 1usize..20,
        seed in any::<u64>(),
        ids in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let stride = lines * CODE_ALIGN;
        let mut random = SplitMix64::new(seed);
        let codes: Vec<u8> = (0..n * stride).map(|_| random.bits() as u8).collect();
        let queries: Vec<i8> = (0..TILE * stride).map(|_| random.bits() as i8).collect();
        let ids: Vec<u32> = ids.iter().map(|i| i.index(n) as u32).collect();
        let mut expected = vec![0; TILE * n];
        for (q, out) in queries.chunks_exact(stride).zip(expected.chunks_exact_mut(n)) {
            for (row, out) in codes.chunks_exact(stride).zip(out) {
                *out = scalar::dot_u8(q, row);
            }
        }
        for kernels in KernelTable::available() {
            let mut out = vec![0; TILE * n];
            kernels.u8_tile(&queries, &codes, &mut out);
            prop_assert_eq!(&out, &expected, "{:?} tile", kernels);
            kernels.u8_rows(&queries[..stride], &codes, &mut out[..n]);
            prop_assert_eq!(&out[..n], &expected[..n], "{:?} rows", kernels);
            let mut out = vec![0; ids.len()];
            kernels.u8_at(&queries[..stride], &codes, &ids, &mut out);
            let picked: Vec<i32> = ids.iter().map(|&i| expected[i as usize]).collect();
            prop_assert_eq!(&out, &picked, "{:?} at", kernels);
        }
    }
}

#[test]
fn all_4_bit_kernels_agree() {
    let mut random = SplitMix64::new(5);
    for blocks in 1..5 {
        let (width, n) = (blocks * CODE_ALIGN, 11);
        let codes: Vec<u8> = (0..n * width).map(|_| random.bits() as u8).collect();
        let query: Vec<i8> = (0..2 * width).map(|_| random.bits() as i8).collect();
        let ids: Vec<u32> = (0..37).map(|_| random.below(n) as u32).collect();
        let expected: Vec<i32> = ids
            .iter()
            .map(|&i| scalar::dot_u4(&query, &codes[i as usize * width..][..width]))
            .collect();
        for kernels in KernelTable::available() {
            for count in [0, 1, 3, 4, 37] {
                let mut out = vec![0; count];
                kernels.u4_at(&query, &codes, &ids[..count], &mut out);
                assert_eq!(out, expected[..count], "{kernels:?}");
            }
        }
    }
}

#[test]
fn all_1_bit_kernels_agree() {
    let mut random = SplitMix64::new(6);
    for (width, blocks) in [(2, 1), (2, 5), (4, 2), (48, 3), (160, 1), (166, 2)] {
        let n = blocks * SKETCH_ROWS;
        let bits: Vec<u8> = (0..n * width).map(|_| random.bits() as u8).collect();
        for low in [0, 63] {
            let tables: Vec<u8> = (0..width * 32)
                .map(|_| random.bits() as u8 & 63 | low)
                .collect();
            let mut expected = vec![0; n];
            scalar::sketches(&tables, &bits, &mut expected);
            // The definition, once more.
            for (row, &sum) in expected.iter().enumerate() {
                let (block, j) = (row / SKETCH_ROWS, row % SKETCH_ROWS);
                let byte = |p: usize| usize::from(bits[(block * width + p) * SKETCH_ROWS + j]);
                let of = |p: usize| {
                    u16::from(tables[p * 32 + (byte(p) & 15)])
                        + u16::from(tables[p * 32 + 16 + (byte(p) >> 4)])
                };
                assert_eq!(sum, (0..width).map(of).sum::<u16>());
            }
            for kernels in KernelTable::available() {
                let mut out = vec![0xABCD; n];
                kernels.sketches(&tables, &bits, &mut out);
                assert_eq!(out, expected, "{kernels:?}, width {width}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "above 63")]
fn tables_that_would_overflow_are_refused() {
    KernelTable::detect().sketches(&[64; 64], &[0; 128], &mut [0; 64]);
}

proptest! {
    #[test]
    fn estimates_and_selection_agree_to_the_bit(
        sums in prop::collection::vec(any::<u16>(), 0..200),
        factors in prop::collection::vec(prop_oneof![9 => -2.0f32..2.0, 1 => any::<f32>()], 200),
        total in 0i32..65_536,
        step in 0.0f32..1.0,
        base in -10.0f32..10.0,
        at in any::<prop::sample::Index>(),
    ) {
        let factors = &factors[..sums.len()];
        let line = EstimateParams { total, step, base };
        let mut values = vec![0.0; sums.len()];
        scalar::estimates(&sums, factors, line, &mut values);
        let floor = if values.is_empty() { 0.0 } else { values[at.index(values.len())] };
        let ids: Vec<u32> = (0..).zip(&values).filter(|v| *v.1 >= floor).map(|v| v.0).collect();
        for kernels in KernelTable::available() {
            let mut out = vec![9.0; sums.len()];
            kernels.estimates(&sums, factors, line, &mut out);
            let same = out.iter().zip(&values).all(|(a, b)| {
                a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
            });
            prop_assert!(same, "{:?}", kernels);
            prop_assert_eq!(kernels.count_from(&values, floor), ids.len(), "{:?}", kernels);
            let mut found = vec![7];
            kernels.ids_from(&values, floor, &mut found);
            prop_assert_eq!(found[0], 7);
            prop_assert_eq!(&found[1..], &ids, "{:?}", kernels);
        }
    }
}

#[test]
fn every_half_there_is_is_widened_exactly() {
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    for kernels in KernelTable::available() {
        let mut out = vec![0.0; halves.len()];
        kernels.f16_rows(&[1.0], &halves, &mut out);
        for (half, found) in halves.iter().zip(out) {
            // Written out: one sign, five bits of exponent less 15, ten of fraction.
            let (exponent, fraction) = (half.to_bits() >> 10 & 31, half.to_bits() & 1023);
            let size = match exponent {
                31 if fraction > 0 => f32::NAN,
                31 => f32::INFINITY,
                0 => f32::from(fraction) * 2f32.powi(-24),
                _ => f32::from(fraction + 1024) * 2f32.powi(i32::from(exponent) - 25),
            };
            let expected = if half.to_bits() >> 15 == 1 {
                -size
            } else {
                size
            };
            assert!(
                found == expected || found.is_nan() && expected.is_nan(),
                "{kernels:?}: {:#06x} is {expected}, found {found}",
                half.to_bits()
            );
        }
    }
}

#[test]
fn extreme_codes_do_not_saturate() {
    let stride = 1280;
    for (q, c) in [(-128i8, 255u8), (127, 255), (-128, 0), (127, 0)] {
        let expected = i32::from(q) * i32::from(c) * stride as i32;
        for kernels in KernelTable::available() {
            let mut out = [0; 5];
            kernels.u8_rows(&vec![q; stride], &vec![c; 5 * stride], &mut out);
            assert_eq!(out, [expected; 5], "{kernels:?}");
            let mut out = [0; 5];
            kernels.u4_at(&vec![q; stride], &vec![0xFF; stride / 2], &[0; 5], &mut out);
            assert_eq!(out, [i32::from(q) * 15 * stride as i32; 5], "{kernels:?}");
        }
    }
}

#[test]
#[should_panic(expected = "not below")]
fn an_id_out_of_range_is_refused() {
    KernelTable::detect().u8_at(&[0; 64], &[0; 128], &[2], &mut [0]);
}

#[test]
fn empty_inputs_are_fine() {
    for kernels in KernelTable::available() {
        kernels.f32_rows(&[1.0], &[], &mut []);
        kernels.f32_tile(&[1.0; 4], &[], &mut []);
        kernels.f32_at(&[1.0], &[1.0], &[], &mut []);
        kernels.f16_rows(&[1.0], &[], &mut []);
        kernels.f16_at(&[1.0], &[f16::ONE], &[], &mut []);
        kernels.u8_at(&[0; 64], &[0; 64], &[], &mut []);
    }
}
