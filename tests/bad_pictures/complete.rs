//! A picture is whole when all its rows are there, whatever its end says.

use asif::encode::InputError;
use asif::encode::image::decode::decode;

use super::files::*;

/// The pixels are those of the seed.
fn whole(what: &str, of: &str, file: &[u8]) {
    let expected = decode(seed(of), true).unwrap();
    match decode(file, true) {
        Ok(pixels) => assert!(*pixels == *expected, "{of}, {what}: other pixels"),
        Err(error) => panic!("{of}, {what}: {error}"),
    }
}

/// It is refused as truncated, with these words.
fn lacking(what: &str, of: &str, file: &[u8], words: &[&str]) {
    let error = match decode(file, true) {
        Ok(_) => panic!("{of}, {what}: read in silence"),
        Err(error) => error,
    };
    assert!(
        matches!(error, InputError::Truncated { .. }),
        "{of}, {what}: {error}"
    );
    let said = error.to_string();
    for word in words {
        assert!(said.contains(word), "{of}, {what}: no {word:?} in {said}");
    }
}

#[test]
fn every_seed_is_read_and_so_it_is_with_anything_behind_it() {
    for (name, file) in SEEDS {
        assert_eq!(decode(file, true).unwrap().dimensions(), (48, 40), "{name}");
        whole(
            "garbage behind it",
            name,
            &joined(&[file, b"garbage!\xFF\xC4"]),
        );
        whole("itself behind it", name, &joined(&[file, file]));
    }
}

#[test]
fn a_jpeg_is_whole_with_all_rows_and_not_with_an_end_marker() {
    for name in [
        "baseline.jpg",
        "grey.jpg",
        "cmyk.jpg",
        "restarts.jpg",
        "progressive.jpg",
    ] {
        let jpeg = seed(name);
        let bare = &jpeg[..jpeg.len() - 2];
        let scan = markers(jpeg, 0xDA)[0];
        let half = (scan + jpeg.len()) / 2;
        whole("no end marker", name, bare);
        whole("half an end marker", name, &jpeg[..jpeg.len() - 1]);
        whole("zeros instead", name, &joined(&[bare, &[0; 512]]));
        for cut in [scan + 40, half, jpeg.len() - 12] {
            let what = format!("cut at {cut}");
            lacking(&what, name, &jpeg[..cut], &[]);
            lacking(&what, name, &joined(&[&jpeg[..cut], &[0xFF, 0xD9]]), &[]);
            lacking(&what, name, &joined(&[&jpeg[..cut], jpeg]), &[]);
        }
        let ended = joined(&[&jpeg[..half], &[0xFF, 0xD9]]);
        if name != "progressive.jpg" {
            lacking("half", name, &ended, &["of 40 rows"]);
        }
        lacking("headers only", name, &jpeg[..scan], &["headers"]);
        lacking("no coded data", name, &jpeg[..scan + 14], &[]);
    }
}

#[test]
fn a_stretch_between_restart_markers_must_not_be_missing() {
    let jpeg = seed("restarts.jpg");
    let restarts: Vec<usize> = (0xD0..=0xD7).flat_map(|code| markers(jpeg, code)).collect();
    assert_eq!(restarts.len(), 4);
    let of = "restarts.jpg";
    for pair in restarts.windows(2) {
        let gap = joined(&[&jpeg[..pair[0]], &jpeg[pair[1]..]]);
        lacking("one stretch is missing", of, &gap, &["of 40 rows"]);
        let short = joined(&[&jpeg[..pair[0] + 10], &jpeg[pair[1]..]]);
        lacking("one stretch is short", of, &short, &["of 40 rows"]);
    }
    let renumbered = {
        let mut gap = joined(&[&jpeg[..restarts[1]], &jpeg[restarts[2]..]]);
        gap[restarts[1] + 1] = 0xD1;
        gap
    };
    lacking(
        "a stretch is missing and none is named so",
        of,
        &renumbered,
        &[],
    );
}

