/** The file of positions: read at the start, replaced as a whole (write, fsync, rename, fsync) when it
 *  is saved; the one before is kept, should the new one be damaged. Also reads the positions.yaml of
 *  Promtail, once, so that a node moves over without reading everything again; that file is never
 *  written, so the way back is open. */
import { Result, Schema } from "effect";
import { parse } from "yaml";
import { type Disk, errorText, joinPath, parentPath } from "../../platform/files.ts";
import { Position } from "./position.ts";

export const PositionsState = Schema.Struct({
  version: Schema.Literal(1),
  /** For each client the first record of the disk buffer that it has not delivered. */
  clients: Schema.Record(Schema.String, Schema.Number),
  /** The first record that `positions` do not count in. */
  next: Schema.Number,
  /** What the records before that say. */
  positions: Schema.Array(Position),
});

export type PositionsState = typeof PositionsState.Type;

/** Positions that cannot be read. They are not guessed: everything would be sent again. */
export class PositionsUnreadable extends Schema.TaggedError<PositionsUnreadable>()(
  "PositionsUnreadable",
  { message: Schema.String },
) {}

const codec = Schema.fromJsonString(PositionsState);
const fileName = "positions.json";

/** The state in `directory`, undefined if there is none yet. Of a file that is damaged or missing the one saved before
 *  it is read, and `warn` is told. Throws PositionsUnreadable if that does not help. */
export async function readPositions(
  disk: Disk,
  directory: string,
  warn: (message: string) => void,
): Promise<PositionsState | undefined> {
  const path = joinPath(directory, fileName);
  const [newest, previous] = [await readState(disk, path), await readState(disk, `${path}.old`)];
  if (newest !== undefined && typeof newest !== "string") return newest;
  if (previous !== undefined && typeof previous !== "string") {
    const problem = newest ?? "it is not there";
    warn(
      `Cannot read the positions in "${path}": ${problem}; those saved before are used: what was read in the ` +
        "seconds between is read and sent again",
    );
    return previous;
  }
  if (newest === undefined && previous === undefined) return undefined;
  throw new PositionsUnreadable({
    message:
      `Cannot read the positions in "${path}": ${newest ?? previous}; restore the file, or ` +
      "remove it and its .old to read every file again from its start",
  });
}

/** What a file of positions says, or why that cannot be told; undefined if there is none. */
async function readState(disk: Disk, path: string): Promise<PositionsState | string | undefined> {
  const text = await readText(disk, path);
  if (text === undefined) return undefined;
  const state = Schema.decodeUnknownResult(codec)(text);
  return Result.isSuccess(state) ? state.success : state.failure.message;
}

/** Replaces the state and keeps the one before; when this returns it survives a crash of the machine. */
export async function writePositions(
  disk: Disk,
  directory: string,
  state: PositionsState,
): Promise<void> {
  const path = joinPath(directory, fileName);
  const file = await disk.create(`${path}.new`);
  try {
    await file.write([new TextEncoder().encode(JSON.stringify(state))], 0);
    await file.syncData();
  } finally {
    await file.close();
  }
  if (await has(disk, path)) await disk.rename(path, `${path}.old`);
  await disk.rename(`${path}.new`, path);
  await disk.syncDirectory(directory);
}

/** A position of Promtail's: how far the file of that name was read, or a source's cursor. */
export interface PromtailPosition {
  readonly key: string;
  readonly value: string;
}

/** Where a positions.yaml is; what is no YAML in it may be passed over. */
export interface PromtailPositionsFile {
  readonly filename: string;
  readonly ignore_invalid_yaml: boolean;
}

/** The entries of a positions.yaml; none if there is no such file. Throws PositionsUnreadable. */
export async function readPromtailPositions(
  disk: Disk,
  { filename: path, ignore_invalid_yaml: isLenient }: PromtailPositionsFile,
): Promise<ReadonlyArray<PromtailPosition>> {
  const text = await readText(disk, path);
  if (text === undefined || text.trim() === "") return [];
  let content: unknown;
  try {
    content = parse(text, { schema: "failsafe" });
  } catch (error) {
    if (isLenient) return [];
    throw new PositionsUnreadable({
      message: `Cannot read Promtail's positions in "${path}": ${errorText(error)}`,
    });
  }
  const positions = Schema.decodeUnknownResult(PromtailFile)(content);
  if (Result.isFailure(positions)) {
    if (isLenient) return [];
    throw new PositionsUnreadable({
      message: `Cannot read Promtail's positions in "${path}": ${positions.failure.message}`,
    });
  }
  return Object.entries(positions.success.positions ?? {}).map(([key, value]) => ({ key, value }));
}

const PromtailFile = Schema.Struct({
  positions: Schema.optional(Schema.Record(Schema.String, Schema.String)),
});

async function has(disk: Disk, path: string): Promise<boolean> {
  const names = await disk.list(parentPath(path));
  return names.some((name) => joinPath(parentPath(path), name) === path);
}

async function readText(disk: Disk, path: string): Promise<string | undefined> {
  if (!await has(disk, path)) return undefined;
  const file = await disk.open(path, "read");
  try {
    return new TextDecoder().decode(await file.read(0, await file.size()));
  } finally {
    await file.close();
  }
}
