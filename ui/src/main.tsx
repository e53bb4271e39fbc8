// Starts the page: follows the address, draws the app, listens to keys.
import { effect } from "@preact/signals";
import { render } from "preact";
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
import { App } from "./view/App.tsx";
import { listenToKeys } from "./view/keyboard.ts";

applyTheme();
followHistory();

// The query's request leaves before the first paint.
let refreshedFor = "";
effect(() => {
  const { query, range } = address.value;
  follow();
  const key = JSON.stringify([query, range]);
  if (key === refreshedFor) return;
  refreshedFor = key;
  void refresh();
});

followVolume();

const root = document.getElementById("app");
if (root !== null) render(<App />, root);
listenToKeys();
