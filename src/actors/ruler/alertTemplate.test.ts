/** Templates of alerts: Prometheus' documented examples and functions, questions to the store, and failures. */
import t from "tap";
import { type AlertTemplateContext, expandAlertTemplate } from "./alertTemplate.ts";

const sample = {
  labels: [["app", "shop"], ["instance", "web-1.example.org:9100"]],
  value: 1234.5678,
} as const;
const asked: string[] = [];
const context: AlertTemplateContext = {
  nowMs: 1_700_000_000_000,
  externalLabels: { cluster: "eu" },
  externalUrl: "http://logs.example/path",
  query: (expr) => {
    asked.push(expr);
    if (expr.startsWith("bad")) return Promise.reject(new Error("no such query"));
    return Promise.resolve([
      { labels: [["app", "b"]], value: 2 },
      { labels: [["app", "a"]], value: 1 },
    ]);
  },
  lines: (_, count) =>
    Promise.resolve(Array.from({ length: count }, (_, index) => `line ${index + 1}`)),
};
const expand = (text: string) => expandAlertTemplate(text, sample, context);

const table: ReadonlyArray<readonly [template: string, text: string]> = [
  ["plain", "plain"],
  ["{{ $labels.app }} {{ $value }}", "shop 1234.5678"],
  ["{{ .Labels.app }} {{ .Value }}", "shop 1234.5678"],
  ["{{ $labels.nothing }}|", "|"],
  ["{{ $externalLabels.cluster }} {{ $externalURL }}", "eu http://logs.example/path"],
  ["{{ externalURL }} {{ pathPrefix }}", "http://logs.example/path /path"],
  ["{{ $value | humanize }}", "1.235k"],
  [
    "{{ humanize 0 }} {{ humanize 0.0012 }} {{ humanize 1 }} {{ humanize 1e6 }} {{ humanize -1500 }}",
    "0 1.2m 1 1M -1.5k",
  ],
  ['{{ humanize "Inf" }} {{ humanize "123456" }}', "+Inf 123.5k"],
  ["{{ humanize1024 1024 }} {{ humanize1024 1572864 }} {{ humanize1024 0 }}", "1ki 1.5Mi 0"],
  [
    "{{ humanizeDuration 0 }} {{ humanizeDuration 1 }} {{ humanizeDuration 3600 }}",
    "0s 1s 1h 0m 0s",
  ],
  [
    "{{ humanizeDuration 86400 }} {{ humanizeDuration 899.99 }} {{ humanizeDuration .1 }}",
    "1d 0h 0m 0s 14m 59s 100ms",
  ],
  [
    "{{ humanizeDuration -3661 }} {{ humanizeDuration .0001 }} {{ humanizeDuration 1.234567 }}",
    "-1h 1m 1s 100us 1.235s",
  ],
  ['{{ 0.1234567 | humanizePercentage }} {{ "1" | humanizePercentage }}', "12.35% 100%"],
  ["{{ 1435065584.128 | humanizeTimestamp }}", "2015-06-23 13:19:44.128 +0000 UTC"],
  [
    "{{ $labels.instance | stripPort }} {{ $labels.instance | stripDomain }}",
    "web-1.example.org web-1:9100",
  ],
  ['{{ "10.0.0.1:80" | stripDomain }} {{ "[::1]:80" | stripPort }}', "10.0.0.1:80 ::1"],
  ['{{ reReplaceAll "(.*)o(.*)" "$2-$1" $labels.app }}', "p-sh"],
  ['{{ if match "^sh" $labels.app }}yes{{ end }}', "yes"],
  ['{{ title "aa bb" }} {{ toUpper "aa" }} {{ toLower "AA" }}', "Aa Bb AA aa"],
  ['{{ printf "%.1f" $value }}', "1234.6"],
  ['{{ with query "up" }}{{ . | first | value }} {{ . | first | label "app" }}{{ end }}', "2 b"],
  [
    '{{ range query "up" | sortByLabel "app" }}{{ .Labels.app }}={{ .Value }};{{ end }}',
    "a=1;b=2;",
  ],
  ["{{ range lines 2 }}[{{ . }}]{{ end }}", "[line 1][line 2]"],
  ['{{ parseDuration "1h30m" }} {{ (toTime 0).Year }}', "5400 1970"],
  ["{{ $x := 1 }}{{ $x }}", "1"],
];

t.test("templates", async (t) => {
  for (const [template, text] of table) t.equal(await expand(template), text, template);
});

t.test("a template that fails says so in its text", async (t) => {
  for (
    const [template, reason] of [
      ['{{ query "bad" }}', "no such query"],
      ["{{ lines 100 }}", "lines takes a number from 1 to 20"],
      ['{{ first (query "x") | label }}', "label"],
      ['{{ humanize "x" }}', '"x" is not a number'],
      ["{{ range $i, $l := lines 20 }}{{ query $l }}{{ end }}", "asks for more than 10 queries"],
    ] as const
  ) {
    const text = await expand(template);
    t.match(text, /^<error expanding template: .*>$/s, template);
    t.match(text, reason, template);
  }
});

t.test("a question is asked once for a text", async (t) => {
  asked.length = 0;
  await expand(
    '{{ query "a" | first | value }}{{ query "a" | first | value }}{{ query "b" | first | value }}',
  );
  t.same(asked, ["a", "b"]);
});
