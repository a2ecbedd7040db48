use super::*;
use asif_index::random::SplitMix64;
use proptest::prelude::*;

fn noise(width: u32, height: u32, seed: u32) -> RgbImage {
    let mut random = SplitMix64::new(seed.into());
    RgbImage::from_fn(width, height, |_, _| {
        let [r, g, b, ..] = random.bits().to_le_bytes();
        image::Rgb([r, g, b])
    })
}

fn whole(width: u32, height: u32) -> CropWindow {
    CropWindow {
        x: 0..width,
        y: 0..height,
    }
}

const ALL: [ResampleFilter; 6] = [
    ResampleFilter::Nearest,
    ResampleFilter::Lanczos,
    ResampleFilter::Bilinear,
    ResampleFilter::Bicubic,
    ResampleFilter::Box,
    ResampleFilter::Hamming,
];

#[test]
fn one_colour_stays_one_colour() {
    let flat = RgbImage::from_pixel(37, 11, image::Rgb([200, 3, 255]));
    for filter in ALL {
        for (w, h) in [(5, 9), (90, 44), (37, 3), (1, 1)] {
            let out = resize(&flat, w, h, filter, &whole(w, h));
            assert_eq!(out.dimensions(), (w, h));
            assert!(
                out.pixels().all(|p| p.0 == [200, 3, 255]),
                "{filter:?} {w}x{h}"
            );
        }
    }
}

#[test]
fn the_same_size_changes_nothing() {
    let image = noise(13, 8, 1);
    for filter in ALL {
        assert_eq!(resize(&image, 13, 8, filter, &whole(13, 8)), image);
    }
}

#[test]
fn halving_with_a_box_is_the_mean_of_four() {
    let image = noise(8, 6, 7);
    let out = resize(&image, 4, 3, ResampleFilter::Box, &whole(4, 3));
    for (x, y, pixel) in out.enumerate_pixels() {
        for c in 0..3 {
            let at = |dx, dy| f64::from(image.get_pixel(2 * x + dx, 2 * y + dy)[c]);
            let across = |dy| ((at(0, dy) + at(1, dy)) / 2.0 + 0.5).floor();
            let mean = ((across(0) + across(1)) / 2.0 + 0.5).floor();
            assert_eq!(f64::from(pixel[c]), mean);
        }
    }
}

proptest! {
    #[test]
    fn a_window_equals_the_crop_of_the_whole(
        (w, h) in (1u32..60, 1u32..60),
        (nw, nh) in (1u32..60, 1u32..60),
        cut in (0u32..60, 0u32..60, 1u32..60, 1u32..60),
        code in 0u64..6,
    ) {
        let filter = ResampleFilter::from_code(code).unwrap();
        let image = noise(w, h, nw * 61 + nh);
        let (x, y) = (cut.0.min(nw - 1), cut.1.min(nh - 1));
        let window = CropWindow { x: x..(x + cut.2).min(nw), y: y..(y + cut.3).min(nh) };
        let full = resize(&image, nw, nh, filter, &whole(nw, nh));
        let part = resize(&image, nw, nh, filter, &window);
        prop_assert_eq!(part.dimensions(), (window.x.len() as u32, window.y.len() as u32));
        for (px, py, pixel) in part.enumerate_pixels() {
            prop_assert_eq!(pixel, full.get_pixel(px + x, py + y));
        }
    }
}
