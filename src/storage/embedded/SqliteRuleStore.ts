/** Rules in SQLite: <data directory>/rules.sqlite. Each write is a transaction that is on disk when it returns. */
import { Effect, Layer } from "effect";
import { errorText, joinPath } from "../../platform/files.ts";
import { openDatabase } from "../../platform/sqlite.ts";
import { RuleStore, RuleStoreError } from "../RuleStore.ts";
import { DataDirectory } from "./DataDirectory.ts";

const schema = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL)
    WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS revisions (id INTEGER PRIMARY KEY CHECK (id = 1), last INTEGER NOT NULL);
  INSERT OR IGNORE INTO revisions VALUES (1, 0);
`;

export const sqliteRuleStoreLayer: Layer.Layer<RuleStore, RuleStoreError, DataDirectory> = Layer
  .effect(
    RuleStore,
    Effect.gen(function* () {
      const { path } = yield* DataDirectory;
      const file = joinPath(path, "rules.sqlite");
      const attempt = <A>(run: () => A) =>
        Effect.try({
          try: run,
          catch: (error) =>
            new RuleStoreError({ message: `rules in ${file}: ${errorText(error)}` }),
        });
      const database = yield* Effect.acquireRelease(
        attempt(() => {
          const opened = openDatabase(file);
          opened.exec(schema);
          return opened;
        }),
        (opened) => Effect.sync(() => opened.close()),
      );
      const statements = yield* attempt(() => ({
        list: database.prepare(
          "SELECT key, value, revision FROM records WHERE key >= ? AND key < ? ORDER BY key",
        ),
        find: database.prepare("SELECT revision FROM records WHERE key = ?"),
        next: database.prepare("UPDATE revisions SET last = last + 1 RETURNING last"),
        put: database.prepare("INSERT OR REPLACE INTO records VALUES (?, ?, ?)"),
        remove: database.prepare("DELETE FROM records WHERE key = ?"),
      }));
      const write = (key: string, value: Uint8Array, expected: number | undefined) => {
        database.exec("BEGIN IMMEDIATE");
        try {
          const found = Number(statements.find.get(key)?.["revision"] ?? 0);
          const isWanted = expected === undefined || expected === found;
          const revision = isWanted ? Number(statements.next.get()!["last"]) : undefined;
          if (revision !== undefined) statements.put.run(key, value, revision);
          database.exec("COMMIT");
          return revision;
        } catch (error) {
          database.exec("ROLLBACK");
          throw error;
        }
      };
      return RuleStore.of({
        list: (prefix) =>
          attempt(() =>
            statements.list.all(prefix, `${prefix}\u{10ffff}`).map((row) => ({
              key: String(row["key"]),
              value: row["value"] as Uint8Array,
              revision: Number(row["revision"]),
            }))
          ),
        put: (key, value) => attempt(() => write(key, value, undefined)!),
        replace: (key, value, revision) => attempt(() => write(key, value, revision)),
        remove: (key) => attempt(() => Number(statements.remove.run(key).changes) > 0),
      });
    }),
  );
