// Everything about one entry: exact time, labels and fields with filters, the whole line. Long lines come in pages of 64 kB,
// so that opening one never stalls. Text from logs is only ever a text node.
import { useSignal } from "@preact/signals";
import { formatExact, formatRfc3339 } from "../model/nanoseconds.ts";
import { type Entry, type Labels, levelOf, visibleText } from "../model/row.ts";
import { filterField, filterLabel } from "../model/selector.ts";
import { entryName } from "../model/row.ts";
import { address, writeAddress } from "../state/address.ts";
import { draft, open, submit } from "../state/explore.ts";
import { names } from "../state/labels.ts";
import { copy } from "../state/screen.ts";
import { Icon } from "./icons.tsx";
import { formatBytes } from "./StatusStrip.tsx";

const pageCharacters = 65_536;
const prettyCharactersMax = 262_144;

export function EntryDrawer({ entry }: { entry: Entry }) {
  const { zone } = address.value;
  const { stream, fields } = categories(entry);
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
      <div class="drawer-body">
        <div class="row">
          <button
            type="button"
            class="button small"
            onClick={() => void copy(entry.line, "the line")}
          >
            <Icon name="copy" /> Copy line
          </button>
          <button
            type="button"
            class="button small"
            onClick={() => void copy(linkTo(entry), "the link")}
          >
            <Icon name="link" /> Copy link
          </button>
        </div>
        <Line line={entry.line} />
        <Fields title="Labels" labels={stream} filter={filterLabel} />
        <Fields title="Fields" labels={fields} filter={filterField} />
      </div>
    </aside>
  );
}

function Line({ line }: { line: string }) {
  const pages = useSignal(1);
  const raw = useSignal(false);
  const pretty = raw.value ? undefined : prettyJson(line);
  const text = pretty ?? line;
  const left = text.length - pages.value * pageCharacters;
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
      <pre
        class="line"
        tabIndex={0}
      >{visibleText(text.slice(0, pages.value * pageCharacters), true)}</pre>
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
                <FieldButton
                  icon="plus"
                  words={`Only ${name} = this`}
                  act={() => apply(name, value, true)}
                />
                <FieldButton
                  icon="minus"
                  words={`Not ${name} = this`}
                  act={() => apply(name, value, false)}
                />
                <FieldButton
                  icon="copy"
                  words={`Copy ${name}`}
                  act={() => void copy(value, name)}
                />
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

function FieldButton(
  { icon, words, act }: { icon: "plus" | "minus" | "copy"; words: string; act: () => void },
) {
  return (
    <button type="button" class="icon-button" aria-label={words} title={words} onClick={act}>
      <Icon name={icon} />
    </button>
  );
}

/** Stream labels apart from the rest. A tail folds all into one map; then the server's list of labels decides. */
function categories(entry: Entry): { stream: Labels; fields: Labels } {
  const known = names.value;
  const isLabel = (name: string) =>
    typeof known === "string" || known instanceof Error
      ? name !== "detected_level"
      : known.includes(name);
  const stream: Record<string, string> = {};
  const fields: Record<string, string> = { ...entry.metadata, ...entry.parsed };
  for (const [name, value] of Object.entries(entry.stream)) {
    (isLabel(name) ? stream : fields)[name] = value;
  }
  return { stream, fields };
}

/** An address that shows this entry first: the hour that ends with it. */
function linkTo(entry: Entry): string {
  const time = BigInt(entry.nanoseconds);
  const range = { from: formatRfc3339(time - 3_600_000_000_000n), to: formatRfc3339(time + 1n) };
  const state = { ...address.peek(), range, live: false, entry: entryName(entry) };
  return new URL(writeAddress(state), document.baseURI).href;
}

function prettyJson(line: string): string | undefined {
  if (line.length > prettyCharactersMax || !/^\s*[[{]/.test(line)) return undefined;
  try {
    return JSON.stringify(JSON.parse(line), null, 2);
  } catch {
    return undefined;
  }
}
