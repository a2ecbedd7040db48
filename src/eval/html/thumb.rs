//! Thumbnails, embedded in a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::escape::EscapedText;
use crate::encode::image::thumbnail::ThumbnailImage;

/// A thumbnail as an element with its alternative text. A PNG has transparency: the style sheet
/// shows it whole and on a light background.
pub(super) fn tag(thumbnail: &ThumbnailImage, alt: &str) -> String {
    let class = if thumbnail.mime == "image/png" {
        " class=\"cutout\""
    } else {
        ""
    };
    format!(
        "<img{class} src=\"data:{};base64,{}\" width=\"{}\" height=\"{}\" alt=\"{}\">",
        thumbnail.mime,
        STANDARD.encode(&thumbnail.bytes),
        thumbnail.width,
        thumbnail.height,
        EscapedText(alt),
    )
}

#[cfg(test)]
mod tests {
    use image::DynamicImage;

    use super::*;
    use crate::encode::image::thumbnail::thumbnail;

    #[test]
    fn what_is_said_of_a_picture_is_escaped() {
        let thumb = thumbnail(&DynamicImage::new_rgb8(1, 1), 8).unwrap();
        let tag = tag(&thumb, "\" onerror=\"alert(1)");
        assert!(
            tag.contains("alt=\"&quot; onerror=&quot;alert(1)\""),
            "{tag}"
        );
        assert!(
            tag.starts_with("<img src=\"data:image/jpeg;base64,/9j/"),
            "{tag}"
        );
    }
}
