// The page's code: follows what the address asks for, which boot.ts has asked the server already, and draws it.
import { effect } from "@preact/signals-core";
import { end } from "./api/headStart.ts";
import { address, followHistory } from "./state/address.ts";
import { follow } from "./state/explore.ts";
import { refresh } from "./state/labels.ts";
import { applyTheme } from "./state/screen.ts";
import { followVolume } from "./state/volume.ts";
import { start } from "./view/start.tsx";
import "./style/base.css";
import "./style/controls.css";
import "./style/sidebar.css";
import "./style/list.css";
import "./style/drawer.css";
import "./style/panels.css";
import "./style/narrow.css";

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

end();
followVolume();

void start();
