# A container image of the server: runs without root, and with a read-only root file system.
#
#     docker build -t asif .
#     docker run --read-only --cap-drop ALL --security-opt no-new-privileges \
#         -p 127.0.0.1:8080:8080 -v /srv/asif/sets:/sets:ro -v /srv/asif/api-key:/run/secrets/api-key:ro \
#         asif serve --index pets=/sets/pets.asif --api-key-file /run/secrets/api-key
#
# Add `--probe-listen 0.0.0.0:8081` for the probes of an orchestrator: /health, /ready and /metrics on a
# separate port without a key; do not publish it otherwise.
#
# See docs/operate.md for details. The server writes only to the --uploads folder and, with an admin key, to
# the anchor sets: mount those without `:ro`. Use GET /ready as the readiness check; the image has no HTTP
# client.

FROM rust:1.92-bookworm AS program
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin asif \
    && install -D target/release/asif /out/asif

# ONNX Runtime and the default encoders, pinned by version and sha256, exported without torch.
FROM python:3.12-slim-bookworm AS models
WORKDIR /src/tools
COPY tools .
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/src/tools:/models/python/python-export
RUN python3 -m setup.packages python-export --home /models \
    && python3 -m setup.runtime --home /models \
    && python3 -m setup.models all-MiniLM-L6-v2 --home /models \
    && python3 -m setup.models efficientnet-lite0 --home /models \
    && rm -r /models/python

# The C and C++ libraries that the program and ONNX Runtime need, and a user without rights.
FROM debian:bookworm-slim
USER 65532:65532
# Hosts of --image-hosts are known by these.
COPY --from=program /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=models /models /opt/asif
COPY --from=program /out/asif /usr/local/bin/asif
# A container is reached from outside of it, so an address of its own is not a way in by itself: without
# a key, or --insecure, the server refuses to start.
ENV ASIF_HOME=/opt/asif ASIF_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/asif"]
CMD ["serve", "--help"]
