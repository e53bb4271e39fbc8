/** `-config.expand-env`: puts environment variables into a configuration's text before it is read as
 *  YAML. After the documentation of Promtail: ${VAR}, ${VAR:-default}, undefined variables are empty,
 *  and a doubled backslash stands for one. A dollar sign without a brace is text, as in the $1 of a
 *  relabel rule; $${ is the text ${. Other forms of shell expansion are mistakes, not text. */

export interface ExpansionProblem {
  /** Position in the text. */
  readonly at: number;
  readonly message: string;
}

/** The text with all references replaced, and the references that cannot be. Values that span lines
 *  move the lines after them, as they would in Promtail. */
export function expandEnvironment(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly text: string; readonly problems: ReadonlyArray<ExpansionProblem> } {
  const problems: ExpansionProblem[] = [];
  const expanded = text.replace(
    /\\\\|\$\$\{|\$\{([^}\n]*)(\}?)/g,
    (whole, inner: string | undefined, close: string, at: number) => {
      if (whole === "\\\\") return "\\";
      if (whole === "$${") return "${";
      const match = /^([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-=])(.*))?$/.exec(inner!);
      if (close === "" || match === null) {
        const message = close === ""
          ? "has no closing brace"
          : "is not ${NAME} or ${NAME:-default}";
        problems.push({ at, message: `${whole} ${message}; write $\${ for the text \${` });
        return whole;
      }
      const [, name, operator, byDefault = ""] = match;
      const value = environment[name!];
      const isUnset = value === undefined || (value === "" && operator?.startsWith(":"));
      return isUnset ? byDefault : value;
    },
  );
  return { text: expanded, problems };
}