#[test]
fn a_progressive_jpeg_may_have_fewer_scans_if_it_says_that_it_ends() {
    let jpeg = seed("progressive.jpg");
    let scans = markers(jpeg, 0xDA);
    assert!(scans.len() >= 6);
    for (n, &scan) in scans.iter().enumerate().skip(1) {
        // The tables of a scan stand before it.
        let tables = markers(&jpeg[..scan], 0xC4).pop().unwrap();
        let cut = if tables > scans[n - 1] { tables } else { scan };
        let ended = joined(&[&jpeg[..cut], &[0xFF, 0xD9]]);
        assert!(decode(&ended, true).is_ok(), "{n} scans");
        lacking("no end", "progressive.jpg", &jpeg[..cut], &["later ones"]);
        let middle = (scan + scans.get(n + 1).copied().unwrap_or(jpeg.len())) / 2;
        lacking(
            "within a scan",
            "progressive.jpg",
            &jpeg[..middle.max(scan + 4)],
            &[],
        );
    }
}

#[test]
fn a_png_is_whole_with_all_rows_and_not_with_its_last_chunk() {
    for (name, file) in SEEDS.iter().filter(|(n, _)| n.ends_with(".png")) {
        let data: Vec<u8> = png_chunks(file)
            .iter()
            .filter(|(kind, _)| kind == b"IDAT")
            .flat_map(|(_, data)| data.clone())
            .collect();
        let with_data = |parts: &[&[u8]]| {
            with_chunks(file, |chunks| {
                let at = chunks.iter().position(|(kind, _)| kind == b"IDAT").unwrap();
                chunks.retain(|(kind, _)| kind != b"IDAT");
                let parts = parts.iter().map(|part| (*b"IDAT", part.to_vec()));
                chunks.splice(at..at, parts);
            })
        };
        let end = file.windows(4).position(|w| w == b"IEND").unwrap() - 4;
        let data_end = checksum_of(file, b"IDAT");
        whole("no last chunk", name, &file[..end]);
        if *name != "animated.png" {
            whole("no checksum", name, &file[..data_end]);
        }
        whole(
            "a wrong checksum of the data",
            name,
            &flipped(file, data_end),
        );
        whole("a wrong checksum of the end", name, &flipped(file, end + 8));
        whole(
            "the data's checksum is cut",
            name,
            &with_data(&[&data[..data.len() - 4]]),
        );
        let bytes: Vec<&[u8]> = data.chunks(1).collect();
        whole("a chunk a byte", name, &with_data(&bytes));
        whole("empty chunks", name, &with_data(&[&[], &data, &[]]));
        for cut in [2, data.len() / 4, data.len() / 2, data.len() - 12] {
            let rows = ["of 40 rows", "interlaced rows"];
            let said = &rows[usize::from(*name == "interlaced.png")..][..1];
            lacking("cut, and ended", name, &with_data(&[&data[..cut]]), said);
            let unended = png_chunks(&with_data(&[&data[..cut]]));
            let unended = unended.split(|(kind, _)| kind == b"IEND").next().unwrap();
            lacking("cut", name, &png(unended), said);
        }
        let header = with_chunks(file, |chunks| chunks.retain(|(kind, _)| kind != b"IDAT"));
        lacking("no data", name, &header, &["no image data"]);
        let damaged = decode(&flipped(file, checksum_of(file, b"IHDR")), true);
        assert!(
            matches!(damaged, Err(InputError::Undecodable { .. })),
            "{name}"
        );
        let damaged = decode(&with_data(&[&flipped(&data, data.len() - 2)]), true);
        assert!(
            matches!(damaged, Err(InputError::Undecodable { .. })),
            "{name}"
        );
    }
}

#[test]
fn chunks_that_say_nothing_of_pixels_are_passed_over() {
    for (name, file) in SEEDS.iter().filter(|(n, _)| n.ends_with(".png")) {
        for kind in [
            b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"abCd", b"fdAT", b"ABCD",
        ] {
            let odd = with_chunks(file, |chunks| {
                chunks.insert(1, (*kind, b"x\0\0not what it should be".to_vec()));
            });
            whole("an odd chunk", name, &odd);
            whole(
                "with a wrong checksum",
                name,
                &flipped(&odd, checksum_of(&odd, kind)),
            );
        }
    }
}

