"""Asks a running server through the clients that people use, and fails when one is not served.

    python3 tools/serve_clients/clients.py URL PACKAGES IMAGE

PACKAGES is the folder of the pinned clients (`setup.packages serve-clients`). Prints a line for each
client.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import urllib.request
from pathlib import Path

URL, PACKAGES, IMAGE = sys.argv[1], sys.argv[2], Path(sys.argv[3])
sys.path.insert(0, PACKAGES)

LABELS = ["a bird", "a house", "a car"]


def check(what: str, holds: bool, found: object = "") -> None:
    if not holds:
        raise SystemExit(f"{what}: {found}")


def openai() -> None:
    """Texts, images, both encodings, models, and errors as the package's own."""
    import openai

    client = openai.OpenAI(base_url=f"{URL}/v1", api_key="none", max_retries=0)
    names = [model.id for model in client.models.list()]
    check("models", names == ["demo"], names)
    texts = ["a cat", "two dogs in the snow"]
    # The package asks for base64 by itself and decodes it.
    answer = client.embeddings.create(model="demo", input=texts)
    check("order", [entry.index for entry in answer.data] == [0, 1])
    check("tokens", answer.usage.total_tokens >= 7, answer.usage)
    for entry in answer.data:
        norm = math.sqrt(sum(x * x for x in entry.embedding))
        check("a unit vector", len(entry.embedding) == 384 and abs(norm - 1) < 1e-3, norm)
    floats = client.embeddings.create(model="demo", input=texts[0], encoding_format="float")
    pairs = zip(floats.data[0].embedding, answer.data[0].embedding, strict=True)
    check("both encodings agree", all(abs(a - b) < 1e-5 for a, b in pairs))
    relative = client.embeddings.create(
        model="demo", input=texts, extra_body={"space": "relative"}
    )
    check("a number an anchor", len(relative.data[0].embedding) == 60)
    try:
        client.embeddings.create(model="no-such-set", input="a")
        check("an unknown model is refused", False)
    except openai.NotFoundError as error:
        check("the error is read", error.code == "no_such_set", error)
        check("the request is named", bool(error.request_id), error)


def huggingface() -> None:
    """InferenceClient as it is, pointed at the server."""
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import HfHubHTTPError

    for url in [URL, f"{URL}/models/demo"]:
        client = InferenceClient()
        answer = client.zero_shot_image_classification(
            IMAGE, candidate_labels=LABELS, hypothesis_template="A photo of {}.", model=url
        )
        check("every label", sorted(a.label for a in answer) == sorted(LABELS), answer)
        scores = [a.score for a in answer]
        check("best first", scores == sorted(scores, reverse=True), scores)
        check("a softmax", abs(sum(scores) - 1) < 1e-4, scores)
    try:
        InferenceClient().zero_shot_image_classification(
            b"no image", candidate_labels=LABELS, model=URL
        )
        check("a bad image is refused", False)
    except HfHubHTTPError as error:
        check("the message is read", "image" in str(error), error)


def prometheus() -> None:
    """Both of Prometheus's text forms."""
    from prometheus_client.openmetrics import parser as openmetrics
    from prometheus_client.parser import text_string_to_metric_families

    with urllib.request.urlopen(f"{URL}/metrics") as response:
        kind, text = response.headers["content-type"], response.read().decode()
    check("content type", kind.startswith("application/openmetrics-text"), kind)
    for parse in [openmetrics.text_string_to_metric_families, text_string_to_metric_families]:
        samples = {s.name: s for family in parse(text) for s in family.samples}
        for name in ["asif_requests_total", "asif_request_seconds_bucket", "asif_generation"]:
            check("a figure", name in samples, name)
        check("the live generation", samples["asif_generation"].value == 1)


def curl() -> None:
    """A form, as the documentation shows it."""
    command = ["curl", "--silent", "--show-error", "--fail-with-body"]
    command += ["-F", f"image=@{IMAGE}", "-F", "labels=a bird", "-F", 'labels=["a house"]']
    done = subprocess.run(
        [*command, f"{URL}/v1/classify"], capture_output=True, text=True, check=False
    )
    check("curl", done.returncode == 0, done.stdout + done.stderr)
    predictions = json.loads(done.stdout)["results"][0]["predictions"]
    check("both labels", len(predictions) == 2, predictions)


for client in [openai, huggingface, prometheus, curl]:
    client()
    print(f"{client.__name__}: ok")
