// One row: level, time, source, text. Text from logs is only ever a text node, and no more of it than is seen.
import { Component } from "preact";
import {
  formatDay,
  formatExact,
  formatRfc3339,
  formatTimeOfDay,
  type Zone,
} from "../model/nanoseconds.ts";
import { linePieces, plainText, prettyJson } from "../model/lineText.ts";
import { hues } from "../model/hues.ts";
import {
  type Entry,
  entryName,
  fieldOf,
  type Level,
  levelOf,
  type Notice,
  type Row,
  rowCharactersMax,
  sourceOf,
} from "../model/row.ts";
import { address } from "../state/address.ts";
import { writeAddress } from "../state/addressText.ts";
import { live, open, opened, returns, selected, timeNear } from "../state/explore.ts";
import { formatBytes } from "./figures.ts";

/** How all rows look at present; another object means another look. */
export interface Look {
  readonly wrap: boolean;
  readonly pretty: boolean;
  readonly zone: Zone;
  /** Whether the range covers several days, so that a time alone says too little. */
  readonly days: boolean;
  readonly columns: readonly string[];
  /** Whether rows name their source while no column does. */
  readonly hasSource: boolean;
  readonly marks: RegExp | undefined;
  /** Characters of a line that are drawn. */
  readonly characters: number;
}

interface Props {
  readonly sequence: number;
  /** Position in the list, from 1. */
  readonly index: number;
  readonly row: Row | undefined;
  /** Rows that this one stands for. */
  readonly count: number;
  /** Pixels from the top of what is scrolled. */
  readonly top: number;
  /** Of a wrapped row, as far as it is known. */
  readonly height?: number | undefined;
  readonly look: Look;
  readonly isSelected: boolean;
  readonly isOpen: boolean;
}

export class LogRow extends Component<Props> {
  /** A scroll or a new line leaves most rows as they are. */
  override shouldComponentUpdate(next: Readonly<Props>): boolean {
    const now = this.props;
    if (next.row === undefined) return true;
    return next.row !== now.row || next.top !== now.top || next.index !== now.index ||
      next.sequence !== now.sequence || next.look !== now.look || next.count !== now.count ||
      next.isSelected !== now.isSelected || next.isOpen !== now.isOpen;
  }

  override render() {
    const { sequence, index, row, top, isSelected, isOpen } = this.props;
    const common = {
      id: `row-${sequence}`,
      "data-sequence": sequence,
      role: "row" as const,
      "aria-rowindex": index,
      style: { transform: `translateY(${top}px)` },
    };
    if (row === undefined) {
      const { height } = this.props;
      const style = { ...common.style, ...(height && { height: `${height}px` }) };
      return (
        <div {...common} class={`log absent ${isSelected ? "selected" : ""}`} style={style}>
          {absence(sequence, this.props.look)}
        </div>
      );
    }
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

/** What stands for a row that was let go of and is not back yet: about when it is from. */
function absence(sequence: number, { zone, days }: Look) {
  const near = timeNear(sequence);
  return (
    <>
      <span class="level" role="gridcell" />
      <time role="gridcell">
        {near !== undefined &&
          `${days ? `${formatDay(near, zone).slice(5)} ` : ""}${formatTimeOfDay(near, zone)}`}
      </time>
      <span role="gridcell">{returns.value?.trouble.value ? "Not loaded" : "Loading…"}</span>
    </>
  );
}

function cells(entry: Entry, level: Level, { look, count }: Props) {
  const { zone, days, columns } = look;
  const source = sourceOf(entry);
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
      {columns.length === 0 && look.hasSource
        ? (
          <span class={`source hue-${hues.of("", source)}`} role="gridcell" title={source}>
            {source}
          </span>
        )
        : columns.map((name) => {
          const value = plainText(fieldOf(entry, name) ?? "", columnCharactersMax);
          const hue = sourceColumns.has(name) ? `source-column hue-${hues.of(name, value)}` : "";
          return (
            <span key={name} class={`column ${hue}`} role="gridcell" title={value}>{value}</span>
          );
        })}
      {count > 1 && (
        <span class="count-chip" title={`${count} such lines follow each other`}>×{count}</span>
      )}
      <LineText line={entry.line} look={look} />
    </>
  );
}

const columnCharactersMax = 200;
/** Columns that say where a line comes from: each value in its own colour, so that several can be followed side by side. */
const sourceColumns = new Set(["pod", "container", "host", "instance", "app", "service_name"]);
const prettyCharactersMax = 20_000;

function LineText({ line, look }: { line: string; look: Look }) {
  const { wrap, pretty, marks, characters } = look;
  const text = (pretty ? prettyJson(line, prettyCharactersMax) : undefined) ?? line;
  const pieces = linePieces(text, characters, wrap, marks);
  // That a line goes on beyond the row's width is seen; that it is far longer than any row is said.
  const left = text.length > rowCharactersMax ? text.length - characters : 0;
  return (
    <>
      <span class="text" role="gridcell">
        {pieces.map(({ text, classes }, i) =>
          classes === "" ? text : <span key={i} class={classes}>{text}</span>
        )}
      </span>
      {left > 0 && <span class="more">+{formatBytes(left)}</span>}
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
  open(sameEntry(opened.peek(), entry) ? undefined : entry);
}

/** Whether a row is this entry, also when it was let go of and has come back. */
export function sameEntry(entry: Entry | undefined, row: Row | undefined): boolean {
  if (entry === undefined || row?.kind !== "entry") return false;
  return entry === row ||
    entry.nanoseconds === row.nanoseconds && entryName(entry) === entryName(row);
}

/** In live mode rows hold still from the moment one is touched: text that moves cannot be selected. */
function hold() {
  live.peek()?.pause();
}
