/** How lines of stack traces follow one another in Java, Python, Go, Node.js, .NET, Ruby and PHP. Pure: from what is known of a
 *  block and its next line to whether the line belongs to it. stackTraces.ts owns the blocks.
 *
 *  Whatever is indented belongs to the line before it. The rest of a trace is known by its words: "Caused by:", the
 *  exception that ends a Python traceback, the functions of a goroutine. */

/** What the lines of a block so far make of the next one. */
export const TraceState = {
  /** A line of its own, which anything indented may follow. */
  line: 0,
  /** Within a trace whose further lines are indented, or begin with known words. */
  trace: 1,
  /** After "Traceback (most recent call last):": an exception will end it. */
  traceback: 2,
  /** After that exception: another traceback may be chained to it. */
  tracebackEnd: 3,
  /** A Go panic or fatal error. */
  goroutines: 4,
  /** The source line and the caret that Node.js prints before an error. */
  caret: 5,
} as const;

export type TraceState = typeof TraceState[keyof typeof TraceState];

/** As much of a line as is looked at. */
export const traceHeadBytes = 256;

const words =
  /^(?:Caused by: |Suppressed: |\.\.\. \d+ (?:more|common frames)|--- End of |---> |Stack trace:)/;
const wordsOfTrace = /^(?:#\d+ |\}\s*$|Node\.js v\d)/;
const pythonTraceback = /^Traceback \(most recent call last\):/;
const pythonChain =
  /^(?:During handling of the above exception|The above exception was the direct cause)/;
const qualifiedException = /^(?:[\w$]+\.)+[\w$]*(?:Exception|Error|Throwable)\b/;
const goStart = /^(?:panic: |fatal error: |goroutine \d+ \[)/;
const goLines = [
  "panic: |fatal error: |goroutine \\d+ \\[|created by |\\[signal |\\[recovered\\]",
  "exit status \\d|runtime[:. ]",
  // A function with its arguments.
  "[\\w./*()[\\]-]+\\(.*\\)$",
  // A register.
  "r\\w{1,5} +0x",
];
const goLine = new RegExp(`^(?:${goLines.join("|")})`);

/** What a line begins that belongs to none before it. */
export function startOf(head: string): TraceState {
  if (pythonTraceback.test(head)) return TraceState.traceback;
  return goStart.test(head) ? TraceState.goroutines : TraceState.line;
}

/** The state of a block after a further line; undefined if the line does not belong to it. `head` is the line's beginning,
 *  `isSoon` whether it was written within milliseconds of the line before it. */
export function continuation(
  state: TraceState,
  head: string,
  isSoon: boolean,
): TraceState | undefined {
  if (/^\s*$/.test(head)) return state >= TraceState.tracebackEnd ? state : undefined;
  if (head[0] === " " || head[0] === "\t") return indented(state, head);
  switch (state) {
    case TraceState.traceback:
      return TraceState.tracebackEnd;
    case TraceState.tracebackEnd:
      if (pythonTraceback.test(head)) return TraceState.traceback;
      return pythonChain.test(head) ? state : undefined;
    case TraceState.goroutines:
      return goLine.test(head) ? state : undefined;
    case TraceState.caret:
      return TraceState.trace;
    case TraceState.trace:
      if (wordsOfTrace.test(head)) return state;
      return words.test(head) ? state : undefined;
    default:
      if (words.test(head)) return TraceState.trace;
      if (!isSoon) return undefined;
      // A logger writes its message and the trace at once, as lines one after another.
      if (pythonTraceback.test(head)) return TraceState.traceback;
      return qualifiedException.test(head) ? TraceState.trace : undefined;
  }
}

function indented(state: TraceState, head: string): TraceState {
  if (state > TraceState.trace) return state;
  return /^\s+\^+\s*$/.test(head) ? TraceState.caret : TraceState.trace;
}
