# Two stages: the first makes the wheel and its environment, the second only runs it.
FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .
RUN python -m venv /opt/cvserve && /opt/cvserve/bin/pip install --no-cache-dir /wheels/*.whl

FROM python:3.12-slim
LABEL org.opencontainers.image.title="cvserve" \
      org.opencontainers.image.description="Serve an image classifier with tokens, history and access log" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/cvserve /opt/cvserve
# Group 0 may write too, for platforms that run containers under any user of that group.
RUN install -d -o 10001 -g 0 -m 0770 /data /home/cvserve
ENV PATH="/opt/cvserve/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CVSERVE_HOME=/data \
    HOME=/home/cvserve \
    XDG_CACHE_HOME=/data/.cache
WORKDIR /data
VOLUME /data
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["cvserve", "health"]
ENTRYPOINT ["cvserve"]
CMD ["serve", "--host", "0.0.0.0", "--public-health"]
