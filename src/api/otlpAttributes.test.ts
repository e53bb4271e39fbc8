/** otlp_config, from the text of a configuration file to the streams that a request becomes. */
import { Result } from "effect";
import t from "tap";
import { decodePush } from "../kernels/reference/push.ts";
import { resolveSettings } from "../platform/config/load.ts";
import type { Settings } from "../platform/config/mod.ts";
import { type OtlpAttribute, otlpProtobufBody, type OtlpRequest } from "../testing/otlp.ts";
import { labelNameOf, OtlpRules } from "./otlpAttributes.ts";
import { transcodeOtlpLogs } from "./otlpLogs.ts";

function settingsOf(text: string): Settings {
  const loaded = resolveSettings({ file: { name: "tailrace.yaml", text } });
  return Result.getOrThrowWith(loaded, (error) => error).settings;
}

/** The streams of a request: labels, then each entry's line with its metadata. */
function streams(config: string, request: OtlpRequest, tenant = "fake"): ReadonlyArray<string> {
  const { bytes } = transcodeOtlpLogs(otlpProtobufBody(request).bytes, {
    actions: new OtlpRules(settingsOf(config)).of(tenant),
    nowMs: 0,
    bytesMax: 1_000_000,
  });
  const decoder = new TextDecoder();
  return decodePush(bytes)!.map(({ labels, entries }) => {
    const lines = entries.map(({ line, pairs }) =>
      [line, ...pairs.map(([name, value]) => `${decoder.decode(name)}=${decoder.decode(value)}`)]
        .map((part) => typeof part === "string" ? part : decoder.decode(part)).join(" ")
    );
    return `${decoder.decode(labels)}: ${lines.join("; ")}`;
  });
}

function texts(values: Readonly<Record<string, string>>): ReadonlyArray<OtlpAttribute> {
  return Object.entries(values).map(([key, stringValue]) => ({ key, value: { stringValue } }));
}

const request: OtlpRequest = {
  resourceLogs: [{
    resource: {
      attributes: [
        ...texts({ "service.name": "shop", "team.name": "a", "team.lead": "b", "1st": "c" }),
        { key: "os", value: { kvlistValue: { values: texts({ type: "linux" }) } } },
      ],
    },
    scopeLogs: [{
      scope: { attributes: texts({ "scope.a": "1", "scope.b": "2" }) },
      logRecords: [
        { body: { stringValue: "one" }, severityText: "INFO", attributes: texts({ kind: "x" }) },
        { body: { stringValue: "two" }, severityText: "WARN", attributes: texts({ kind: "x" }) },
        { body: { stringValue: "three" }, attributes: texts({ kind: "y", key: "k" }) },
      ],
    }],
  }],
};

const resource = "team.name=a team.lead=b 1st=c os_type=linux";
const scope = "scope.a=1 scope.b=2";

t.test("without it, the resource's usual attributes are labels", (t) => {
  t.same(streams("", request), [
    `{service_name="shop"}: one severity_text=INFO kind=x ${resource} ${scope}; ` +
    `two severity_text=WARN kind=x ${resource} ${scope}; three kind=y key=k ${resource} ${scope}`,
  ]);
  t.end();
});

t.test("a resource's attributes: the first rule that matches a whole name counts", (t) => {
  const config = `limits_config:
  otlp_config:
    resource_attributes:
      attributes_config:
        - action: drop
          attributes: [team.lead, service.name]
        - action: index_label
          regex: team\\..*|\\dst|os
        - regex: .*
    scope_attributes:
      - action: drop
        regex: .*\\.b
    log_attributes:
      - action: drop
        attributes: [kind, key]
`;
  // The defaults come before: service.name stays a label.
  t.same(streams(config, request), [
    `{key_1st="c", os_type="linux", service_name="shop", team_name="a"}: one severity_text=INFO scope.a=1; ` +
    "two severity_text=WARN scope.a=1; three scope.a=1",
  ]);
  t.end();
});

