// The top bar: name, time range, run again, live, theme, help.
import { address } from "../state/address.ts";
import { draft } from "../state/explore.ts";
import { helpOpen, nextTheme, sidebarOpen, theme } from "../state/screen.ts";
import { Icon, Logo } from "./icons.tsx";
import { runAgain, toggleLive } from "./keyboard.ts";
import { TimePicker } from "./TimePicker.tsx";

export function TopBar() {
  const { live } = address.value;
  const idle = draft.value.trim() === "";
  return (
    <header class="topbar">
      <button
        type="button"
        class="button quiet"
        aria-pressed={sidebarOpen.value}
        title="Labels (b)"
        onClick={() => sidebarOpen.value = !sidebarOpen.value}
      >
        <Icon name="labels" />
        <span class="visually-hidden">Labels</span>
      </button>
      <a class="brand" href="./">
        <Logo />
        <span>Tailrace</span>
      </a>
      <div class="grow" />
      <TimePicker />
      <button
        type="button"
        class="button"
        disabled={idle}
        title="Run again (r)"
        onClick={runAgain}
      >
        <Icon name="refresh" />
        <span class="wide-only">Refresh</span>
      </button>
      <button
        type="button"
        class={`button live-button ${live ? "on" : ""}`}
        disabled={idle}
        aria-pressed={live}
        title={idle ? "Choose labels or write a query first" : "Follow new lines as they come (l)"}
        onClick={toggleLive}
      >
        <span class="live-dot" aria-hidden="true" />
        Live
      </button>
      <button
        type="button"
        class="button quiet"
        title={`Theme: ${theme.value} (d)`}
        aria-label={`Theme: ${theme.value}. Switch`}
        onClick={nextTheme}
      >
        <Icon name="theme" />
      </button>
      <button
        type="button"
        class="button quiet"
        title="Keys and query examples (?)"
        aria-label="Help"
        onClick={() => helpOpen.value = true}
      >
        <Icon name="help" />
      </button>
    </header>
  );
}
