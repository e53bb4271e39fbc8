// What can be told of a query without a parser: whether it computes numbers, and variables that a page fills in.
// The server's parser is the authority on LogQL.

/** Whether a query computes numbers: it does when it starts with anything but a selector. */
export function isMetricQuery(query: string): boolean {
  const start = /^(?:\s|#[^\n]*(?:\n|$)|\()*/.exec(query)?.[0].length ?? 0;
  return start < query.length && query[start] !== "{" && query[start] !== "|";
}

/** Puts the step and the range in place of Grafana's variables, so that its queries can be pasted. */
export function fillVariables(query: string, stepSeconds: number, rangeSeconds: number): string {
  return query.replace(/\$__(auto|interval|rate_interval|range)\b|\$\{__(auto|interval|range)\}/g, (
    _,
    plain: string | undefined,
    braced: string | undefined,
  ) => `${(plain ?? braced) === "range" ? Math.max(1, Math.round(rangeSeconds)) : stepSeconds}s`);
}

/** A step of 1, 2, 5, 10, 15 or 30 seconds, minutes or hours, or days, such that a range has at most `pointsMax` of them. */
export function roundStep(rangeSeconds: number, pointsMax: number): number {
  const wanted = rangeSeconds / pointsMax;
  return roundSteps.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400;
}

const roundSteps = [1, 60, 3600].flatMap((unit) => [1, 2, 5, 10, 15, 30].map((n) => n * unit))
  .filter((step) => step <= 12 * 3600).concat(86_400).sort((a, b) => a - b);
