// One row: level, time, source, text. Text from logs is only ever a text node, and at most 2000 characters of it.
import { Component } from "preact";
import {
  formatDay,
  formatExact,
  formatRfc3339,
  formatTimeOfDay,
  type Zone,
} from "../model/nanoseconds.ts";
import {
  type Entry,
  type Level,
  levelOf,
  type Notice,
  type Row,
  rowCharactersMax,
  rowText,
  sourceOf,
} from "../model/row.ts";
import { address, writeAddress } from "../state/address.ts";
import { live, open, opened, selected } from "../state/explore.ts";
import { formatBytes } from "./StatusStrip.tsx";

interface Props {
  readonly sequence: number;
  /** Position in the list, from 1. */
  readonly index: number;
  readonly row: Row | undefined;
  /** Pixels from the top of the list. */
  readonly top: number;
  readonly wrap: boolean;
  readonly zone: Zone;
  /** Whether the range covers several days, so that a time alone says too little. */
  readonly days: boolean;
  readonly isSelected: boolean;
  readonly isOpen: boolean;
}

export class LogRow extends Component<Props> {
  /** A scroll or a new line leaves most rows as they are. */
  override shouldComponentUpdate(next: Readonly<Props>): boolean {
    const now = this.props;
    return next.row !== now.row || next.top !== now.top || next.index !== now.index ||
      next.sequence !== now.sequence || next.wrap !== now.wrap || next.zone !== now.zone ||
      next.days !== now.days || next.isSelected !== now.isSelected || next.isOpen !== now.isOpen;
  }

  override render() {
    const { sequence, index, row, top, isSelected, isOpen } = this.props;
    const common = {
      "data-sequence": sequence,
      role: "row" as const,
      "aria-rowindex": index,
      style: { transform: `translateY(${top}px)` },
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
    return (
      <div
        {...common}
        id={`row-${sequence}`}
        class={`log level-${level} ${isOpen ? "open" : ""} ${isSelected ? "selected" : ""}`}
        aria-selected={isSelected}
        onPointerDown={hold}
        onClick={() => choose(sequence, row)}
      >
        {cells(row, level, this.props)}
      </div>
    );
  }
}

function cells(entry: Entry, level: Level, { wrap, zone, days }: Props) {
  const source = sourceOf(entry);
  const left = entry.line.length - rowCharactersMax;
  return (
    <>
      <span class="level" role="gridcell">
        <i aria-hidden="true" />
        {level === "unknown" ? "" : level}
      </span>
      <time
        role="gridcell"
        onPointerEnter={(event) => event.currentTarget.title = formatExact(entry.nanoseconds, zone)}
      >
        {days ? `${formatDay(entry.nanoseconds, zone).slice(5)} ` : ""}
        {formatTimeOfDay(entry.nanoseconds, zone)}
      </time>
      <span class={`source hue-${hueOf(source)}`} role="gridcell" title={source}>{source}</span>
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

/** In live mode rows hold still from the moment one is touched: text that moves cannot be selected. */
function hold() {
  live.peek()?.pause();
}

/** One of the style sheet's twelve hues, the same for the same text. */
function hueOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) | 0;
  return Math.abs(hash) % 12;
}
