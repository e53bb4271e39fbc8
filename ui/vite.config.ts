// Builds the page into ui/dist. Invariant: every URL in the output is relative, so that the page works below any path
// prefix, and one script is inlined, boot.ts, whose hash the server's policy names, so that it runs under `default-src 'self'`.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, defineConfig, type Plugin } from "vite";

const target = "es2022";

/** Puts boot.ts with all it imports into index.html, where no request of its own has to bring it. */
const inlineBoot: Plugin = {
  name: "inline-boot",
  apply: "build",
  transformIndexHtml: {
    order: "pre",
    async handler(html) {
      const tag = '<script type="module" src="/src/boot.ts"></script>';
      if (!html.includes(tag)) throw new Error(`index.html lacks ${tag}`);
      const built = await build({
        configFile: false,
        logLevel: "warn",
        build: {
          write: false,
          target,
          rolldownOptions: {
            input: `${import.meta.dirname}/src/boot.ts`,
            output: { format: "iife" },
          },
        },
      });
      if (!("output" in built)) throw new Error("boot.ts was not built as one script");
      const code = built.output[0].code.trim();
      if (/<\/script|<!--/i.test(code)) throw new Error("boot.ts would end its own element");
      return html.replace(tag, () => `<script>${code}</script>`);
    },
  },
};

/** Writes each file compressed beside itself, as small as can be: servers then only send. */
const compress: Plugin = {
  name: "compress",
  closeBundle() {
    const folder = `${import.meta.dirname}/dist`;
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = `${entry.parentPath}/${entry.name}`;
      const bytes = readFileSync(path);
      writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
      writeFileSync(`${path}.br`, brotliCompressSync(bytes));
    }
  },
};

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [inlineBoot, compress],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  // The parser comes along, the engine of regular expressions it would run on the server does not; nor do syntax trees.
  resolve: {
    alias: {
      re2js: `${import.meta.dirname}/src/editor/re2.ts`,
      "@codemirror/language": `${import.meta.dirname}/src/editor/language.ts`,
      "@lezer/common": `${import.meta.dirname}/src/editor/language.ts`,
    },
  },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rolldownOptions: {
      checks: { pluginTimings: false },
      // One file of code at the start.
      output: { codeSplitting: { groups: [{ name: "page", test: /\/main\.ts$/ }] } },
    },
  },
  server: {
    proxy: {
      "/loki": { target: process.env.TAILRACE_URL ?? "http://127.0.0.1:3100", ws: true },
      "/tailrace": { target: process.env.TAILRACE_URL ?? "http://127.0.0.1:3100", ws: true },
    },
  },
});
