//! What the classes of Hugging Face's image processors do with the same keys.
//!
//! From `src/transformers/models/*/image_processing_*.py`: the defaults of each constructor, whether
//! one number as `size` is a square or the short side, and the steps that only one class has. The
//! `Fast` classes have the same defaults.

use crate::encode::image::resample::Filter;

/// ImageNet's mean and deviation.
const IMAGENET: Deviation = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// Half and half, which gives -1 to 1.
const HALF: Deviation = ([0.5; 3], [0.5; 3]);
/// Those of CLIP's training set.
const CLIP: Deviation = (
    [0.48145466, 0.4578275, 0.40821073],
    [0.26862954, 0.26130258, 0.27577711],
);

/// Mean and standard deviation of each channel.
pub(super) type Deviation = ([f64; 3], [f64; 3]);

/// The constructor of an image processor class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProcessorClass {
    /// The class's name without `ImageProcessor` or `FeatureExtractor`.
    pub name: &'static str,
    /// The size where the file gives none.
    pub side: u32,
    /// Whether one number as `size` is a square; else it is the short side.
    pub square: bool,
    /// The side of the centre crop, and whether it is done, where the file does not say; none for a
    /// class that has no crop.
    pub crop: Option<(u32, bool)>,
    pub filter: Filter,
    /// None for a class that does not normalise.
    pub normalize: Option<Deviation>,
    pub step: OwnStep,
}

/// What only this class does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnStep {
    Nothing,
    /// The short side becomes `int(256 / 224 * size)`.
    LevitResize,
    /// The size is divided by `crop_pct`.
    PoolFormerResize,
    /// Below 384 the size is divided by `crop_pct` and cut out; else the picture is squeezed.
    ConvNextResize,
    /// `size / crop_size` of the short side is cut out before resizing.
    PerceiverCrop,
    /// Red and blue change places.
    ChannelFlip,
    /// Values may be divided by the deviation once more.
    IncludeTop,
}

const fn class(
    name: &'static str,
    side: u32,
    crop: Option<(u32, bool)>,
    filter: Filter,
    normalize: Deviation,
) -> ProcessorClass {
    ProcessorClass {
        name,
        side,
        square: true,
        crop,
        filter,
        normalize: Some(normalize),
        step: OwnStep::Nothing,
    }
}

const fn by_short_side(class: ProcessorClass, step: OwnStep) -> ProcessorClass {
    ProcessorClass {
        square: false,
        step,
        ..class
    }
}

