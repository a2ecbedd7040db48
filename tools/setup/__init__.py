"""What tools/quickstart.sh runs, a step a module: each is idempotent and prints one line.

| module | step |
|---|---|
| packages | the Python packages that other steps or the tests import, in a folder of their own |
| runtime | ONNX Runtime's shared library |
| models, catalogue | encoders: download, check, export, lay out a model folder |
| pairs, stamps, emoji | the demo's image-text pairs |
| photos | the demo's photos and labels |
| browser | Chromium for the page's test |
| wheels | pinned downloads from the Python package registry |
| common | errors, hashes, replacing a folder in one step |
"""
