/** Entries as the server reads them, times before 1970 among them: for a malformed one all that is sent with it would be lost. */
import t from "tap";
import { buildRows, decodePush, noPushLimits } from "../kernels/push.ts";
import { encodePushRequest, EntryBuffer } from "./pushEncoder.ts";

t.test("each entry has the time that it was given", (t) => {
  const seconds = [0, -1, 1, -128, -129, 1_700_000_000, -(2 ** 31), -9_223_372_036, 9_223_372_036];
  const entries = new EntryBuffer();
  for (const one of seconds) entries.add(new Uint8Array([0x61]), 0, 1, one, 5);
  decodePush(encodePushRequest([['{a="b"}', entries]]));
  const { timestamps } = buildRows(new Uint8Array([1]), new Uint8Array(1), noPushLimits);
  t.same([...timestamps], seconds.map((one) => BigInt(one) * 1_000_000_000n + 5n));
  t.end();
});
