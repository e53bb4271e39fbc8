/** Rules in SQLite: the port's contract. */
import { Layer } from "effect";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ruleStoreContract } from "../RuleStore.contract.ts";
import { DataDirectory } from "./DataDirectory.ts";
import { sqliteRuleStoreLayer } from "./SqliteRuleStore.ts";

ruleStoreContract("SQLite", () => {
  const directory = fs.mkdtempSync(join(tmpdir(), "tailrace-rules-"));
  return Promise.resolve({
    open: () => sqliteRuleStoreLayer.pipe(Layer.provide(DataDirectory.layer(directory))),
    cleanUp: () => fs.promises.rm(directory, { recursive: true }),
  });
});
