/** The XML of S3's answers, as far as the object store needs it. Pure. Keys are of characters that XML leaves alone. */

/** What a store says is wrong. */
export interface S3Error {
  readonly code: string;
  readonly message: string;
}

export interface S3Listing {
  readonly objects: ReadonlyArray<{ readonly key: string; readonly bytes: number }>;
  /** Where the next page starts; null on the last. */
  readonly next: string | null;
}

/** The error of a body, if it has one. */
export function readError(body: string): S3Error | undefined {
  if (!/<Error[\s>]/.test(body)) return undefined;
  return { code: textOf(body, "Code") ?? "", message: textOf(body, "Message") ?? "" };
}

/** A page of ListObjectsV2; undefined if the body is not a whole one. */
export function readListing(body: string): S3Listing | undefined {
  if (!/<\/ListBucketResult>\s*$/.test(body)) return undefined;
  const objects: Array<{ key: string; bytes: number }> = [];
  for (const [, contents = ""] of body.matchAll(/<Contents>([^]*?)<\/Contents>/g)) {
    const key = textOf(contents, "Key");
    const bytes = Number(textOf(contents, "Size") ?? "");
    if (key === undefined || !Number.isSafeInteger(bytes)) return undefined;
    objects.push({ key, bytes });
  }
  const count = textOf(body, "KeyCount");
  if (count !== undefined && Number(count) !== objects.length) return undefined;
  const isTruncated = textOf(body, "IsTruncated") === "true";
  const next = textOf(body, "NextContinuationToken");
  if (isTruncated && next === undefined) return undefined;
  return { objects, next: isTruncated ? next! : null };
}

/** The id of a multipart upload that was begun. */
export function readUploadId(body: string): string | undefined {
  return textOf(body, "UploadId");
}

/** What completes a multipart upload. */
export function completeUpload(tags: ReadonlyArray<string>): string {
  const parts = tags.map((tag, index) =>
    `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(tag)}</ETag></Part>`
  );
  return `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${
    parts.join("")
  }</CompleteMultipartUpload>`;
}

function textOf(xml: string, element: string): string | undefined {
  const found = new RegExp(`<${element}(?:\\s[^>]*)?>([^<]*)</${element}>`).exec(xml)?.[1];
  return found === undefined ? undefined : unescaped(found);
}

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function unescaped(text: string): string {
  return text.replace(
    /&(?:#(\d+)|#x([\da-fA-F]+)|(amp|lt|gt|quot|apos));/g,
    (_, dec, hex, name) =>
      name !== undefined
        ? entities[name]!
        : String.fromCodePoint(Number.parseInt(dec ?? hex, dec === undefined ? 16 : 10)),
  );
}

function escaped(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (character) => `&${Object.entries(entities).find(([, value]) => value === character)![0]};`,
  );
}