/// The classes that are followed.
pub(super) const CLASSES: [ProcessorClass; 24] = {
    use Filter::{Bicubic, Bilinear, Nearest};
    use OwnStep::{
        ChannelFlip, ConvNextResize, IncludeTop, LevitResize, Nothing, PerceiverCrop,
        PoolFormerResize,
    };
    const CROPPED: Option<(u32, bool)> = Some((224, true));
    [
        class("Beit", 256, CROPPED, Bicubic, HALF),
        by_short_side(class("Bit", 224, CROPPED, Bicubic, CLIP), Nothing),
        class("Blip", 384, None, Bicubic, CLIP),
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

/// Classes that are known and do more than is done here.
const NOT_FOLLOWED: [(&str, &str); 14] = [
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
        "Nougat",
        "it cuts margins off, shrinks to a thumbnail and pads",
    ),
    ("Owlv2", "it pads to a square"),
    ("Pix2Struct", "it cuts into a number of patches that varies"),
    ("Sam", "it keeps the proportion and pads"),
    ("Siglip2", "it cuts into a number of patches that varies"),
    ("Vilt", "it keeps the proportion and pads"),
    ("Yolos", "it keeps the proportion and pads"),
];

/// Which class a folder without a class's name is of, by `model_type` in its config.json.
const BY_MODEL_TYPE: [(&str, &str); 72] = [
    ("align", "EfficientNet"),
    ("altclip", "CLIP"),
    ("beit", "Beit"),
    ("bit", "Bit"),
    ("blip", "Blip"),
    ("blip-2", "Blip"),
    ("blip_vision_model", "Blip"),
    ("bridgetower", "BridgeTower"),
    ("chinese_clip", "ChineseCLIP"),
    ("clip", "CLIP"),
    ("clip_vision_model", "CLIP"),
    ("clipseg", "ViT"),
    ("conditional_detr", "ConditionalDetr"),
    ("convnext", "ConvNext"),
    ("convnextv2", "ConvNext"),
    ("cvt", "ConvNext"),
    ("data2vec-vision", "Beit"),
    ("deit", "DeiT"),
    ("detr", "Detr"),
    ("dinat", "ViT"),
    ("dinov2", "Bit"),
    ("dinov2_with_registers", "Bit"),
    ("dinov3_vit", "DINOv3ViT"),
    ("donut-swin", "Donut"),
    ("dpt", "DPT"),
    ("efficientformer", "EfficientFormer"),
    ("efficientnet", "EfficientNet"),
    ("flava", "Flava"),
    ("focalnet", "Bit"),
    ("fuyu", "Fuyu"),
    ("git", "CLIP"),
    ("glpn", "GLPN"),
    ("groupvit", "CLIP"),
    ("hiera", "Bit"),
    ("ijepa", "ViT"),
    ("imagegpt", "ImageGPT"),
    ("instructblip", "Blip"),
    ("levit", "Levit"),
    ("metaclip_2", "CLIP"),
    ("mgp-str", "ViT"),
    ("mobilenet_v1", "MobileNetV1"),
    ("mobilenet_v2", "MobileNetV2"),
    ("mobilevit", "MobileViT"),
    ("mobilevitv2", "MobileViT"),
    ("nat", "ViT"),
    ("owlv2", "Owlv2"),
    ("owlvit", "OwlViT"),
    ("perceiver", "Perceiver"),
    ("pix2struct", "Pix2Struct"),
    ("poolformer", "PoolFormer"),
    ("pvt", "Pvt"),
    ("pvt_v2", "Pvt"),
    ("regnet", "ConvNext"),
    ("resnet", "ConvNext"),
    ("sam", "Sam"),
    ("sam_vision_model", "Sam"),
    ("segformer", "Segformer"),
    ("siglip", "Siglip"),
    ("siglip2", "Siglip2"),
    ("siglip2_vision_model", "Siglip2"),
    ("siglip_vision_model", "Siglip"),
    ("swin", "ViT"),
    ("swinv2", "ViT"),
    ("table-transformer", "Detr"),
    ("van", "ConvNext"),
    ("vilt", "Vilt"),
    ("vit", "ViT"),
    ("vit_hybrid", "ViTHybrid"),
    ("vit_mae", "ViT"),
    ("vit_msn", "ViT"),
    ("xclip", "CLIP"),
    ("yolos", "Yolos"),
];

/// What a class's name says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Named {
    /// A class that is followed.
    Followed(&'static ProcessorClass),
    /// A class that is known, and why it is not followed.
    Refused(&'static str),
    /// timm's wrapper, whose settings are in config.json.
    Timm,
    Unknown,
}

/// The class of the name `name`, such as `DeiTFeatureExtractor` or `CLIPImageProcessorFast`.
pub(super) fn named(name: &str) -> Named {
    let stem = ["Fast", "Pil"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name);
    let stem = ["ImageProcessor", "FeatureExtractor"]
        .iter()
        .find_map(|end| stem.strip_suffix(end));
    let Some(stem) = stem else {
        return Named::Unknown;
    };
    if stem == "TimmWrapper" {
        return Named::Timm;
    }
    of_stem(stem)
}

fn of_stem(stem: &str) -> Named {
    if let Some(found) = CLASSES.iter().find(|c| c.name.eq_ignore_ascii_case(stem)) {
        return Named::Followed(found);
    }
    NOT_FOLLOWED
        .iter()
        .find(|(class, _)| class.eq_ignore_ascii_case(stem))
        .map_or(Named::Unknown, |(_, why)| Named::Refused(why))
}

/// The class that reads folders of this `model_type`; [`Named::Unknown`] where none is known.
pub(super) fn of_model_type(model_type: &str) -> Named {
    let class = BY_MODEL_TYPE.iter().find(|(kind, _)| *kind == model_type);
    class.map_or(Named::Unknown, |(_, class)| of_stem(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_type_has_a_class_and_every_spelling_is_found() {
        for (kind, _) in BY_MODEL_TYPE {
            assert_ne!(of_model_type(kind), Named::Unknown, "{kind}");
        }
        for name in [
            "DeiTFeatureExtractor",
            "DeitImageProcessor",
            "DeiTImageProcessorFast",
        ] {
            assert!(
                matches!(named(name), Named::Followed(c) if c.name == "DeiT"),
                "{name}"
            );
        }
        assert_eq!(named("TimmWrapperImageProcessor"), Named::Timm);
        assert_eq!(named("JinaCLIPImageProcessor"), Named::Unknown);
        assert_eq!(named("CLIPProcessor"), Named::Unknown);
        assert!(matches!(
            named("ImageGPTFeatureExtractor"),
            Named::Refused(_)
        ));
    }
}
