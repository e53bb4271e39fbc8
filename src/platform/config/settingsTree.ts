/** Written values on their way to settings: which keys exist, where each value came from, and all mistakes together.
 *  load.ts owns the order of sources, settings.ts the schema. */
import { Result, Schema, SchemaIssue } from "effect";
import { isSection, settingAt, unknownKeyMessage } from "./catalogue.ts";
import { LimitsOverride } from "./limits.ts";
import { Settings } from "./settings.ts";

/** The configuration cannot be used. `problems` has one line for each mistake, with its place. */
export class SettingsInvalid
  extends Schema.TaggedError<SettingsInvalid>("tailrace/platform/SettingsInvalid")(
    "SettingsInvalid",
    { problems: Schema.Array(Schema.String) },
  ) {
  override get message(): string {
    return `The configuration is not valid:\n${
      this.problems.map((problem) => `  ${problem}`).join("\n")
    }`;
  }
}

/** Collects written values with their origins and decodes them all at once. */
export class SettingsTree {
  readonly origins = new Map<string, string>();
  readonly problems: Array<string> = [];
  readonly #root: Tree = { overrides: Object.create(null) };

  /** Sets the value at `keys`, over any earlier one; `origin` is undefined for defaults. */
  set(
    keys: ReadonlyArray<string>,
    value: string | number | boolean,
    origin: string | undefined,
  ): void {
    const path = keys.join(".");
    if (keys[0] === "overrides") {
      const key = keys[2] ?? "";
      if (keys.length !== 3 || !Object.hasOwn(LimitsOverride.fields, key)) {
        this.problems.push(
          `${origin}: ${unknownKeyMessage(`limits_config.${keys.slice(2).join(".")}`)}`,
        );
        return;
      }
    }
    let branch = this.#root;
    for (const key of keys.slice(0, -1)) {
      if (!Object.hasOwn(branch, key)) branch[key] = Object.create(null) as Tree;
      branch = branch[key] as Tree;
    }
    branch[keys.at(-1)!] = value;
    if (origin !== undefined) this.origins.set(path, origin);
  }

  /** As set, for a path as one string, which may be no setting. */
  setPath(path: string, value: string, origin: string): void {
    const keys = keysOf(path);
    if (settingAt(path) !== undefined || keys[0] === "overrides") {
      return this.set(keys, value, origin);
    }
    const reason = isSection(path) ? `"${path}" is a section` : unknownKeyMessage(path);
    this.problems.push(`${origin}: ${reason}`);
  }

  /** The settings, or every problem noted so far and every value of the wrong kind. */
  decode(): Result.Result<Settings, SettingsInvalid> {
    const decoded = Schema.decodeUnknownResult(Settings, { errors: "all" })(this.#root);
    if (Result.isFailure(decoded)) {
      for (const issue of formatIssues(decoded.failure.issue).issues) {
        const path = (issue.path ?? []).map(String).join(".");
        this.problems.push(`${this.origins.get(path) ?? "default"}: ${path}: ${issue.message}`);
      }
    }
    return Result.isFailure(decoded) || this.problems.length > 0
      ? Result.fail(new SettingsInvalid({ problems: this.problems }))
      : Result.succeed(decoded.success);
  }
}

interface Tree {
  [key: string]: string | number | boolean | Tree;
}

const formatIssues = SchemaIssue.makeFormatterStandardSchemaV1();

/** A tenant's name may hold dots, so an override's path is cut at its first and its last. */
function keysOf(path: string): ReadonlyArray<string> {
  if (!path.startsWith("overrides.")) return path.split(".");
  const last = path.lastIndexOf(".");
  const tenant = path.slice("overrides.".length, last);
  return tenant === "" ? [path] : ["overrides", tenant, path.slice(last + 1)];
}
