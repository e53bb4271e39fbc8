// The rows, of which only those in view are in the document. One-line rows have one height and cost arithmetic; wrapped rows
// are estimated, then measured. Invariant: the selected line, or else the one at the top of the view, does not move when
// heights become known or the lines are laid out anew (wrapped, or in a list of another width), and in live mode the end
// stays in view until the person scrolls up.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { formatDay, type Zone } from "../model/nanoseconds.ts";
import { hues } from "../model/hues.ts";
import { rowCharactersMax } from "../model/row.ts";
import { searchedText } from "../model/lineText.ts";
import type { RowGroups } from "../model/rowGroups.ts";
import { RowHeights } from "../model/rowHeights.ts";
import { address } from "../state/address.ts";
import {
  groups,
  loadMore,
  look as lookAt,
  more,
  opened,
  selected,
  shown,
  stale,
  version,
} from "../state/explore.ts";
import { findText } from "../state/screen.ts";
import { ColumnHeads } from "./ColumnHeads.tsx";
import { ListEnd } from "./ListEnd.tsx";
import { ListTrouble } from "./ListTrouble.tsx";
import { LogRow, sameEntry } from "./LogRow.tsx";
import { type Scroller, useScroller } from "./scroller.ts";

/** Pixels; fingers need more than mice. The style sheet knows the same two figures. */
export const rowPixels = matchMedia("(pointer: coarse)").matches ? 28 : 20;
const overscanRows = 6;
/** Rows that are brought back before they come into view. */
const nearRows = 200;
const characterPixels = 7.3;
const columnsBeforeTextPixels = 300;
/** No text begins further left, and no font has narrower characters. */
const pixelsBeforeText = 150;
const narrowestPixels = 6;

/** Where rows stand: the same questions for one-line and wrapped rows. */
interface Placement {
  readonly total: number;
  readonly top: (sequence: number) => number;
  readonly at: (pixel: number) => number;
}

export function LogList() {
  const scroller = useScroller(rowPixels);
  const { following } = scroller;
  const canvas = useRef<HTMLDivElement>(null);
  const measured = useSignal(0);
  version.value;
  measured.value;
  // A page may end after its rows were drawn: a list that shows its end by then asks for the next without being scrolled.
  const hasMore = more.value === "more";
  const { wrap, zone, pretty, columns } = address.value;
  const list = groups.value;
  list.follow();
  const { height, width } = scroller.size.value;
  const heights = useHeights(list, wrap || pretty ? width : 0, pretty);
  const place = placement(list, heights);
  const furthest = Math.max(0, place.total - height);
  const canvasHeight = scroller.fit(place.total);
  const top = following ? furthest : Math.max(0, Math.min(scroller.top, furthest));
  const first = Math.max(list.first, place.at(top) - overscanRows);
  const end = Math.min(list.end, place.at(top + height) + 1 + overscanRows);
  const sequences = Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);

  const laidOut = useRef({ list, heights, place });
  useLayoutEffect(() => {
    const before = laidOut.current;
    laidOut.current = { list, heights, place };
    if (before.list === list && before.heights !== heights && !following) {
      stay(scroller, before.place, place);
    }
    if (heights !== undefined) {
      measure(scroller, canvas.current, heights, place) && measured.value++;
    }
    scroller.drawn();
    lookAt(scroller, [...sequences, first - nearRows, end + nearRows]);
    if (end > list.end - 100 && hasMore) void loadMore();
  });
  useEffect(() => () => lookAt(scroller, undefined), []);
  useEffect(() => {
    if (!following) scroller.moveTo(0);
  }, [list]);
  useEffect(() => {
    const sequence = selected.value;
    if (sequence !== undefined) scroller.reveal(place.top(sequence), place.top(sequence + 1));
  }, [selected.value]);

  const current = selected.value;
  const details = opened.value;
  const days = spansDays(zone);
  const run = shown.value;
  const find = findText.value;
  const marks = useMemo(() => searchedText(run?.query ?? "", find), [run, find]);
  // What the row is wide enough for, and no more: a long line costs what a short one does.
  const characters = heights === undefined
    ? 32 * Math.ceil(Math.max(0, width - pixelsBeforeText) / narrowestPixels / 32)
    : rowCharactersMax;
  useMemo(() => hues.begin(), [list]);
  const look = useMemo(
    () => ({
      wrap: heights !== undefined,
      pretty,
      zone,
      days,
      columns,
      hasSource: true,
      marks,
      characters,
    }),
    [heights !== undefined, pretty, zone, days, columns, marks, characters],
  );
  const slots = heights === undefined
    ? Math.ceil(height / rowPixels) + 1 + 2 * overscanRows
    : 32 * Math.ceil((sequences.length + 1) / 32);
  const slotOf = useSlots(first, end, slots, following);
  return (
    <>
      {columns.length > 0 && <ColumnHeads columns={columns} days={days} />}
      <div
        class={`list ${heights === undefined ? "" : "wrap"} ${stale.value ? "stale" : ""}`}
        ref={scroller.element}
        role="grid"
        aria-label="Log lines"
        aria-rowcount={list.size}
        aria-activedescendant={current !== undefined && current >= first && current < end
          ? `row-${current}`
          : undefined}
        tabIndex={0}
        onScroll={scroller.onScroll}
      >
        <div class="canvas" ref={canvas} role="rowgroup" style={{ height: `${canvasHeight}px` }}>
          {sequences.map((sequence) => (
            <LogRow
              key={slotOf(sequence)}
              sequence={sequence}
              index={sequence - list.first + 1}
              row={list.at(sequence)}
              top={place.top(sequence) + scroller.shift}
              height={heights && place.top(sequence + 1) - place.top(sequence)}
              count={list.count(sequence)}
              look={look}
              isSelected={sequence === current}
              isOpen={sameEntry(details, list.at(sequence))}
            />
          ))}
        </div>
        <ListEnd />
      </div>
      <ListTrouble />
    </>
  );
}

