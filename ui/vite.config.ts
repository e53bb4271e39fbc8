// Builds the page into ui/dist. Invariant: every URL in the output is relative, so that the page works below any path
// prefix, and nothing is inlined, so that it runs under `default-src 'self'`.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Has the browser fetch the page beside what asks the server: boot.ts imports it only after having asked. */
const preloadPage: Plugin = {
  name: "preload-page",
  transformIndexHtml: {
    order: "post",
    handler(_, { bundle = {} }) {
      const page = Object.values(bundle).find((file) =>
        file.type === "chunk" && file.name === "page"
      );
      if (page === undefined) throw new Error("the build has no chunk named page");
      const attrs = { rel: "modulepreload", crossorigin: true, href: `./${page.fileName}` };
      return [{ tag: "link", attrs, injectTo: "head" }];
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
  plugins: [preloadPage, compress],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  // The parser comes along, the engine of regular expressions it would run on the server does not.
  resolve: { alias: { re2js: `${import.meta.dirname}/src/editor/re2.ts` } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rolldownOptions: {
      checks: { pluginTimings: false },
      output: {
        // Two files of code at the start: boot.ts with all it needs, for which alone the first request waits, and the page.
        codeSplitting: {
          groups: [
            { name: "boot", test: /\/boot\.ts$/, priority: 2 },
            { name: "page", test: /\/main\.ts$/, priority: 1 },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      "/loki": { target: process.env.TAILRACE_URL ?? "http://127.0.0.1:3100", ws: true },
      "/tailrace": { target: process.env.TAILRACE_URL ?? "http://127.0.0.1:3100", ws: true },
    },
  },
});
