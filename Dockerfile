# One image for every role, the collector and the command line: Deno, the sources, the kernels and the page, nothing else.
# `npm run image` builds it with docker, podman or buildah; scripts/image-content.mjs has what is in it.

FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY scripts scripts
RUN npm ci --include=dev --no-audit --no-fund
COPY . .
RUN node scripts/prepare.mjs && node scripts/image-content.mjs /

FROM debian:bookworm-slim
# A layer of its own: it is larger than the rest, and changes less often.
COPY --from=build /usr/local/bin/deno /usr/local/bin/deno
COPY --from=build /usr/local/bin/tailrace /usr/local/bin/tailrace
COPY --from=build /app /app
RUN mkdir /data && chown 65532:65532 /data
ENV DENO_DIR=/app/.deno DENO_NO_UPDATE_CHECK=1 MALLOC_ARENA_MAX=2
USER 65532:65532
WORKDIR /data
EXPOSE 3100
VOLUME /data
# For docker and podman; Kubernetes has probes. Without curl in the image, the shell asks.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/3100 && printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3 && head -1 <&3 | grep -q ' 200 '"]
# As the manifests in k8s/ start it, with the same sandbox. Other commands: --entrypoint tailrace.
ENTRYPOINT ["deno", "run", "--no-prompt", "--quiet", "--no-lock", "--config=/app/deno.json", "--v8-flags=--expose-gc", \
  "--allow-env", "--allow-sys=cpus,hostname", "--allow-read=/app,/data,/etc/tailrace", "--allow-write=/data", \
  "--allow-net=0.0.0.0:3100", "/app/src/main.ts"]
CMD ["serve", "--common.path-prefix=/data", "--server.http-listen-address=0.0.0.0", "--server.http-listen-port=3100"]
