/** What other query languages call things, and what LogQL writes instead: hints for errors. error.ts words errors,
 *  functions.ts has the hints for functions. */

/** Words after a `|` that are no stage here. */
export const foreignStages: Readonly<Record<string, string>> = {
  limit: "how many lines are wanted is said beside the query, with the parameter limit",
  head: "how many lines are wanted is said beside the query, with the parameter limit",
  tail: "how many lines are wanted is said beside the query, with the parameter limit",
  sort: "lines are in order of time; the parameter direction says which",
  count: "wrap the query: count_over_time({...}[5m])",
  stats: "wrap the query: sum by (label) (count_over_time({...}[5m]))",
  where: 'write the comparison itself: | level="error"',
  filter: 'write the comparison itself: | level="error"',
  fields: 'write | keep level, app, or | line_format "{{.level}}"',
  grep: 'write |= "text", or |~ "regex"',
  parse: "name the format: | json, | logfmt, | pattern or | regexp",
  ip: 'compare it: |= ip("10.0.0.0/8") for the line, | addr = ip("10.0.0.0/8") for a label',
  not: 'negate the comparison: level!="error"',
};

/** Words after a label's name that compare nothing here. */
export const foreignComparisons: Readonly<Record<string, string>> = {
  in: 'write name=~"a|b"',
  contains: 'write name=~".*text.*", or |= "text" for the line',
  like: 'write name=~"text.*"',
  matches: 'write name=~"regex"',
  is: 'write name="value"',
  startswith: 'write name=~"text.*"',
  endswith: 'write name=~".*text"',
};
