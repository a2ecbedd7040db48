"""From published weights to ONNX model folders, without torch.

| module | what it does |
|---|---|
| safetensors, torch_pth | read the two weight formats; the second refuses everything but tensors |
| graph | builds, checks and writes an ONNX graph |
| bert | BERT and MPNet sentence encoders |
| efficientnet_lite | EfficientNet-Lite image encoders |
"""
