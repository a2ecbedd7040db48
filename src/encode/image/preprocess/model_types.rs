//! The image processor class of a folder that names none, by `model_type` in config.json.
//!
//! From `src/transformers/models/auto` of Hugging Face's transformers.

use super::classes::{ProcessorLookup, of_stem};

/// Model types with a known class.
const BY_MODEL_TYPE: [(&str, &str); 94] = [
    ("aimv2", "CLIP"),
    ("aimv2_vision_model", "CLIP"),
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
    ("colpali", "Siglip"),
    ("conditional_detr", "ConditionalDetr"),
    ("convnext", "ConvNext"),
    ("convnextv2", "ConvNext"),
    ("cvt", "ConvNext"),
    ("d_fine", "RTDetr"),
    ("data2vec-vision", "Beit"),
    ("deimv2", "RTDetr"),
    ("deit", "DeiT"),
    ("depth_anything", "DPT"),
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
    ("florence2", "CLIP"),
    ("focalnet", "Bit"),
    ("fuyu", "Fuyu"),
    ("gemma3n", "Siglip"),
    ("git", "CLIP"),
    ("glpn", "GLPN"),
    ("groupvit", "CLIP"),
    ("hiera", "Bit"),
    ("ijepa", "ViT"),
    ("imagegpt", "ImageGPT"),
    ("instructblip", "Blip"),
    ("kosmos-2", "CLIP"),
    ("layoutlmv2", "LayoutLMv2"),
    ("layoutlmv3", "LayoutLMv3"),
    ("layoutxlm", "LayoutLMv2"),
    ("levit", "Levit"),
    ("metaclip_2", "CLIP"),
    ("mgp-str", "ViT"),
    ("mlcd", "CLIP"),
    ("mobilenet_v1", "MobileNetV1"),
    ("mobilenet_v2", "MobileNetV2"),
    ("mobilevit", "MobileViT"),
    ("mobilevitv2", "MobileViT"),
    ("nat", "ViT"),
    ("owlv2", "Owlv2"),
    ("owlvit", "OwlViT"),
    ("paligemma", "Siglip"),
    ("perceiver", "Perceiver"),
    ("pix2struct", "Pix2Struct"),
    ("pixio", "Bit"),
    ("poolformer", "PoolFormer"),
    ("pvt", "Pvt"),
    ("pvt_v2", "Pvt"),
    ("regnet", "ConvNext"),
    ("resnet", "ConvNext"),
    ("rt_detr", "RTDetr"),
    ("rt_detr_v2", "RTDetr"),
    ("sam", "Sam"),
    ("sam_vision_model", "Sam"),
    ("segformer", "Segformer"),
    ("siglip", "Siglip"),
    ("siglip2", "Siglip2"),
    ("siglip2_vision_model", "Siglip2"),
    ("siglip_vision_model", "Siglip"),
    ("swiftformer", "ViT"),
    ("swin", "ViT"),
    ("swinv2", "ViT"),
    ("table-transformer", "Detr"),
    ("trocr", "ViT"),
    ("udop", "LayoutLMv3"),
    ("upernet", "Segformer"),
    ("van", "ConvNext"),
    ("vilt", "Vilt"),
    ("vipllava", "CLIP"),
    ("vit", "ViT"),
    ("vit_hybrid", "ViTHybrid"),
    ("vit_mae", "ViT"),
    ("vit_msn", "ViT"),
    ("xclip", "CLIP"),
    ("yolos", "Yolos"),
];

/// Model types whose class does more than is done here: most cut into patches, pad, keep the proportion
/// or have options for it. For a type on neither list the file is trusted.
const DOES_MORE: &str = "\
    apertus1p5 aria aya_vision chameleon chmv2 cohere2_vision cohere_compass colqwen2 cosmos3_edge \
    cosmos3_omni deepseek_ocr2 deepseek_vl deepseek_vl_hybrid deformable_detr depth_pro deta \
    dots3_note edgetam efficientloftr embedding_gemma2 emu3 eomt eomt_dinov3 ernie4_5_vl_moe \
    exaone4_5 gemma3 gemma4 gemma4_unified glm46v glm4v glm5_next glm_image glmga got_ocr2 \
    granite4_vision granite_docling grounding-dino hunyuan_vl hy_v4_vl hyperclovax_vision_v2 \
    idefics idefics2 idefics3 inkling2 inkling2_loop inkling_mm_model internvl janus kimi_k25 \
    kosmos-2.5 lfm2_vl lfm3_vl lightglue lighton_ocr llama4 llava llava_next llava_next_video \
    llava_onevision lw_detr mask2former maskformer minicpm_ocr minicpmv4_6 minicpmv4_7 \
    minimax_m3_vl mistral3 mistral_large4 mllama mm-grounding-dino molmo2 muse_glimmer muse_spark \
    nemotron_h_omni neomme nougat omdet-turbo oneformer ovis2 paddleocr_vl perception_lm \
    phi4_multimodal pi0 pixtral pp_chart2table pp_doclayout_v2 pp_doclayout_v3 pp_doclayout_v4 \
    pp_formulanet pp_lcnet pp_ocrv5_mobile_det pp_ocrv5_mobile_rec pp_ocrv5_server_det \
    pp_ocrv5_server_rec pp_ocrv6_medium_det pp_ocrv6_small_det pp_ocrv6_small_rec \
    pp_ocrv6_tiny_rec prompt_depth_anything qianfan_ocr qwen2_5_omni qwen2_5_vl qwen2_vl qwen3_5 \
    qwen3_5_moe qwen3_omni_moe qwen3_vl qwen4_exp rf_detr sam2 sam2_video sam3 sam3_lite_text \
    sam3_tracker sam3_tracker_video sam3_video sam_hq sapiens2 seggpt shieldgemma2 slanet slanext \
    smolvlm step3p7 superglue superpoint swin2sr t5gemma2 t5gemma2_encoder textnet timesformer \
    tipsv2 tipsv2_dpt tvlt tvp ultravbert unlimited_ocr uvdoc video_llama_3 video_llava videomae \
    vitmatte vitpose vivit zoedepth";

/// The class that reads folders of this `model_type`; [`ProcessorLookup::Unknown`] for a type on neither list.
pub(super) fn of_model_type(model_type: &str) -> ProcessorLookup {
    if DOES_MORE.split_whitespace().any(|kind| kind == model_type) {
        return ProcessorLookup::Refused("it does more than is done here");
    }
    let class = BY_MODEL_TYPE.iter().find(|(kind, _)| *kind == model_type);
    class.map_or(ProcessorLookup::Unknown, |(_, class)| of_stem(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_type_has_a_class() {
        for (kind, _) in BY_MODEL_TYPE {
            assert_ne!(of_model_type(kind), ProcessorLookup::Unknown, "{kind}");
        }
        for kind in ["layoutlmv2", "rt_detr", "qwen2_vl", "videomae"] {
            assert!(
                matches!(of_model_type(kind), ProcessorLookup::Refused(_)),
                "{kind}"
            );
        }
        for kind in DOES_MORE.split_whitespace() {
            let why = ProcessorLookup::Refused("it does more than is done here");
            assert_eq!(of_model_type(kind), why, "{kind}");
            assert!(
                BY_MODEL_TYPE.iter().all(|(other, _)| *other != kind),
                "{kind}"
            );
        }
        assert_eq!(
            of_model_type("efficientnet_lite0"),
            ProcessorLookup::Unknown
        );
    }
}
