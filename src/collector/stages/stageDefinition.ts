/** How a stage's file describes its stage: the schema of its configuration, which extracted values
 *  it uses, and how it is compiled. compile.ts reads definitions, registry.ts lists them. */
import { Result, Schema } from "effect";
import { decodeWith } from "../../platform/yaml/decode.ts";
import type { ConfigPath, ConfigProblem } from "../../platform/yaml/problem.ts";
import type { Stage, StageContext } from "./stage.ts";

/** Extracted values that a stage uses; "all" if it cannot tell. */
export type Reads = ReadonlyArray<string> | "all";

/** A stage's configuration, decoded and ready to compile. */
export interface PreparedStage {
  readonly name: string;
  readonly reads: Reads;
  /** The configuration with its defaults, as YAML would have it. */
  readonly effective: unknown;
  readonly compile: (context: StageContext) => Stage;
}

export interface StageDefinition {
  readonly name: string;
  readonly prepare: (
    value: unknown,
    path: ConfigPath,
  ) => Result.Result<PreparedStage, ReadonlyArray<ConfigProblem>>;
}

/** A definition from a typed description. A stage without any configuration is given `{}`. */
export function defineStage<S extends Schema.Codec<unknown, unknown>>(description: {
  readonly name: string;
  readonly schema: S;
  readonly reads?: (config: S["Type"]) => Reads;
  readonly compile: (config: S["Type"], context: StageContext) => Stage;
}): StageDefinition {
  const { name, schema, reads, compile } = description;
  return {
    name,
    prepare: (value, path) =>
      Result.map(decodeWith(schema, value ?? {}, path), (config) => ({
        name,
        reads: reads?.(config) ?? [],
        effective: Schema.encodeUnknownSync(schema)(config),
        compile: (context) => compile(config, context),
      })),
  };
}
