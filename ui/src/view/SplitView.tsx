// The loaded or live lines apart by the value of a label, side by side: several pods at once, each in its colour. A pane
// draws only what is in view; rows have one height here. model/rowSplit.ts owns which row belongs where.
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { hues } from "../model/hues.ts";
import { searchedText } from "../model/lineText.ts";
import { chosenValues, filterLabel, readSelector, toggleValue } from "../model/selector.ts";
import { type RowPart, RowSplit } from "../model/rowSplit.ts";
import { address, go } from "../state/address.ts";
import {
  draft,
  groups,
  loadMore,
  look as lookAt,
  more,
  opened,
  selected,
  shown,
  stale,
  submit,
  version,
} from "../state/explore.ts";
import { findText } from "../state/screen.ts";
import { formatCount } from "./figures.ts";
import { Icon } from "./icons.tsx";
import { ListEnd } from "./ListEnd.tsx";
import { rowPixels, spansDays, useSlots } from "./LogList.tsx";
import { ListTrouble } from "./ListTrouble.tsx";
import { LogRow, type Look, sameEntry } from "./LogRow.tsx";
import { useScroller } from "./scroller.ts";

const overscanRows = 6;
/** The most that a pane is ever wide enough for. */
const paneCharactersMax = 256;

export function SplitView() {
  version.value;
  const { split: name, zone, columns } = address.value;
  const list = groups.value;
  list.follow();
  const split = useMemo(() => new RowSplit(list, name), [list, name]);
  split.follow();
  const run = shown.value;
  const find = findText.value;
  const marks = useMemo(() => searchedText(run?.query ?? "", find), [run, find]);
  const days = spansDays(zone);
  useMemo(() => hues.begin(), [list, name]);
  const look = useMemo(
    (): Look => ({
      wrap: false,
      pretty: false,
      zone,
      days,
      columns: columns.filter((each) => each !== name),
      hasSource: false,
      marks,
      characters: paneCharactersMax,
    }),
    [zone, days, columns, name, marks],
  );
  const { parts } = split;
  return (
    <>
      {split.othersCount > 0 && (
        <p class="hint split-more">
          The first {parts.length} values of {name} are shown, {formatCount(split.othersCount)}{" "}
          more are not: choose some among the labels.
        </p>
      )}
      <div class={`panes ${stale.value ? "stale" : ""}`}>
        {parts.map((part) => <Pane key={part.value} part={part} name={name} look={look} />)}
      </div>
      <ListEnd />
      <ListTrouble />
    </>
  );
}

interface PaneProps {
  readonly part: RowPart;
  readonly name: string;
  readonly look: Look;
}

function Pane({ part, name, look }: PaneProps) {
  // A part grows in place: to Preact it is the same as before.
  version.value;
  const title = part.value === "" ? `no ${name}` : part.value;
  return (
    <section class={`pane hue-${hues.of(name, part.value)}`} aria-label={`${name} ${title}`}>
      <header>
        <b title={title}>{title}</b>
        <span class="hint">{formatCount(part.size)}</span>
        <div class="grow" />
        {part.value !== "" && <PaneButtons name={name} value={part.value} />}
      </header>
      <PaneRows part={part} look={look} title={title} />
    </section>
  );
}

function PaneButtons({ name, value }: { name: string; value: string }) {
  const alone = () => {
    go({ split: "" }, "replace");
    submit(filterLabel(draft.peek(), name, value, true));
  };
  return (
    <>
      <button
        type="button"
        class="icon-button"
        aria-label={`Only ${value}`}
        title="Only these lines, in one list"
        onClick={alone}
      >
        <Icon name="plus" />
      </button>
      <button
        type="button"
        class="icon-button"
        aria-label={`Without ${value}`}
        title="Take this pane away"
        onClick={() => submit(withoutValue(draft.peek(), name, value))}
      >
        <Icon name="close" />
      </button>
    </>
  );
}

function PaneRows({ part, look, title }: { part: RowPart; look: Look; title: string }) {
  const scroller = useScroller(rowPixels);
  version.value;
  const list = groups.value;
  const { height } = scroller.size.value;
  const canvasHeight = scroller.fit(part.size * rowPixels);
  const furthest = Math.max(0, part.size * rowPixels - height);
  const top = scroller.following ? furthest : Math.max(0, Math.min(scroller.top, furthest));
  const first = Math.max(0, Math.floor(top / rowPixels) - overscanRows);
  const end = Math.min(part.size, Math.ceil((top + height) / rowPixels) + overscanRows);
  const places = Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
  const slots = Math.ceil(height / rowPixels) + 1 + 2 * overscanRows;
  const slotOf = useSlots(first, end, slots, scroller.following);
  const current = selected.value;
  // Who scrolled to a pane's end gets what comes next, as long as some of it is for this pane.
  const asked = useRef<number | undefined>(undefined);
  const hasMore = more.value === "more";
  useLayoutEffect(() => {
    scroller.drawn();
    lookAt(scroller, places.map((place) => part.at(place) ?? -1));
    if (!hasMore || end <= part.size - 50) return;
    if (asked.current === undefined || asked.current === part.size) return;
    asked.current = part.size;
    void loadMore();
  });
  useEffect(() => () => lookAt(scroller, undefined), []);
  useEffect(() => {
    if (current === undefined) return;
    const place = part.placeOf(current);
    if (part.at(place) !== current) return;
    scroller.reveal(place * rowPixels, (place + 1) * rowPixels);
  }, [current]);
  const scroll = () => {
    const before = scroller.top;
    scroller.onScroll();
    if (scroller.top > before) asked.current = -1;
  };
  return (
    <div
      class="list"
      ref={scroller.element}
      role="grid"
      aria-label={`Lines of ${title}`}
      aria-rowcount={part.size}
      tabIndex={0}
      onScroll={scroll}
    >
      <div class="canvas" role="rowgroup" style={{ height: `${canvasHeight}px` }}>
        {places.map((place) => {
          const sequence = part.at(place) ?? -1;
          const row = list.at(sequence);
          return (
            <LogRow
              key={slotOf(place)}
              sequence={sequence}
              index={place + 1}
              row={row}
              top={place * rowPixels + scroller.shift}
              count={list.count(sequence)}
              look={look}
              isSelected={sequence === current}
              isOpen={sameEntry(opened.value, row)}
            />
          );
        })}
      </div>
    </div>
  );
}

/** A query without one value of a label: taken from those it lists, else ruled out. */
function withoutValue(query: string, name: string, value: string): string {
  const selector = readSelector(query);
  const chosen = typeof selector === "string" ? new Set() : chosenValues(selector.matchers, name);
  return chosen.has(value) && chosen.size > 1
    ? toggleValue(query, name, value)
    : filterLabel(query, name, value, false);
}