#[test]
fn a_webp_is_whole_with_its_picture_and_not_with_its_length() {
    for (name, file) in SEEDS.iter().filter(|(n, _)| n.ends_with(".webp")) {
        for length in [
            0,
            4,
            file.len() as u32 - 20,
            file.len() as u32 + 100,
            u32::MAX,
        ] {
            whole(
                &format!("length {length}"),
                name,
                &with_riff_length(file, length),
            );
        }
        // The first frame of an animation is in its first half here.
        let parts = if *name == "animated.webp" { 6 } else { 2 };
        for cut in [40, file.len() / parts, file.len() / parts * 3 / 2] {
            lacking(&format!("cut at {cut}"), name, &file[..cut], &[]);
            let short = with_riff_length(&file[..cut], cut as u32 - 8);
            lacking("cut, with the right length", name, &short, &[]);
        }
        // A chunk that is whole and holds too little.
        if file.len() < 600 {
            let at = ["VP8 ", "VP8L"]
                .iter()
                .find_map(|kind| file.windows(4).position(|w| w == kind.as_bytes()));
            let at = at.unwrap();
            for keep in [60, 150] {
                let picture = joined(&[
                    &file[at..at + 4],
                    &u32::to_le_bytes(keep),
                    &file[at + 8..at + 8 + keep as usize],
                ]);
                let short = joined(&[&file[..at], &picture]);
                let error = decode(&short, true).map(|_| ()).unwrap_err();
                let refused = matches!(
                    error,
                    InputError::Truncated { .. } | InputError::Undecodable { .. }
                );
                assert!(refused, "{name}: {error}");
            }
        }
    }
    let animated = seed("animated.webp");
    whole(
        "later frames are cut",
        "animated.webp",
        &animated[..animated.len() - 100],
    );
}

#[test]
fn a_gif_is_whole_with_its_first_frame() {
    for name in ["still.gif", "animated.gif"] {
        let file = seed(name);
        whole("no trailer", name, &file[..file.len() - 1]);
        for cut in [13, 120, 500] {
            let error = decode(&file[..cut], true).map(|_| ()).unwrap_err();
            let refused = matches!(
                error,
                InputError::Truncated { .. } | InputError::Undecodable { .. }
            );
            assert!(refused, "{name} cut at {cut}: {error}");
        }
        lacking("cut", name, &file[..500], &[]);
        // Codes go on in what ends them, where a code is cut.
        assert!(decode(&joined(&[&file[..500], b"\0;"]), true).is_err());
    }
    let animated = seed("animated.gif");
    whole(
        "later frames are cut",
        "animated.gif",
        &animated[..animated.len() - 300],
    );
    let still = seed("still.gif");
    whole(
        "no end of its blocks",
        "still.gif",
        &still[..still.len() - 2],
    );
}

#[test]
fn a_bmp_is_whole_with_all_rows() {
    for name in ["rgb.bmp", "palette.bmp", "top-down.bmp"] {
        let file = seed(name);
        lacking(
            "a byte is missing",
            name,
            &file[..file.len() - 1],
            &["39 of 40 rows"],
        );
        lacking("half", name, &file[..file.len() / 2], &["of 40 rows"]);
        let mut length = file.to_vec();
        length[2..6].fill(0);
        whole("its length is 0", name, &length);
    }
    let runs = seed("rle8.bmp");
    let end = runs.len() - 4;
    whole("no end code", "rle8.bmp", &runs[..end]);
    lacking("cut", "rle8.bmp", &runs[..end - 200], &["of 40 rows"]);
    let early = joined(&[&runs[..end - 200], &[0, 1]]);
    lacking("it ends early", "rle8.bmp", &early, &["of 40 rows"]);
    // A row of 3 pixels is filled up to 12 bytes.
    let odd = image::RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 7]));
    let mut file = std::io::Cursor::new(Vec::new());
    odd.write_to(&mut file, image::ImageFormat::Bmp).unwrap();
    let file = file.into_inner();
    assert_eq!(*decode(&file, true).unwrap(), odd);
    assert_eq!(*decode(&file[..file.len() - 3], true).unwrap(), odd);
    assert!(decode(&file[..file.len() - 4], true).is_err());
}

