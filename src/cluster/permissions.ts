/** The least that each role may do in NATS, as a configuration of its servers says it. Pure. Names
 *  are enumerated because a wildcard stands for a whole token: "LOGS_*" would match nothing.
 *  test/e2e/permissions.test.ts runs a cluster with exactly these. */
import {
  indexBucket,
  leaseBucket,
  logStreamName,
  objectBucketName,
  ruleBucket,
} from "./streams.ts";

export interface PermissionOptions {
  readonly partitions: number;
  readonly objectShards: number;
}

export interface RolePermissions {
  readonly role: "distributor" | "ingester" | "querier" | "ui" | "ruler" | "compactor";
  readonly publish: ReadonlyArray<string>;
  readonly subscribe: ReadonlyArray<string>;
  /** Whether it says who it is when `nats micro` asks. */
  readonly isService: boolean;
}

/** nats.inbox_prefix of a role: with one of its own, nobody else reads its answers. */
export function inboxPrefix(role: RolePermissions["role"]): string {
  return `_INBOX_${role}`;
}

export function rolePermissions(options: PermissionOptions): ReadonlyArray<RolePermissions> {
  const logs = Array.from({ length: options.partitions }, (_, index) => logStreamName(index));
  const objects = Array.from(
    { length: options.objectShards },
    (_, index) => `OBJ_${objectBucketName(index)}`,
  );
  const [index, leases] = [`KV_${indexBucket}`, `KV_${leaseBucket}`];
  const everything = [...logs, ...objects, index, leases];
  const api = (verbs: ReadonlyArray<string>, streams: ReadonlyArray<string>) =>
    streams.flatMap((stream) => verbs.map((verb) => `$JS.API.${verb}.${stream}`));
  const rules = `KV_${ruleBucket}`;
  // The first that answers for rules or evaluates them makes the bucket.
  const ofRules = api(["STREAM.INFO", "STREAM.CREATE", "STREAM.MSG.GET", "DIRECT.GET"], [rules]);
  const info = ["$JS.API.STREAM.NAMES", ...api(["STREAM.INFO"], everything)];
  const reads = api(["STREAM.MSG.GET", "DIRECT.GET"], everything);
  const queries = [
    ...info,
    ...reads,
    ...ofRules,
    // The rules API: groups, not what their evaluations come to.
    `$KV.${ruleBucket}.group.>`,
    "tailrace.head.*",
    "tailrace.flush.*",
    "tailrace.scan.*",
  ];
  const inbox = (role: RolePermissions["role"]) => `${inboxPrefix(role)}.>`;
  // By name, for who asks and who tells how far a long answer has come: what a server allows for a question (allow_responses), it
  // forgets with the connection that brought it, and an answer that is ready on the next one would be refused.
  const answersTo = (...askers: ReadonlyArray<RolePermissions["role"]>) => askers.map(inbox);
  return [
    {
      role: "distributor",
      publish: ["logs.>", "$JS.API.STREAM.NAMES", ...api(["STREAM.INFO"], logs)],
      subscribe: [inbox("distributor")],
      isService: false,
    },
    {
      role: "ingester",
      publish: [
        ...info,
        ...reads,
        ...api(["STREAM.CREATE", "STREAM.UPDATE"], everything),
        ...api(["STREAM.PURGE"], [...logs, ...objects]),
        ...objects.map((stream) => `$O.${stream.slice("OBJ_".length)}.>`),
        `$KV.${indexBucket}.>`,
        `$KV.${leaseBucket}.>`,
        "tailrace.flush.*",
        ...answersTo("ingester", "querier", "ui"),
      ],
      subscribe: ["tail.*.*", "tailrace.head.*", "tailrace.flush.*", "$SRV.>", inbox("ingester")],
      isService: true,
    },
    {
      role: "querier",
      publish: [
        ...queries,
        `$KV.${leaseBucket}.querier.>`,
        ...answersTo("ingester", "querier", "ruler", "ui"),
      ],
      subscribe: ["tail.*.*", "tailrace.scan.*", "tailrace.rules", "$SRV.>", inbox("querier")],
      isService: true,
    },
    {
      // A querier that takes no jobs, and so tells nobody that it would.
      role: "ui",
      publish: [...queries, ...answersTo("ingester", "querier")],
      subscribe: ["tail.*.*", "$SRV.>", inbox("ui")],
      isService: true,
    },
    {
      role: "ruler",
      publish: [
        "$JS.API.STREAM.NAMES",
        ...ofRules,
        ...api(["STREAM.INFO", "STREAM.CREATE", "DIRECT.GET"], [leases]),
        `$KV.${ruleBucket}.>`,
        `$KV.${leaseBucket}.ruler.>`,
        `$KV.${leaseBucket}.rules.>`,
        "tailrace.rules",
        ...answersTo("querier"),
      ],
      subscribe: [inbox("ruler")],
      isService: false,
    },
    {
      role: "compactor",
      publish: [
        ...info,
        ...reads,
        ...api(["STREAM.CREATE", "STREAM.UPDATE"], [...objects, index, leases]),
        ...api(["STREAM.PURGE"], objects),
        ...objects.map((stream) => `$O.${stream.slice("OBJ_".length)}.>`),
        `$KV.${indexBucket}.segment.>`,
        `$KV.${indexBucket}.streams.>`,
        `$KV.${leaseBucket}.compactor.>`,
        `$KV.${leaseBucket}.compaction.>`,
      ],
      subscribe: [inbox("compactor")],
      isService: false,
    },
  ];
}

/** A block of the servers' configuration with one user for each role; `credentials` are the lines
 *  that say who that is. */
export function permissionsConfig(
  options: PermissionOptions,
  credentials: (role: RolePermissions["role"]) => string,
): string {
  const users = rolePermissions(options).map(({ role, publish, subscribe, isService }) => {
    const list = (subjects: ReadonlyArray<string>) =>
      subjects.map((subject) => `\n        ${JSON.stringify(subject)}`).join("");
    const responses = isService
      ? "\n      # To nats micro, one message for each question.\n      allow_responses: true"
      : "";
    return `  { ${credentials(role)}
    permissions: {
      publish: { allow: [${list(publish)}
      ] }
      subscribe: { allow: [${list(subscribe)}
      ] }${responses}
    }
  }`;
  });
  return `users: [\n${users.join("\n")}\n]`;
}
