// Draws the page in place of index.html's first sight of it, and listens to keys.
import { render } from "preact";
import { App } from "./App.tsx";
import { listenToKeys } from "./keyboard.ts";

export async function start(): Promise<void> {
  if (document.readyState === "loading") {
    await new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve));
  }
  const root = document.getElementById("app");
  if (root !== null) render(<App />, root);
  listenToKeys();
}
