// One row: level, time, source, text. Text from logs is only ever a text node, and at most 2000 characters of it.
import type { CSSProperties } from "preact";
import { formatDay, formatExact, formatRfc3339, formatTimeOfDay } from "../model/nanoseconds.ts";
import {
  type Entry,
  levelOf,
  type Notice,
  type Row,
  rowCharactersMax,
  rowText,
  sourceOf,
} from "../model/row.ts";
import { address, writeAddress } from "../state/address.ts";
import { open, opened, selected, shown } from "../state/explore.ts";
import { formatBytes } from "./StatusStrip.tsx";

interface Props {
  readonly sequence: number;
  /** Position in the list, from 1. */
  readonly index: number;
  readonly row: Row | undefined;
  /** Pixels from the top of the list. */
  readonly top: number;
  readonly wrap: boolean;
}

export function LogRow({ sequence, index, row, top, wrap }: Props) {
  const place = { transform: `translateY(${top}px)` };
  const common = {
    "data-sequence": sequence,
    role: "row" as const,
    "aria-rowindex": index,
    style: place,
  };
  if (row === undefined) return <div class="log" {...common} />;
  if (row.kind === "notice") {
    return (
      <div class="log notice" {...common}>
        <NoticeText notice={row} />
      </div>
    );
  }
  const level = levelOf(row);
  const isOpen = opened.value === row;
  const isSelected = selected.value === sequence;
  return (
    <div
      {...common}
      id={`row-${sequence}`}
      class={`log level-${level} ${isOpen ? "open" : ""} ${isSelected ? "selected" : ""}`}
      aria-selected={isSelected}
      onClick={() => choose(sequence, row)}
    >
      <EntryCells entry={row} wrap={wrap} level={level} />
    </div>
  );
}

function EntryCells({ entry, wrap, level }: { entry: Entry; wrap: boolean; level: string }) {
  const { zone } = address.value;
  const source = sourceOf(entry);
  const left = entry.line.length - rowCharactersMax;
  const hue = { "--hue": String(hueOf(source)) } as CSSProperties;
  return (
    <>
      <span class="level" role="gridcell">
        <i aria-hidden="true" />
        {level === "unknown" ? "" : level}
      </span>
      <time
        role="gridcell"
        title={formatExact(entry.nanoseconds, zone)}
        dateTime={formatRfc3339(BigInt(entry.nanoseconds))}
      >
        {spansDays() && <span class="day">{formatDay(entry.nanoseconds, zone).slice(5)}</span>}
        {formatTimeOfDay(entry.nanoseconds, zone)}
      </time>
      <span class="source" role="gridcell" style={hue} title={source}>{source}</span>
      <span class="text" role="gridcell">
        {rowText(entry.line, wrap)}
        {left > 0 && <span class="more">+{formatBytes(left)}</span>}
      </span>
    </>
  );
}

function NoticeText({ notice }: { notice: Notice }) {
  const { missing } = notice;
  const state = address.value;
  const range = missing && { from: formatRfc3339(missing.start), to: formatRfc3339(missing.end) };
  return (
    <span role="gridcell">
      {notice.text}
      {range && (
        <a
          href={writeAddress({ ...state, range, live: false, entry: "" })}
          target="_blank"
          rel="noopener"
        >
          show them
        </a>
      )}
    </span>
  );
}

/** Opens an entry, unless the click ended a selection of text. */
function choose(sequence: number, entry: Entry) {
  if (getSelection()?.isCollapsed === false) return;
  selected.value = sequence;
  open(opened.peek() === entry ? undefined : entry);
}

/** Rows show the day when the range covers more than one. */
function spansDays(): boolean {
  const range = shown.value?.range;
  if (range === undefined) return false;
  const { zone } = address.value;
  return formatDay(range.start.toString(), zone) !== formatDay((range.end - 1n).toString(), zone);
}

/** One of twelve hues between green and violet, the same for the same text; reds and ambers mean trouble. */
function hueOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) | 0;
  return 100 + (Math.abs(hash) % 12) * 17;
}
