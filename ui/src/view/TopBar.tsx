// The top bar: name, the page's places, tenant, time range, run again, live, theme, help.
import { address, go } from "../state/address.ts";
import type { Address } from "../state/addressText.ts";
import { draft } from "../state/explore.ts";
import { helpOpen, nextTheme, sidebarOpen, theme } from "../state/screen.ts";
import { Icon, Logo } from "./icons.tsx";
import { runAgain, toggleLive } from "./keyboard.ts";
import { MoreMenu } from "./MoreMenu.tsx";
import { TenantChoice } from "./TenantChoice.tsx";
import { TimePicker } from "./TimePicker.tsx";

const places: readonly (readonly [Address["page"], string])[] = [
  ["explore", "Explore"],
  ["kubernetes", "Kubernetes"],
  ["operations", "Operations"],
];

export function TopBar() {
  const { live, page } = address.value;
  const idle = draft.value.trim() === "";
  return (
    <header class="topbar">
      {page === "explore" && (
        <button
          type="button"
          class="button quiet"
          aria-pressed={sidebarOpen.value}
          title="Labels and fields (b)"
          onClick={() => sidebarOpen.value = !sidebarOpen.value}
        >
          <Icon name="labels" />
          <span class="visually-hidden">Labels</span>
        </button>
      )}
      <a class="brand" href="./" aria-label="Tailrace">
        <Logo />
        <span>Tailrace</span>
      </a>
      <nav class="places" aria-label="Pages">
        {places.map(([name, words]) => (
          <button
            key={name}
            type="button"
            aria-current={page === name ? "page" : undefined}
            onClick={() => go({ page: name, entry: "" }, "push")}
          >
            {words}
          </button>
        ))}
      </nav>
      <div class="grow" />
      <TenantChoice />
      <TimePicker />
      {page === "explore" && (
        <>
          <button
            type="button"
            class="button"
            disabled={idle}
            title="Run again (r)"
            aria-label="Refresh"
            onClick={runAgain}
          >
            <Icon name="refresh" />
          </button>
          <button
            type="button"
            class={`button live-button ${live ? "on" : ""}`}
            disabled={idle}
            aria-pressed={live}
            title={idle
              ? "Choose labels or write a query first"
              : "Follow new lines as they come (l)"}
            onClick={toggleLive}
          >
            <span class="live-dot" aria-hidden="true" />
            Live
          </button>
        </>
      )}
      <button
        type="button"
        class="button quiet wide-only"
        title={`Theme: ${theme.value} (d)`}
        aria-label={`Theme: ${theme.value}. Switch`}
        onClick={nextTheme}
      >
        <Icon name="theme" />
      </button>
      <button
        type="button"
        class="button quiet wide-only"
        title="Keys and query examples (?)"
        aria-label="Help"
        onClick={() => helpOpen.value = true}
      >
        <Icon name="help" />
      </button>
      <MoreMenu />
    </header>
  );
}
