/** Finds a text in bytes, in time linear in the bytes whatever both are: a query must not hold up a thread. Short texts are
 *  compared place by place, longer ones by Knuth, Morris and Pratt ("Fast pattern matching in strings", 1977). Whole blocks are
 *  searched by the kernel (src/kernels/scan.ts); this is for what is left of single lines. */

/** Where the text starts in bytes[from..end), or -1. */
export type ByteSearch = (bytes: Uint8Array, from: number, end: number) => number;

/** Up to this length comparing at each place costs less than a table. */
const shortBytesMax = 16;

/** A search for `text`, which must not be empty. */
export function byteSearch(text: Uint8Array): ByteSearch {
  return text.length <= shortBytesMax ? searchShort(text) : searchLong(text);
}

function searchShort(text: Uint8Array): ByteSearch {
  const first = text[0]!;
  return (bytes, from, end) => {
    const last = end - text.length;
    for (let at = from; at <= last; at++) {
      if (bytes[at] !== first) continue;
      let same = 1;
      while (same < text.length && bytes[at + same] === text[same]) same++;
      if (same === text.length) return at;
    }
    return -1;
  };
}

function searchLong(text: Uint8Array): ByteSearch {
  // borders[n]: how many bytes at the start of text[0..n) are also at its end, itself left out.
  const borders = new Int32Array(text.length + 1);
  borders[0] = -1;
  for (let length = 1, border = -1; length <= text.length; length++) {
    while (border >= 0 && text[border] !== text[length - 1]) border = borders[border]!;
    borders[length] = ++border;
  }
  return (bytes, from, end) => {
    let same = 0;
    for (let at = from; at < end; at++) {
      while (same >= 0 && text[same] !== bytes[at]) same = borders[same]!;
      if (++same === text.length) return at + 1 - same;
    }
    return -1;
  };
}
