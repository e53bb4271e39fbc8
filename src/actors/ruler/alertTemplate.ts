/** Templates in labels and annotations of alerts: Go's text/template with Prometheus' variables and functions. Owns what
 *  they see. A template is rendered without waiting, so questions to the store are asked between renderings: one that lacks
 *  an answer stops there, and runs again from the start when it is known. Invariant: at most `questionsMax` are asked. */
import {
  compileTemplate,
  type Template,
  type TemplateContext,
  TemplateFailed,
  TemplateSyntaxError,
} from "../../logql/templates/mod.ts";
import { positionOf } from "../../logql/error.ts";
import { LabelMap, type Value } from "../../logql/templates/value.ts";
import type { Labels } from "../../streams/labels.ts";
import { alertFunctions, type AlertQuestions, sampleValue } from "./templateFunctions.ts";

/** What a template is rendered for. */
export interface AlertSample {
  readonly labels: Labels;
  readonly value: number;
}

export interface AlertTemplateContext {
  readonly nowMs: number;
  readonly externalLabels: Readonly<Record<string, string>>;
  readonly externalUrl: string;
  /** An instant query; rejects with the query's error. */
  readonly query: (expr: string) => Promise<ReadonlyArray<AlertSample>>;
  /** The newest lines that the alert's query reads for these labels. */
  readonly lines: (sample: AlertSample, count: number) => Promise<ReadonlyArray<string>>;
}

/** Questions of one text. */
const questionsMax = 10;
/** Lines that `lines` gives, and characters of each. */
const linesMax = 20;
const lineLengthMax = 2000;

/** Prometheus' names for what the context holds. */
const variables = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}" +
  "{{$externalURL := .ExternalURL}}{{$value := .Value}}";

/** What is wrong with a template; undefined if nothing. */
export function alertTemplateProblem(text: string): string | undefined {
  try {
    compiled(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof TemplateSyntaxError)) throw error;
    const { line, column } = positionOf(text, Math.max(0, error.offset - variables.length));
    return `template error at line ${line}, col ${column}: ${error.reason}`;
  }
}

/** The text for a sample. Like Prometheus, a template that fails gives a text that says so. */
export async function expandAlertTemplate(
  text: string,
  sample: AlertSample,
  context: AlertTemplateContext,
): Promise<string> {
  if (!text.includes("{{")) return text;
  const answers = new Map<string, Value>();
  for (;;) {
    try {
      return render(text, sample, context, answers);
    } catch (error) {
      if (!(error instanceof Unanswered)) return `<error expanding template: ${reasonOf(error)}>`;
      if (answers.size >= questionsMax) {
        return `<error expanding template: it asks for more than ${questionsMax} queries>`;
      }
      try {
        answers.set(error.key, await error.ask());
      } catch (failure) {
        return `<error expanding template: ${reasonOf(failure)}>`;
      }
    }
  }
}

/** Stops a rendering that needs an answer first. */
class Unanswered extends Error {
  readonly key: string;
  readonly ask: () => Promise<Value>;

  constructor(key: string, ask: () => Promise<Value>) {
    super("a question has no answer yet");
    this.key = key;
    this.ask = ask;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function render(
  text: string,
  sample: AlertSample,
  context: AlertTemplateContext,
  answers: ReadonlyMap<string, Value>,
): string {
  const answer = (key: string, ask: () => Promise<Value>) => {
    const known = answers.get(key);
    if (known === undefined) throw new Unanswered(key, ask);
    return known;
  };
  const questions: AlertQuestions = {
    nowMs: context.nowMs,
    externalUrl: context.externalUrl,
    query: (expr) =>
      answer(
        `query ${expr}`,
        async () =>
          (await context.query(expr)).map(({ labels, value }) => sampleValue(labels, value)),
      ),
    lines: (count) => {
      if (count < 1 || count > linesMax) {
        throw new TemplateFailed(`lines takes a number from 1 to ${linesMax}, not ${count}`);
      }
      return answer(
        `lines ${count}`,
        async () => (await context.lines(sample, count)).map((line) => cut(line)),
      );
    },
  };
  return compiled(text, questions).render(contextOf(sample, context));
}

function compiled(text: string, questions?: AlertQuestions): Template {
  const functions = alertFunctions(() => {
    if (questions === undefined) throw new TemplateFailed("nothing can be asked here");
    return questions;
  });
  return compileTemplate(variables + text, { functions, missing: "" });
}

function contextOf(sample: AlertSample, context: AlertTemplateContext): TemplateContext {
  const values = new Map<string, Value>([
    ["Labels", new LabelMap(sample.labels)],
    ["ExternalLabels", new LabelMap(Object.entries(context.externalLabels))],
    ["ExternalURL", context.externalUrl],
    ["Value", sample.value],
  ]);
  return {
    label: (name) => values.get(name),
    labels: () => values,
    line: () => "",
    timestampNs: () => BigInt(context.nowMs) * 1_000_000n,
  };
}

function cut(line: string): string {
  return line.length <= lineLengthMax ? line : `${line.slice(0, lineLengthMax)}…`;
}
