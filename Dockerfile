# The server on Deno: docker build -t selvedge . && docker run --read-only -p 8000:8000 selvedge
# docs/deploy.md says more.
FROM denoland/deno:2.9.6

WORKDIR /app
COPY deno.json deno.lock ./
COPY serve serve
COPY shared shared

# Only what the server imports; TensorFlow.js and wrangler are another 500 MB.
RUN deno eval "const config = JSON.parse(Deno.readTextFileSync('deno.json')); \
  const isUsed = (name) => new RegExp('\"' + name + '[\"/]').test(Deno.args[0]); \
  config.imports = Object.fromEntries(Object.entries(config.imports).filter(([name]) => isUsed(name))); \
  Deno.writeTextFileSync('deno.json', JSON.stringify(config))" \
  "$(grep -rhoE --include='*.ts' --include='*.js' 'from "[^".]+' serve shared | sort -u | sed 's/$/"/')" \
  && deno install --node-modules-dir=none --entrypoint serve/main.ts \
  && chmod -R a+rX "$DENO_DIR"

# Neither needs to be written at run time, nor may it.
USER deno
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["deno", "eval", \
  "Deno.exit((await fetch('http://127.0.0.1:' + Deno.env.get('PORT') + '/readyz')).ok ? 0 : 1)"]
CMD ["run", "--node-modules-dir=none", "--cached-only", "--allow-net", "--allow-env", \
  "--allow-read=/app,/models", "serve/main.ts"]