#[test]
fn a_right_beginning_with_something_else_behind_it_is_refused() {
    for (name, file) in SEEDS {
        for (other, content) in SEEDS {
            // As far as every format tells itself from the others.
            let mixed = joined(&[&file[..16], content]);
            if name.split('.').next_back() != other.split('.').next_back() {
                assert!(decode(&mixed, true).is_err(), "{name} {other}");
            }
        }
        let begin = &file[..12];
        for rest in [
            &[][..],
            &[0; 64],
            b"just some words that are no picture at all",
        ] {
            assert!(decode(&joined(&[begin, rest]), true).is_err(), "{name}");
        }
    }
    assert_eq!(decode(b"", true).map(|_| ()), Err(InputError::Empty));
}

/// It is refused, or its pixels are those of the seed.
fn never_other(what: &str, of: &str, file: &[u8]) {
    let expected = decode(seed(of), true).unwrap();
    if let Ok(pixels) = decode(file, true) {
        assert!(*pixels == *expected, "{of}, {what}: other pixels");
    }
}

#[test]
fn an_end_marker_within_cut_data_is_no_data() {
    let end = b"\0\0\0\0IEND\xAE\x42\x60\x82";
    for (name, file) in SEEDS.iter().filter(|(n, _)| n.ends_with(".png")) {
        let data_end = checksum_of(file, b"IDAT");
        for missing in 1..40 {
            let cut = joined(&[&file[..data_end - missing], end]);
            never_other(&format!("{missing} bytes are missing"), name, &cut);
        }
    }
    for name in ["still.gif", "animated.gif"] {
        let file = seed(name);
        for missing in 1..60 {
            let cut = &file[..file.len() - missing];
            for end in [&b";"[..], b"\0;"] {
                let what = format!("{missing} bytes are missing");
                never_other(&what, name, &joined(&[cut, end]));
            }
        }
    }
}

#[test]
fn what_was_filled_up_with_zeros_is_not_whole() {
    for (name, file) in SEEDS {
        let start = match name.rsplit('.').next() {
            Some("png") => file.windows(4).position(|w| w == b"IDAT").unwrap() + 8,
            Some("jpg") => markers(file, 0xDA)[0] + 16,
            _ => continue,
        };
        for percent in [25, 50, 75, 90, 95] {
            let cut = start + (file.len() - start) * percent / 100;
            let filled = joined(&[&file[..cut], &vec![0; file.len() - cut]]);
            never_other(&format!("zeros after {percent} %"), name, &filled);
        }
    }
    // Not a picture that has zeros behind it, nor one with a wrong checksum only.
    whole(
        "zeros",
        "baseline.jpg",
        &joined(&[seed("baseline.jpg"), &[0; 99]]),
    );
}

#[test]
fn the_canvas_of_a_gif_is_as_pillow_draws_it() {
    let file = seed("still.gif");
    let descriptor = b",\0\0\0\0\x30\0\x28\0";
    let at = file.windows(9).position(|w| w == descriptor).unwrap();
    let with = |canvas: [u8; 4], corner: [u8; 4]| {
        let mut file = file.to_vec();
        file.splice(6..10, canvas);
        file.splice(at + 1..at + 5, corner);
        file
    };
    // Too small for its frame, or of no size.
    for canvas in [[0; 4], [10, 0, 10, 0], [10, 0, 99, 0], [48, 0, 1, 0]] {
        let small = with(canvas, [0; 4]);
        if canvas[2] != 99 {
            whole("a small canvas", "still.gif", &small);
        }
        assert_eq!(decode(&small, true).unwrap().width(), 48);
    }
    // Around the frame lies the first colour of the palette.
    assert!(file[10] & 0x80 != 0);
    let first: [u8; 3] = file[13..16].try_into().unwrap();
    let inner = decode(file, true).unwrap();
    let large = decode(&with([60, 0, 50, 0], [5, 0, 7, 0]), true).unwrap();
    assert_eq!(large.dimensions(), (60, 50));
    for (x, y, pixel) in large.enumerate_pixels() {
        let inside = (5..53).contains(&x) && (7..47).contains(&y);
        let expected = match inside {
            true => inner.get_pixel(x - 5, y - 7).0,
            false => first,
        };
        assert_eq!(pixel.0, expected, "{x} {y}");
    }
}
