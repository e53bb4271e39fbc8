/** The stage template against Promtail's documentation. */
import { createHash } from "node:crypto";
import t from "tap";
import { extracted, pipelineProblems, runPipeline } from "../../testing/collectorPipelines.ts";

const line = '{"app":"loki","level":"WARN","module":"test","n":1.5,"none":null,"path":"/a/b/c"}';
const json = "- json: {expressions: {app: , level: , module: , n: , none: , path: }}\n";

function rendered(source: string, template: string): string | undefined {
  const stage = `- template: ${JSON.stringify({ source, template })}`;
  return extracted(json + stage, [source], line)[source];
}

t.test("templates see extracted values, their source and the line", (t) => {
  const f = (source: string, template: string, expected: string | undefined) =>
    t.equal(rendered(source, template), expected, template);
  f("new_key", "hello world!", "hello world!");
  f("app", "{{ .Value }}_some_suffix", "loki_some_suffix");
  f("level", "{{ ToLower .Value }}", "warn");
  f("level", "{{ .level | ToLower }}", "warn");
  f("output_msg", "{{ .level }} for app {{ ToUpper .app }}", "WARN for app LOKI");
  f(
    "app",
    "{{ .level }} for app {{ ToUpper .Value }} in module {{.module}}",
    "WARN for app LOKI in module test",
  );
  f("app", '{{ Replace .Value "loki" "blokey" 1 }}', "blokey");
  f(
    "level",
    '{{ if eq .Value "WARN" }}{{ Replace .Value "WARN" "OK" -1 }}{{ else }}{{ .Value }}{{ end }}',
    "OK",
  );
  f("n", "{{ .n }}", "1.5");
  f("message", "{{ .app }}: {{ .Entry }}", `loki: ${line}`);
  f("app", "", undefined);
  f("app", "{{ if .missing }}x{{ end }}", undefined);
  f("new", "{{ .missing }}", "<no value>");
  f("new", "{{ .none }}", "<no value>");
  // A template that fails leaves the value as it was.
  f("app", "{{ ToUpper .missing }}", "loki");
  f("new", "{{ ToUpper .missing }}", undefined);
  t.end();
});

t.test("functions of Promtail", (t) => {
  const f = (template: string, expected: string) =>
    t.equal(rendered("x", template), expected, template);
  const hex = (name: string, text: string) => createHash(name).update(text).digest("hex");
  f('{{ Trim .app "li" }}', "ok");
  f('{{ TrimPrefix .app "lo" }}', "ki");
  f('{{ regexReplaceAll "(l)(o)" .app "${2}$1" }}', "olki");
  f('{{ regexReplaceAllLiteral "(l)" .app "$1" }}', "$1oki");
  f('{{ Hash "salt" .app }}', hex("sha3-256", "saltloki"));
  f('{{ .app | Sha2Hash "salt" }}', hex("sha256", "saltloki"));
  f("{{ sha256sum .app }}", hex("sha256", "loki"));
  f("{{ substr 0 2 .app }}", "lo");
  f("{{ add (.n | trunc 1) 2 }}", "3");
  f('{{ regexMatch "^l" .app }} {{ regexFind "[k-o]+" .app }}', "true lok");
  f('{{ .missing | default "d" }}{{ empty .app }}{{ coalesce .missing .app }}', "dfalseloki");
  f('{{ ternary "y" "n" (eq .app "loki") }}', "y");
  f(
    "{{ quote .app .level }} {{ squote .app }} {{ cat .app .level }}",
    `"loki" "WARN" 'loki' loki WARN`,
  );
  f(
    '{{ (split "/" .path)._2 }} {{ last (splitList "/" .path) }} {{ splitList "/" .path | join "-" }}',
    "b c -a-b-c",
  );
  f('{{ has "a" (list "a" "b") }}{{ atoi "12x" }}{{ nospace " a b " }}', "true0ab");
  t.end();
});

t.test("output takes what a template made", (t) => {
  const stages = json + "- template: {source: message, template: '{{ .app }}: {{ .Entry }}'}\n" +
    "- output: {source: message}";
  t.equal(runPipeline(stages, [line])[0]!.line, `loki: ${line}`);
  t.end();
});

t.test("labels that entries come with can be read, and a value removed hides its label", (t) => {
  const stages = "- template: {source: app, template: '{{ .env }}'}\n" +
    "- template: {source: env, template: ''}\n- labels: {copy: app, other: env}";
  const [output] = runPipeline(stages, ["x"], { labels: { env: "prod" } });
  t.equal(output!.labels, '{copy="prod", env="prod"}');
  t.end();
});

t.test("template refuses what cannot work", (t) => {
  const f = (config: string, problem: RegExp) =>
    t.match(pipelineProblems(`- template: ${config}`), problem, config);
  f("{template: x}", /template.source: is required/);
  f("{source: a}", /template.template: is required/);
  f("{source: a, template: '{{ .b'}", /template.template: template error at line 1/);
  f(
    "{source: a, template: '{{ ToLowr .b }}'}",
    /there is no function "ToLowr"/,
  );
  t.end();
});
