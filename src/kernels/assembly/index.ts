/** The kernel module: every export of build/kernels.wasm, one line a kernel. JavaScript lays out
 *  the memory above heapBase(); kernels read and write only what they are pointed at, and keep no
 *  pointers between calls unless they say so.
 *  Small functions need no @inline: the optimiser inlines them anyway, and the formatter drops
 *  decorators of functions. */
export * from "./hash";
export * from "./chunkColumns";
export * from "./chunkRows";
export { gramBitmap, gramScratchBytes } from "./grams";
export {
  pushBuild,
  pushDecode,
  pushFailAt,
  pushFailCode,
  pushFrameBytes,
  pushStreamRowBytes,
  pushStreams,
  pushTotals,
} from "./push";
export { levelOfText, lineLevel } from "./level";
export { jsonFields } from "./jsonFields";
export { logfmtFields } from "./logfmtFields";
export { snappyDecode } from "./snappy";
export { countOnes, removeRows, scanFrameBytes, scanText } from "./scan";

/** First byte of linear memory that no kernel's static data uses. */
export function heapBase(): usize {
  return __heap_base;
}
