/** Copies short pieces: memory.copy is a call out of WebAssembly that costs more than most lines.
 */

/** Copies `length` bytes, 16 at a time: up to 15 bytes beyond are read and overwritten, so the
 *  target must have room for them and what follows must be written later. */

export function copyBytes(target: usize, source: usize, length: usize): void {
  for (let at: usize = 0; at < length; at += 16) v128.store(target + at, v128.load(source + at));
}
