// Builds the page into ui/dist. Invariant: every URL in the output is relative, so that the page works below any path
// prefix, and nothing is inlined, so that it runs under `default-src 'self'`.
import { defineConfig, type Plugin } from "vite";

/** Has the browser fetch what draws the page beside what asks the server: main.ts imports it only after having asked. */
const preloadView: Plugin = {
  name: "preload-view",
  transformIndexHtml: {
    order: "post",
    handler(html, { bundle = {} }) {
      const view = Object.values(bundle).find((file) =>
        file.type === "chunk" && (file.facadeModuleId ?? "").endsWith("/view/start.tsx")
      );
      if (view?.type !== "chunk") return [];
      return [view.fileName, ...view.imports].filter((name) => !html.includes(name)).map((
        name,
      ) => ({
        tag: "link",
        attrs: { rel: "modulepreload", crossorigin: true, href: `./${name}` },
        injectTo: "head",
      }));
    },
  },
};

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [preloadView],
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