t.test("without the defaults, and with others", (t) => {
  const ignoring = `limits_config:
  otlp_config: { resource_attributes: { ignore_defaults: true } }
`;
  t.match(streams(ignoring, request), [/^\{\}: one .* service.name=shop/]);
  const others = `distributor:
  otlp_config:
    default_resource_attributes_as_index_labels: [team.name]
`;
  t.match(streams(others, request), [/^\{team_name="a"\}: one .* service.name=shop/]);
  const flags = new Map([[
    "distributor.otlp_config.default_resource_attributes_as_index_labels",
    { text: "team.lead, team.name", spelling: "--x" },
  ]]);
  const { settings } = Result.getOrThrow(resolveSettings({ flags }));
  t.same(settings.distributor.otlp_config.default_resource_attributes_as_index_labels, [
    "team.lead",
    "team.name",
  ]);
  t.end();
});

t.test("a record's attributes and severity can be labels: its stream is its own", (t) => {
  const config = `limits_config:
  otlp_config:
    log_attributes: [{ action: index_label, attributes: [kind] }]
overrides:
  other:
    otlp_config: { severity_text_as_label: true }
`;
  const rest = `${resource} ${scope}`;
  t.same(streams(config, request), [
    `{kind="x", service_name="shop"}: one severity_text=INFO ${rest}; two severity_text=WARN ${rest}`,
    `{kind="y", service_name="shop"}: three key=k ${rest}`,
  ]);
  t.same(streams(config, request, "other"), [
    `{service_name="shop", severity_text="INFO"}: one severity_text=INFO kind=x ${rest}`,
    `{service_name="shop", severity_text="WARN"}: two severity_text=WARN kind=x ${rest}`,
    `{service_name="shop"}: three kind=y key=k ${rest}`,
  ], "a tenant's own");
  t.end();
});

t.test("what is wrong with it is said at the start", (t) => {
  const problem = (config: string) => {
    const loaded = resolveSettings({
      file: { name: "tailrace.yaml", text: `limits_config:\n  otlp_config: ${config}\n` },
    });
    if (Result.isFailure(loaded)) return loaded.failure.message;
    try {
      new OtlpRules(loaded.success.settings);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  const at = "tailrace.yaml:2: limits_config.otlp_config: ";
  const cases: ReadonlyArray<readonly [config: string, message: string]> = [
    ["{}", ""],
    ["7", `${at}otlp_config is not a map`],
    ["{ log_attribute: [] }", `${at}otlp_config has the key "log_attribute": resource_attributes,`],
    [
      "{ log_attributes: [{ action: keep, regex: a }] }",
      `${at}log_attributes[0] has the action "k`,
    ],
    [
      "{ log_attributes: [{ action: drop }] }",
      `${at}log_attributes[0] must have either attributes`,
    ],
    [
      "{ log_attributes: [{ attributes: [a], regex: b }] }",
      `${at}log_attributes[0] must have eith`,
    ],
    [
      "{ log_attributes: [{ attributes: a }] }",
      `${at}log_attributes[0] has attributes that are no`,
    ],
    [
      "{ scope_attributes: [{ action: index_label, regex: a }] }",
      `${at}scope_attributes[0] has the action "index_label": write one of structured_metadata, drop`,
    ],
    ["{ severity_text_as_label: 3 }", `${at}severity_text_as_label is 3, neither true nor false`],
    [
      "{ log_attributes: [{ action: drop, regex: '(' }] }",
      'limits_config.otlp_config: invalid regular expression "(":',
    ],
  ];
  for (const [config, message] of cases) {
    const found = problem(config);
    t.ok(message === "" ? found === "" : found.includes(message), `${config}: ${found}`);
  }
  t.end();
});

t.test("labelNameOf makes names that labels can have", (t) => {
  const cases = [["k8s.pod.name", "k8s_pod_name"], ["1st", "key_1st"], ["", "_"], ["ü😀x", "__x"]];
  for (const [attribute, name] of cases) t.equal(labelNameOf(attribute!), name);
  t.end();
});
