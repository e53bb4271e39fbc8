// Builds the page into ui/dist. Invariant: every URL in the output is relative, so that the page works below any path
// prefix, and nothing is inlined, so that it runs under `default-src 'self'`.
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
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
  },
  server: {
    proxy: {
      "/loki": { target: process.env.TAILRACE_URL ?? "http://127.0.0.1:3100", ws: true },
      "/tailrace": { target: process.env.TAILRACE_URL ?? "http://127.0.0.1:3100", ws: true },
    },
  },
});
