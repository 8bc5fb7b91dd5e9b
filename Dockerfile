# The server on Deno: docker build -t selvedge . && docker run --read-only -p 8000:8000 selvedge
# docs/deploy.md says more.
FROM denoland/deno:2.9.6

WORKDIR /app
COPY deno.json deno.lock ./
# A member of the workspace; its packages are not installed.
COPY tests/deno.json tests/
COPY serve serve
COPY shared shared

# The guides of the page at /.
COPY README.md ./
COPY docs docs

# Installs only what serve/main.ts imports, as locked.
RUN deno install --frozen --node-modules-dir=none --entrypoint serve/main.ts && chmod -R a+rX "$DENO_DIR"

# Neither needs to be written at run time, nor may it.
USER deno
ENV HOST=0.0.0.0 PORT=8000
# The settings of the task serve, a faster start and less memory: docs/architecture.md has the reasons.
ENV GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.arena_max=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["deno", "eval", \
  "Deno.exit((await fetch('http://127.0.0.1:' + Deno.env.get('PORT') + '/readyz')).ok ? 0 : 1)"]
CMD ["run", "--v8-flags=--min-semi-space-size=4,--max-semi-space-size=8", \
  "--node-modules-dir=none", "--cached-only", "--frozen", \
  "--allow-net", "--allow-env", "--allow-read=/app,/models,/mnt/models,/feedback", "--allow-write=/feedback", "serve/main.ts"]
