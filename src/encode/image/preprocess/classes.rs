//! How the image processor classes of Hugging Face interpret the same keys.
//!
//! From `src/transformers/models/*/image_processing_*.py`: the defaults of each constructor, whether
//! one number as `size` is a square or the short side, and the steps that only one class has. The
//! `Fast` classes have the same defaults.

use crate::encode::image::resample::ResampleFilter;

/// ImageNet's mean and deviation.
const IMAGENET: MeanStd = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// Mean and deviation 0.5, which map to -1..1.
const HALF: MeanStd = ([0.5; 3], [0.5; 3]);
/// Those of CLIP's training set.
const CLIP: MeanStd = (
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
);

/// Mean and standard deviation of each channel.
pub(super) type MeanStd = ([f64; 3], [f64; 3]);

/// The constructor of an image processor class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProcessorClass {
    /// The class's name without `ImageProcessor` or `FeatureExtractor`.
    pub name: &'static str,
    /// The size where the file gives none.
    pub side: u32,
    /// Whether a single number as `size` means a square; else the short side. `default_to_square` says the
    /// same in a file.
    pub square: bool,
    /// The side of the centre crop, and whether it is done, where the file does not say; none for a
    /// class that has no crop.
    pub crop: Option<(u32, bool)>,
    pub filter: ResampleFilter,
    /// None for a class that does not normalise.
    pub normalize: Option<MeanStd>,
    pub step: ClassStep,
}

/// A step that only this class has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClassStep {
    Nothing,
    /// The short side becomes `int(256 / 224 * size)`.
    LevitResize,
    /// The size is divided by `crop_pct`.
    PoolFormerResize,
    /// Below 384 the size is divided by `crop_pct` and cut out; else the picture is squeezed.
    ConvNextResize,
    /// `size / crop_size` of the short side is cut out before resizing.
    PerceiverCrop,
    /// Red and blue are swapped.
    ChannelFlip,
    /// Values may be divided by the deviation once more.
    IncludeTop,
    /// Published files ask for padding, which the class has no code for.
    UnreadPadding,
}

const fn class(
    name: &'static str,
    side: u32,
    crop: Option<(u32, bool)>,
    filter: ResampleFilter,
    normalize: MeanStd,
) -> ProcessorClass {
    ProcessorClass {
        name,
        side,
        square: true,
        crop,
        filter,
        normalize: Some(normalize),
        step: ClassStep::Nothing,
    }
}

const fn by_short_side(class: ProcessorClass, step: ClassStep) -> ProcessorClass {
    ProcessorClass {
        square: false,
        step,
        ..class
    }
}

/// The supported classes.
pub(super) const CLASSES: [ProcessorClass; 24] = {
    use ClassStep::{
        ChannelFlip, ConvNextResize, IncludeTop, LevitResize, Nothing, PerceiverCrop,
        PoolFormerResize, UnreadPadding,
    };
    use ResampleFilter::{Bicubic, Bilinear, Nearest};
    const CROPPED: Option<(u32, bool)> = Some((224, true));
    [
        class("Beit", 256, CROPPED, Bicubic, HALF),
        by_short_side(class("Bit", 224, CROPPED, Bicubic, CLIP), Nothing),
        ProcessorClass {
            step: UnreadPadding,
            ..class("Blip", 384, None, Bicubic, CLIP)
        },
        by_short_side(class("CLIP", 224, CROPPED, Bicubic, CLIP), Nothing),
        by_short_side(class("ChineseCLIP", 224, CROPPED, Bicubic, CLIP), Nothing),
        by_short_side(class("ConvNext", 384, None, Bilinear, HALF), ConvNextResize),
        class("DINOv3ViT", 224, None, Bilinear, IMAGENET),
        class("DPT", 384, None, Bicubic, HALF),
        class("DeiT", 256, CROPPED, Bicubic, HALF),
        class("EfficientFormer", 224, CROPPED, Bicubic, IMAGENET),
        ProcessorClass {
            step: IncludeTop,
            ..class("EfficientNet", 346, Some((289, false)), Nearest, HALF)
        },
        class("Flava", 224, CROPPED, Bicubic, CLIP),
        by_short_side(class("Levit", 224, CROPPED, Bicubic, IMAGENET), LevitResize),
        by_short_side(class("MobileNetV1", 256, CROPPED, Bilinear, HALF), Nothing),
        by_short_side(class("MobileNetV2", 256, CROPPED, Bilinear, HALF), Nothing),
        ProcessorClass {
            normalize: None,
            ..by_short_side(
                class("MobileViT", 224, Some((256, true)), Bilinear, HALF),
                ChannelFlip,
            )
        },
        class("OwlViT", 768, Some((768, false)), Bicubic, CLIP),
        ProcessorClass {
            step: PerceiverCrop,
            ..class("Perceiver", 224, Some((256, true)), Bicubic, IMAGENET)
        },
        by_short_side(
            class("PoolFormer", 224, CROPPED, Bicubic, IMAGENET),
            PoolFormerResize,
        ),
        class("Pvt", 224, None, Bilinear, IMAGENET),
        class("Segformer", 512, None, Bilinear, IMAGENET),
        class("Siglip", 224, None, Bicubic, HALF),
        class("ViT", 224, None, Bilinear, HALF),
        by_short_side(class("ViTHybrid", 224, CROPPED, Bicubic, CLIP), Nothing),
    ]
};

