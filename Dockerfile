# For linux/amd64 and linux/arm64: docker buildx build --platform linux/amd64,linux/arm64 --tag drift-exporter .
# Python is Debian's own, so its security updates are Debian's: build anew to have them.

FROM debian:trixie-slim AS python
# hadolint ignore=DL3008  # the newest that this release of Debian has: fixes, no changes
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +


FROM python AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*

# The libraries first: they change seldom, and their layer is kept.
WORKDIR /source
COPY constraints.txt pyproject.toml ./
COPY scripts/requirements.py scripts/
RUN python3 -m venv --without-pip /opt/drift-exporter \
    && python3 scripts/requirements.py >requirements.txt \
    && python3 -m pip --python /opt/drift-exporter/bin/python install --no-cache-dir --no-compile \
        --only-binary=:all: --constraint constraints.txt --requirement requirements.txt

COPY LICENSE README.md ./
COPY exporter exporter
RUN python3 -m pip --python /opt/drift-exporter/bin/python install --no-cache-dir --no-compile --no-deps .


# The producer of compose.yaml: the flights of 2013 as if they were of now.
FROM build AS flights
RUN python3 -m pip --python /opt/drift-exporter/bin/python install --no-cache-dir --constraint constraints.txt '.[demo]' \
    && install --directory --owner 65532 --group 65532 /flights
USER 65532:65532
VOLUME /flights
ENTRYPOINT ["/opt/drift-exporter/bin/python", "-m", "exporter.demo.kafka_feed"]


FROM build AS slim
# What is never imported goes: tests, headers, types, and Arrow's servers and clouds. The rest is compiled once, here.
RUN find /opt/drift-exporter \
        \( -type d \( -name tests -o -name include \) -o -name '*.pyi' -o -name '*.pxd' \
        -o -path '*/pyarrow/*flight*' -o -path '*/pyarrow/*s3*' \) \
        -prune -exec rm -rf {} + \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/drift-exporter/lib \
    && install --directory --owner 65532 --group 65532 /state


FROM python AS exporter
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="drift-exporter" \
      org.opencontainers.image.description="Prometheus exporter for model drift, from Kafka to /metrics" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="the drift-exporter authors" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.url="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}"

COPY --from=slim /opt/drift-exporter /opt/drift-exporter
# The one place that is written to; a new volume takes over its owner.
COPY --from=slim --chown=65532:65532 /state /var/lib/drift-exporter

ENV PATH=/opt/drift-exporter/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DRIFT_EXPORTER__STATE__PATH=/var/lib/drift-exporter/state \
    DRIFT_EXPORTER_HEALTH=http://localhost:9877/-/healthy
USER 65532:65532
WORKDIR /var/lib/drift-exporter
VOLUME /var/lib/drift-exporter
EXPOSE 9877
# Without a shell, curl or a proxy; the variable is for a port or a scheme of your own.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
    CMD ["python3", "-I", "-m", "exporter.probe"]
ENTRYPOINT ["drift-exporter"]
CMD ["run", "--config", "/etc/drift-exporter/config.yaml"]
