// The query editor: CodeMirror with LogQL's colours, completion, and the parser's objection underlined. Loaded when the page
// is idle; until then view/QueryEditor.tsx shows a plain text box. It lives in a shadow root, where CodeMirror adopts style
// sheets instead of writing style elements, which the page's policy forbids. Invariant: nothing but the person, `setText`
// and completion changes the text, so the caret never jumps.
import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
  completionStatus,
} from "@codemirror/autocomplete";
import { history, historyKeymap, standardKeymap } from "@codemirror/commands";
import { EditorState, type Range, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  EditorView,
  keymap,
  placeholder,
  ViewPlugin,
  type ViewUpdate,
} from "@codemirror/view";
import { check, format, type Objection } from "./check.ts";
import { complete } from "./completions.ts";
import { theme } from "./theme.ts";
import { tokensOf } from "./tokens.ts";

export interface EditorOptions {
  readonly text: string;
  readonly caret: number | undefined;
  readonly placeholder: string;
  readonly onChange: (text: string) => void;
  readonly onRun: () => void;
  readonly onOlder: () => void;
  readonly onNewer: () => void;
  /** Called some time after typing stopped. */
  readonly onObjection: (objection: Objection | undefined) => void;
}

/** Fills `host` with an editor. */
export class LogqlEditor {
  readonly #view: EditorView;

  constructor(host: HTMLElement, options: EditorOptions) {
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const inner = document.createElement("div");
    root.replaceChildren(inner);
    this.#view = new EditorView({
      root,
      parent: inner,
      state: EditorState.create({
        doc: options.text,
        ...(options.caret === undefined ? {} : { selection: { anchor: options.caret } }),
        extensions: extensions(options),
      }),
    });
    if (options.caret !== undefined) this.#view.focus();
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  /** Replaces the whole text, which one step of undo brings back. */
  setText(text: string): void {
    const { doc } = this.#view.state;
    if (doc.toString() === text) return;
    this.#view.dispatch({ changes: { from: 0, to: doc.length, insert: text } });
  }

  /** Puts the caret somewhere and the keyboard here. */
  focus(offset?: number): void {
    this.#view.focus();
    const anchor = Math.min(offset ?? this.#view.state.doc.length, this.#view.state.doc.length);
    this.#view.dispatch({ selection: { anchor }, scrollIntoView: true });
  }

  /** Lays the query out over lines; false when it cannot be read. */
  format(): boolean {
    const laidOut = format(this.text);
    if (laidOut !== undefined) this.setText(laidOut);
    return laidOut !== undefined;
  }

  destroy(): void {
    this.#view.destroy();
  }
}

function extensions(options: EditorOptions) {
  return [
    theme,
    history(),
    closeBrackets(),
    autocompletion({ override: [complete], icons: false, maxRenderedOptions: 80 }),
    keymap.of([
      { key: "Enter", run: (view) => runOnEnter(view, options) },
      { key: "Mod-Enter", run: () => (options.onRun(), true) },
      { key: "Tab", run: acceptCompletion },
      { key: "Mod-ArrowUp", run: () => (options.onOlder(), true) },
      { key: "Mod-ArrowDown", run: () => (options.onNewer(), true) },
      ...closeBracketsKeymap,
      ...completionKeymap,
      ...historyKeymap,
      ...standardKeymap,
    ]),
    placeholder(options.placeholder),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({
      id: "query",
      "aria-label": "LogQL query",
      "aria-multiline": "true",
      autocapitalize: "off",
      autocorrect: "off",
      spellcheck: "false",
    }),
    colours,
    objections,
    EditorView.updateListener.of((update) => {
      if (update.docChanged) options.onChange(update.state.doc.toString());
    }),
    objecting(options.onObjection),
  ];
}

/** Enter runs a query of one line; in one of several it begins another, as Shift+Enter does everywhere. */
function runOnEnter(view: EditorView, { onRun }: EditorOptions): boolean {
  if (completionStatus(view.state) === "active" || view.state.doc.lines > 1) return false;
  closeCompletion(view);
  onRun();
  return true;
}

const tokenMarks = new Map<string, Decoration>();

function coloursOf(state: EditorState): DecorationSet {
  const marks: Range<Decoration>[] = [];
  for (const { kind, start, end } of tokensOf(state.doc.toString())) {
    let mark = tokenMarks.get(kind);
    if (mark === undefined) tokenMarks.set(kind, mark = Decoration.mark({ class: `tok-${kind}` }));
    marks.push(mark.range(start, end));
  }
  return Decoration.set(marks);
}

const colours = StateField.define<DecorationSet>({
  create: coloursOf,
  update: (marks, transaction) => transaction.docChanged ? coloursOf(transaction.state) : marks,
  provide: (field) => EditorView.decorations.from(field),
});

const setObjection = StateEffect.define<Objection | undefined>();
const underline = Decoration.mark({ class: "tok-wrong" });

const objections = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, { effects, changes, state }) {
    let next = marks.map(changes);
    for (const effect of effects) {
      if (effect.is(setObjection)) next = underlined(state, effect.value);
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Underlines the token the parser stopped at; at the end of the query, the last one. */
function underlined(state: EditorState, objection: Objection | undefined): DecorationSet {
  if (objection === undefined || state.doc.length === 0) return Decoration.none;
  const { offset } = objection;
  const tokens = tokensOf(state.doc.toString());
  const token = tokens.find(({ end }) => end > offset) ?? tokens.at(-1);
  if (token === undefined) return Decoration.none;
  return Decoration.set([underline.range(token.start, token.end)]);
}

const quietMs = 350;

/** Asks the parser when typing stops for a moment. */
function objecting(onObjection: EditorOptions["onObjection"]) {
  return ViewPlugin.fromClass(
    class {
      #timer: ReturnType<typeof setTimeout> | undefined;
      #view: EditorView;

      constructor(view: EditorView) {
        this.#view = view;
        this.#schedule();
      }

      update(update: ViewUpdate) {
        if (update.docChanged) this.#schedule();
      }

      destroy() {
        clearTimeout(this.#timer);
      }

      #schedule() {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => {
          const text = this.#view.state.doc.toString();
          const objection = text.trim() === "" ? undefined : check(text);
          this.#view.dispatch({ effects: setObjection.of(objection) });
          onObjection(objection);
        }, quietMs);
      }
    },
  );
}
