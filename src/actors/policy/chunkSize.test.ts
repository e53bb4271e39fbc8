/** How large chunks are made, for the default and at the ends. */
import t from "tap";
import { defaultSettings } from "../../platform/config/mod.ts";
import { chunkOptionsDefault } from "../../streams/chunkWriter.ts";
import { chunkRawBytes } from "./chunkSize.ts";

t.test("chunkRawBytes", (t) => {
  const target = defaultSettings.ingester.chunk_target_size;
  t.equal(chunkRawBytes(target), chunkOptionsDefault.rawBytesMax, "default");
  t.equal(chunkRawBytes(0), 256 * 1024);
  t.equal(chunkRawBytes(target * 2), chunkOptionsDefault.rawBytesMax * 2);
  t.equal(chunkRawBytes(2 ** 40), 64 * 1024 * 1024);
  t.end();
});
