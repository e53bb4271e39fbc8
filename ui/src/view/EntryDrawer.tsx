// Everything about one entry: exact time, labels and fields with filters, the whole line, the lines around it. Long lines
// come in pages of 64 kB, so that opening one never stalls. Text from logs is only ever a text node.
import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { filterParsed, lineFields } from "../model/lineFields.ts";
import { prettyJson } from "../model/lineText.ts";
import { formatExact, formatRfc3339 } from "../model/nanoseconds.ts";
import { type Entry, entryName, type Labels, levelOf, visibleText } from "../model/row.ts";
import { filterField, filterLabel, printSelector } from "../model/selector.ts";
import { address } from "../state/address.ts";
import { writeAddress } from "../state/addressText.ts";
import { draft, open, submit } from "../state/explore.ts";
import { names } from "../state/labels.ts";
import { copy } from "../state/screen.ts";
import { toggleColumn } from "./ColumnHeads.tsx";
import { ContextView } from "./ContextView.tsx";
import { formatBytes } from "./figures.ts";
import { Icon, type IconName } from "./icons.tsx";

const pageCharacters = 65_536;
const prettyCharactersMax = 262_144;

/** The tab that stays chosen from one line to the next. */
const tabs = ["Fields", "Context"] as const;

export function EntryDrawer({ entry }: { entry: Entry }) {
  const { zone } = address.value;
  const tab = useSignal<(typeof tabs)[number]>("Fields");
  return (
    <aside class="drawer" aria-label="Details of the line">
      <header>
        <span class={`level level-${levelOf(entry)}`}>
          <i aria-hidden="true" />
          {levelOf(entry)}
        </span>
        <time dateTime={formatRfc3339(BigInt(entry.nanoseconds))}>
          {formatExact(entry.nanoseconds, zone)}
        </time>
        <div class="grow" />
        <button
          type="button"
          class="icon-button"
          aria-label="Close details"
          title="Close (Esc)"
          onClick={() => open(undefined)}
        >
          <Icon name="close" />
        </button>
      </header>
      <div class="drawer-bar">
        <div class="segments" role="group" aria-label="What is shown of the line">
          {tabs.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={tab.value === name}
              onClick={() => tab.value = name}
            >
              {name}
            </button>
          ))}
        </div>
        <div class="grow" />
        <CopyButtons entry={entry} />
      </div>
      <div class="drawer-body" tabIndex={0} role="region" aria-label={tab.value}>
        {tab.value === "Fields" ? <Details entry={entry} /> : <ContextView entry={entry} />}
      </div>
    </aside>
  );
}

function CopyButtons({ entry }: { entry: Entry }) {
  return (
    <>
      <button
        type="button"
        class="button small"
        title="Copy the whole line"
        onClick={() => void copy(entry.line, "the line")}
      >
        <Icon name="copy" /> Line
      </button>
      <button
        type="button"
        class="button small"
        title="Copy a link that opens this line"
        onClick={() => void copy(linkTo(entry), "the link")}
      >
        <Icon name="link" /> Link
      </button>
    </>
  );
}

function Details({ entry }: { entry: Entry }) {
  const { stream, metadata, parsed } = categories(entry);
  const inLine = useMemo(() => lineFields(entry.line), [entry]);
  const written = Object.fromEntries(
    Object.entries(inLine?.fields ?? {}).filter(([name]) => parsed[name] === undefined),
  );
  return (
    <>
      <Line line={entry.line} />
      <Fields title="Labels" labels={stream} filter={filterLabel} />
      <Fields title="Metadata" labels={metadata} filter={filterField} />
      <Fields title="Parsed by the query" labels={parsed} filter={filterField} />
      {inLine !== undefined && (
        <Fields
          title={`In the line (${inLine.parser})`}
          labels={written}
          filter={(query, name, value, keep) =>
            filterParsed(query, inLine.parser, name, value, keep)}
        />
      )}
      <section>
        <h3>Elsewhere</h3>
        <div class="row">
          <button
            type="button"
            class="button small"
            onClick={() => void copy(asCommand(entry), "the command")}
          >
            <Icon name="copy" /> As a command
          </button>
        </div>
      </section>
    </>
  );
}