/// Known classes that do more than is supported.
const NOT_FOLLOWED: [(&str, &str); 17] = [
    ("BridgeTower", "it pads to a multiple of a size"),
    ("ConditionalDetr", "it keeps the proportion and pads"),
    ("Detr", "it keeps the proportion and pads"),
    ("Donut", "it shrinks to a thumbnail and pads"),
    ("Fuyu", "it pads and cuts into patches"),
    ("GLPN", "it rounds the size to a multiple"),
    (
        "ImageGPT",
        "it replaces colours by the number of the nearest cluster",
    ),
    (
        "LayoutLMv2",
        "it puts blue first, and reads the words in the picture",
    ),
    ("LayoutLMv3", "it reads the words in the picture"),
    (
        "Nougat",
        "it cuts margins off, shrinks to a thumbnail and pads",
    ),
    ("Owlv2", "it pads to a square"),
    ("Pix2Struct", "it cuts into a number of patches that varies"),
    ("RTDetr", "it does not normalise unless it is told to"),
    ("Sam", "it keeps the proportion and pads"),
    ("Siglip2", "it cuts into a number of patches that varies"),
    ("Vilt", "it keeps the proportion and pads"),
    ("Yolos", "it keeps the proportion and pads"),
];

/// The result of looking up a class by name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ProcessorLookup {
    /// A supported class.
    Followed(&'static ProcessorClass),
    /// A known class, and why it is not supported.
    Refused(&'static str),
    /// timm's wrapper, whose settings are in config.json.
    Timm,
    Unknown,
}

/// The class of the name `name`, such as `DeiTFeatureExtractor` or `CLIPImageProcessorFast`.
pub(super) fn named(name: &str) -> ProcessorLookup {
    let stem = ["Fast", "Pil"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    let stem = ["ImageProcessor", "FeatureExtractor"]
        .iter()
        .find_map(|end| stem.strip_suffix(end));
    let Some(stem) = stem else {
        return ProcessorLookup::Unknown;
    };
    if stem == "TimmWrapper" {
        return ProcessorLookup::Timm;
    }
    of_stem(stem)
}

/// The class of a name without `ImageProcessor`.
pub(super) fn of_stem(stem: &str) -> ProcessorLookup {
    if let Some(found) = CLASSES.iter().find(|c| c.name.eq_ignore_ascii_case(stem)) {
        return ProcessorLookup::Followed(found);
    }
    NOT_FOLLOWED
        .iter()
        .find(|(class, _)| class.eq_ignore_ascii_case(stem))
        .map_or(ProcessorLookup::Unknown, |(_, why)| {
            ProcessorLookup::Refused(why)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found() {
        for name in [
            "DeiTFeatureExtractor",
            "DeitImageProcessor",
            "DeiTImageProcessorFast",
        ] {
            assert!(
                matches!(named(name), ProcessorLookup::Followed(c) if c.name == "DeiT"),
                "{name}"
            );
        }
        assert_eq!(named("TimmWrapperImageProcessor"), ProcessorLookup::Timm);
        assert_eq!(named("JinaCLIPImageProcessor"), ProcessorLookup::Unknown);
        assert_eq!(named("CLIPProcessor"), ProcessorLookup::Unknown);
        assert!(matches!(
            named("ImageGPTFeatureExtractor"),
            ProcessorLookup::Refused(_)
        ));
    }
}
