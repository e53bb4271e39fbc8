// How the lines are shown: order, wrapping, JSON, repeated lines, finding, and taking them away as a file. All but finding
// is in the address.
import { useSignal } from "@preact/signals";
import { address, go } from "../state/address.ts";
import { type Address, choices } from "../state/addressText.ts";
import { downloadAll, downloadLoaded, type FileFormat, saving } from "../state/download.ts";
import { rows } from "../state/explore.ts";
import { names } from "../state/labels.ts";
import { formatCount } from "./figures.ts";
import { FindBox } from "./FindBox.tsx";
import { Icon } from "./icons.tsx";
import { useOutsideClose } from "./outside.ts";

export function ListOptions() {
  const { wrap, pretty, order, live, histogram } = address.value;
  return (
    <div class="options" role="group" aria-label="How lines are shown">
      <FindBox />
      {!live && (
        <button
          type="button"
          class="button small"
          title="Order by time (o)"
          onClick={() => go({ order: order === "newest" ? "oldest" : "newest" }, "push")}
        >
          <Icon name={order === "newest" ? "down" : "up"} />
          {order === "newest" ? "Newest first" : "Oldest first"}
        </button>
      )}
      {!live && (
        <Toggle
          name="histogram"
          on={histogram}
          words="Volume"
          title="Lines over time by level (v)"
        />
      )}
      <Toggle name="wrap" on={wrap} words="Wrap" title="Wrap long lines (w)" />
      <Toggle name="pretty" on={pretty} words="JSON" title="Lay JSON lines out (p)" />
      <DedupChoice />
      <SplitChoice />
      <DownloadMenu />
    </div>
  );
}

interface ToggleProps {
  readonly name: "wrap" | "pretty" | "histogram";
  readonly on: boolean;
  readonly words: string;
  readonly title: string;
}

function Toggle({ name, on, words, title }: ToggleProps) {
  return (
    <button
      type="button"
      class="button small"
      aria-pressed={on}
      title={title}
      onClick={() => go({ [name]: !on }, "replace")}
    >
      {words}
    </button>
  );
}

const dedupWords: Record<Address["dedup"], string> = {
  none: "All lines",
  exact: "Fold equal lines",
  numbers: "Fold, numbers apart",
  signature: "Fold by punctuation",
};

function DedupChoice() {
  return (
    <select
      class={`small-select wide-only ${address.value.dedup === "none" ? "" : "on"}`}
      aria-label="Repeated lines"
      title="Lines that repeat their neighbour are folded into one"
      value={address.value.dedup}
      onChange={(event) => go({ dedup: event.currentTarget.value as Address["dedup"] }, "replace")}
    >
      {choices.dedup.map((name) => <option key={name} value={name}>{dedupWords[name]}</option>)}
    </select>
  );
}

/** Labels that people set side by side, before all others. */
const splitLabels = [
  "pod",
  "container",
  "app",
  "service_name",
  "namespace",
  "host",
  "instance",
  "job",
];

function SplitChoice() {
  const { split } = address.value;
  const known = Array.isArray(names.value) ? names.value as readonly string[] : [];
  const offered = [
    ...splitLabels.filter((name) => known.includes(name)),
    ...known.filter((name) => !splitLabels.includes(name)),
  ];
  if (split !== "" && !offered.includes(split)) offered.push(split);
  return (
    <select
      class={`small-select wide-only ${split === "" ? "" : "on"}`}
      aria-label="Side by side"
      title="Values of a label side by side, each in a pane of its own"
      value={split}
      onChange={(event) => go({ split: event.currentTarget.value }, "push")}
    >
      <option value="">One list</option>
      {offered.map((name) => <option key={name} value={name}>By {name}</option>)}
    </select>
  );
}

const formats: readonly (readonly [FileFormat, string])[] = [
  ["txt", "Text: the lines"],
  ["jsonl", "JSON: a line each, labels included"],
  ["csv", "CSV: time, line, labels as columns"],
];

function DownloadMenu() {
  const isOpen = useSignal(false);
  const root = useOutsideClose<HTMLDivElement>(() => isOpen.value = false);
  const running = saving.value;
  if (running !== undefined) {
    return (
      <button type="button" class="button small" onClick={running.stop}>
        Saving, {formatCount(running.lines)} lines: stop
      </button>
    );
  }
  const choose = (save: (format: FileFormat) => unknown) => (format: FileFormat) => {
    isOpen.value = false;
    void save(format);
  };
  return (
    <div class="picker wide-only" ref={root}>
      <button
        type="button"
        class="button small"
        aria-haspopup="menu"
        aria-expanded={isOpen.value}
        title="Save the lines as a file"
        aria-label="Download lines"
        onClick={() => isOpen.value = !isOpen.value}
      >
        <Icon name="download" />
      </button>
      {isOpen.value && (
        <div class="panel menu" role="menu">
          <Formats
            words={loadedWords(rows.value)}
            save={choose(downloadLoaded)}
          />
          {!address.value.live && (
            <Formats words="All lines that match" save={choose(downloadAll)} />
          )}
        </div>
      )}
    </div>
  );
}

function loadedWords({ held, size }: { readonly held: number; readonly size: number }): string {
  return held === size
    ? `The ${formatCount(size)} loaded lines`
    : `The ${formatCount(held)} lines held of ${formatCount(size)}`;
}

function Formats({ words, save }: { words: string; save: (format: FileFormat) => void }) {
  return (
    <div class="menu-part" role="group" aria-label={words}>
      <p class="hint">{words}</p>
      {formats.map(([format, of]) => (
        <button
          key={format}
          type="button"
          role="menuitem"
          onClick={() => save(format)}
        >
          {of}
        </button>
      ))}
    </div>
  );
}