/** Names for elements, such that one stays with its line, and with it a selection of text, until the line leaves: then
 *  another line gets it. Where all lines are others, as at the end of a stream, elements get new text in the order in which
 *  they stand. */
export function useSlots(
  first: number,
  end: number,
  slots: number,
  following: boolean,
): (sequence: number) => number {
  const drawn = useRef({ first: 0, end: 0, shift: 0 });
  const before = drawn.current;
  const isOther = following || first >= before.end || end <= before.first;
  const shift = isOther ? before.shift + first - before.first : before.shift;
  drawn.current = { first, end, shift };
  return (sequence) => (((sequence - shift) % slots) + slots) % slots;
}

/** Rows show the day when the range covers more than one. */
export function spansDays(zone: Zone): boolean {
  const range = shown.value?.range;
  if (range === undefined) return false;
  return formatDay(range.start.toString(), zone) !== formatDay((range.end - 1n).toString(), zone);
}

/** Heights of wrapped rows, begun anew when the rows or what they look like are others; undefined for one-line rows (width 0). */
function useHeights(list: RowGroups, width: number, pretty: boolean): RowHeights | undefined {
  const kept = useRef<{ heights: RowHeights; list: RowGroups; key: string } | undefined>(undefined);
  if (width === 0) {
    kept.current = undefined;
    return undefined;
  }
  const key = `${width} ${pretty}`;
  if (kept.current?.list !== list || kept.current.key !== key) {
    kept.current = { heights: new RowHeights(), list, key };
  }
  const columns = Math.max(20, Math.floor((width - columnsBeforeTextPixels) / characterPixels));
  kept.current.heights.follow(list, (sequence) => {
    const row = list.at(sequence);
    if (row === undefined) return undefined;
    const characters = row.kind === "entry" ? Math.min(row.line.length, rowCharactersMax) : 0;
    return rowPixels * Math.max(1, Math.ceil(characters / columns));
  });
  return kept.current.heights;
}

function placement(list: RowGroups, heights: RowHeights | undefined): Placement {
  if (heights !== undefined) {
    return {
      total: heights.total,
      top: (sequence) => heights.offsetOf(sequence),
      at: (pixel) => heights.sequenceAt(pixel),
    };
  }
  return {
    total: list.size * rowPixels,
    top: (sequence) => (sequence - list.first) * rowPixels,
    at: (pixel) => list.first + Math.floor(pixel / rowPixels),
  };
}

/** Keeps the anchor where it is in the view when rows are placed in another way. */
function stay(scroller: Scroller, before: Placement, now: Placement): void {
  const anchor = anchorOf(scroller, before);
  scroller.moveTo(Math.max(0, now.top(anchor) + scroller.top - before.top(anchor)));
}

/** The row that must not move: the selected one while it is in view, else the one at the top. */
function anchorOf(scroller: Scroller, { top, at }: Placement): number {
  const chosen = selected.peek();
  const below = chosen === undefined ? -1 : top(chosen) - scroller.top;
  const isInView = below >= 0 && below < scroller.size.peek().height;
  return chosen !== undefined && isInView ? chosen : at(scroller.top);
}

/** Notes the heights of the drawn rows; keeps the anchor where it is. Gives true when there were others. */
function measure(
  scroller: Scroller,
  canvas: HTMLElement | null,
  heights: RowHeights,
  place: Placement,
): boolean {
  const anchor = anchorOf(scroller, place);
  const inside = scroller.top - heights.offsetOf(anchor);
  let changed = false;
  for (const child of canvas?.children ?? []) {
    const element = child as HTMLElement;
    // A row that is not held keeps the height it had.
    if (element.classList.contains("absent")) continue;
    if (heights.set(Number(element.dataset.sequence), element.offsetHeight)) changed = true;
  }
  if (changed && canvas !== null) {
    canvas.style.height = `${scroller.fit(heights.total)}px`;
    if (!scroller.following) scroller.moveTo(heights.offsetOf(anchor) + inside);
  }
  return changed;
}
