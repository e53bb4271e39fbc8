/** Rule groups from files: <directory>/<tenant>/*.yaml (or .yml), read again now and then. The namespace is what the file says
 *  with `namespace:`, else its name. Invariant: a file that became wrong leaves its groups as they were before. */
import { Result } from "effect";
import { baseName, errorText, joinPath, nodeDisk, readTextFile } from "../../platform/files.ts";
import { parseRuleFile, type RuleFile } from "./parseRules.ts";
import type { PlacedGroup } from "./rule.ts";

interface ReadFile {
  readonly text: string;
  readonly file: RuleFile;
  readonly problem: string | null;
}

export class RuleFiles {
  readonly #directory: string;
  #files = new Map<string, ReadFile>();
  #groups: ReadonlyArray<PlacedGroup> = [];

  /** `directory` is "" for none. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** As of the last read. */
  get groups(): ReadonlyArray<PlacedGroup> {
    return this.#groups;
  }

  /** Reads what changed; the result is what is wrong and was not before, a text for each file. */
  async read(): Promise<ReadonlyArray<string>> {
    if (this.#directory === "") return [];
    const [files, groups, news] = [
      new Map<string, ReadFile>(),
      [] as PlacedGroup[],
      [] as string[],
    ];
    for (const [tenant, path] of await this.#paths()) {
      const read = await this.#readFile(path);
      files.set(path, read);
      const { problem, file } = read;
      if (problem !== null && problem !== this.#files.get(path)?.problem) {
        news.push(`${path}: ${problem}`);
      }
      const namespace = file.namespace ?? baseName(path);
      for (const group of file.groups) groups.push({ tenant, namespace, group, file: path });
    }
    [this.#files, this.#groups] = [files, groups];
    return news;
  }

  async #readFile(path: string): Promise<ReadFile> {
    const before = this.#files.get(path);
    const file = before?.file ?? { namespace: null, groups: [] };
    try {
      const text = await readTextFile(path);
      if (text === before?.text) return before;
      const parsed = parseRuleFile(text);
      if (Result.isSuccess(parsed)) return { text, file: parsed.success, problem: null };
      return { text, file, problem: parsed.failure.message };
    } catch (error) {
      return { text: "", file, problem: errorText(error) };
    }
  }

  /** Tenants and files, in order. What begins with a dot is how mounted volumes keep their versions. */
  async #paths(): Promise<ReadonlyArray<readonly [tenant: string, path: string]>> {
    const paths: Array<readonly [string, string]> = [];
    for (const tenant of await nodeDisk.list(this.#directory)) {
      if (tenant.startsWith(".")) continue;
      const directory = joinPath(this.#directory, tenant);
      const names = await nodeDisk.list(directory).catch(() => []);
      for (const name of names) {
        if (!name.startsWith(".") && /\.ya?ml$/.test(name)) {
          paths.push([tenant, joinPath(directory, name)]);
        }
      }
    }
    return paths;
  }
}