function Line({ line }: { line: string }) {
  const pages = useSignal(1);
  const raw = useSignal(false);
  const pretty = raw.value ? undefined : prettyJson(line, prettyCharactersMax);
  const shown = pages.value * pageCharacters;
  const text = pretty ?? line;
  const left = text.length - shown;
  return (
    <section>
      <div class="row">
        <h3>Line</h3>
        <span class="hint">{formatBytes(line.length)}</span>
        <div class="grow" />
        {(pretty !== undefined || raw.value) && (
          <button
            type="button"
            class="button small"
            aria-pressed={!raw.value}
            onClick={() => raw.value = !raw.value}
          >
            Formatted
          </button>
        )}
      </div>
      <pre class="line" tabIndex={0}>{visibleText(text.slice(0, shown), true)}</pre>
      {left > 0 && (
        <button type="button" class="button small" onClick={() => pages.value++}>
          Show {formatBytes(Math.min(left, pageCharacters))} more of {formatBytes(left)}
        </button>
      )}
    </section>
  );
}

interface FieldsProps {
  readonly title: string;
  readonly labels: Labels;
  readonly filter: (query: string, name: string, value: string, keep: boolean) => string;
}

function Fields({ title, labels, filter }: FieldsProps) {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const { columns } = address.value;
  if (pairs.length === 0) return null;
  const apply = (name: string, value: string, keep: boolean) =>
    submit(filter(draft.peek(), name, value, keep));
  return (
    <section>
      <h3>{title}</h3>
      <table class="fields">
        <tbody>
          {pairs.map(([name, value]) => (
            <tr key={name}>
              <td class="acts">
                <Act
                  icon="plus"
                  words={`Only ${name} = this`}
                  act={() => apply(name, value, true)}
                />
                <Act
                  icon="minus"
                  words={`Not ${name} = this`}
                  act={() => apply(name, value, false)}
                />
                <Act
                  icon="column"
                  words={`Column ${name}`}
                  pressed={columns.includes(name)}
                  act={() => toggleColumn(name)}
                />
                <Act icon="copy" words={`Copy ${name}`} act={() => void copy(value, name)} />
              </td>
              <th scope="row">{name}</th>
              <td class="value">{visibleText(value.slice(0, 2000), true)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface ActProps {
  readonly icon: IconName;
  readonly words: string;
  readonly pressed?: boolean;
  readonly act: () => void;
}

function Act({ icon, words, pressed, act }: ActProps) {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={words}
      aria-pressed={pressed}
      title={words}
      onClick={act}
    >
      <Icon name={icon} />
    </button>
  );
}

/** Stream labels apart from the rest. A server that folds all into one map leaves it to its list of labels to decide. */
function categories(entry: Entry): { stream: Labels; metadata: Labels; parsed: Labels } {
  const known = names.value;
  const isLabel = (name: string) =>
    entry.metadata !== undefined || entry.parsed !== undefined || !Array.isArray(known)
      ? name !== "detected_level"
      : known.includes(name);
  const stream: Record<string, string> = {};
  const metadata: Record<string, string> = { ...entry.metadata };
  for (const [name, value] of Object.entries(entry.stream)) {
    (isLabel(name) ? stream : metadata)[name] = value;
  }
  return { stream, metadata, parsed: entry.parsed ?? {} };
}

/** An address that shows this entry first: the hour that ends with it. */
function linkTo(entry: Entry): string {
  const time = BigInt(entry.nanoseconds);
  const range = { from: formatRfc3339(time - 3_600_000_000_000n), to: formatRfc3339(time + 1n) };
  const state = {
    ...address.peek(),
    range,
    live: false,
    order: "newest" as const,
    entry: entryName(entry),
  };
  return new URL(writeAddress(state), document.baseURI).href;
}

/** The command line that finds this line. */
function asCommand(entry: Entry): string {
  const labels = Object.entries(categories(entry).stream);
  const selector = printSelector(
    labels.map(([name, value]) => ({ name, operator: "=", value })),
  );
  const time = BigInt(entry.nanoseconds);
  const quoted = `'${selector.replaceAll("'", `'\\''`)}'`;
  const from = formatRfc3339(time);
  const to = formatRfc3339(time + 1n);
  return `tailrace query --from=${from} --to=${to} ${quoted}`;
}
