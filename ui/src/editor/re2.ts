// Stands in for the package re2js in the page (vite.config.ts), where the parser checks expressions but none is ever run on
// logs: the browser's own engine says what is malformed. What RE2 refuses and browsers know (lookaround, backreferences) is
// refused here too.

/** Named like the package's error: the parser puts its message into words. */
export class RE2JSException extends Error {}

/** A pattern that was found well formed. */
export class RE2JS {
  static readonly DOTALL = 1;
  readonly #names: readonly string[];
  readonly #groups: number;

  private constructor(names: readonly string[], groups: number) {
    this.#names = names;
    this.#groups = groups;
  }

  /** Throws RE2JSException when the pattern is malformed. */
  static compile(pattern: string): RE2JS {
    if (/(?<!\\)(?:\\\\)*(?:\(\?(?:[=!]|<[=!])|\\[1-9])/.test(pattern)) {
      throw new RE2JSException("lookaround and backreferences are not supported");
    }
    const flags = /^\(\?[a-zA-Z-]+\)/.exec(pattern)?.[0] ?? "";
    const text = pattern.slice(flags.length).replace(/\(\?P</g, "(?<");
    // RE2 has flags within a pattern, classes and quotes that browsers do not: what cannot be judged here is left to the server.
    if (/\(\?[a-zA-Z-]*:|\(\?[a-zA-Z-]+\)|\[:|\\[AzQECpP]/.test(text)) return new RE2JS([], 0);
    try {
      new RegExp(text);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new RE2JSException(reason.replace(/^Invalid regular expression: (\/.*\/\w*: )?/s, ""));
    }
    const groups = new RegExp(`${text}|`).exec("")?.length ?? 1;
    const names = [...text.matchAll(/\(\?<([A-Za-z_]\w*)>/g)].map(([, name]) => name ?? "");
    return new RE2JS(names, groups - 1);
  }

  groupCount(): number {
    return this.#groups;
  }

  /** Each name with a number of its own; the parser asks only which names there are. */
  namedGroups(): Record<string, number> {
    return Object.fromEntries(this.#names.map((name, i) => [name, i + 1]));
  }

  programSize(): number {
    return 0;
  }

  /** A machine that never runs: the server's matching is set up around it, and "failed" ends that at once. */
  re2(): { readonly dfa: { readonly failed: true }; readonly findUTF8SubmatchIndex: () => null } {
    return { dfa: { failed: true }, findUTF8SubmatchIndex: () => null };
  }

  /** Nothing is matched in the page; the server does it. */
  testExact(): boolean {
    return false;
  }
}
