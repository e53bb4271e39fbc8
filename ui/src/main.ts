// Starts the page. What the address asks for is asked of the server at once, by the state alone; what draws it is a chunk of
// its own that loads meanwhile (view/start.tsx). Invariant: the first request waits for no component.
import { effect } from "@preact/signals-core";
import { address, followHistory } from "./state/address.ts";
import { follow } from "./state/explore.ts";
import { refresh } from "./state/labels.ts";
import { applyTheme } from "./state/screen.ts";
import { followVolume } from "./state/volume.ts";
import "./style/base.css";
import "./style/controls.css";
import "./style/sidebar.css";
import "./style/list.css";
import "./style/drawer.css";
import "./style/panels.css";

applyTheme();
followHistory();

let refreshedFor = "";
effect(() => {
  const { query, range, tenant } = address.value;
  follow();
  const key = JSON.stringify([query, range, tenant]);
  if (key === refreshedFor) return;
  refreshedFor = key;
  void refresh();
});

followVolume();

import("./view/start.tsx").then(({ start }) => start()).catch((cause: unknown) => {
  console.error(cause);
  const root = document.getElementById("app");
  if (root !== null) root.textContent = "The page could not be loaded whole. Load it again.";
});
