/** The batch: the unit of the write path and the record of the write log. One tenant's rows for one partition, as columns.
 *  Rows are grouped into slices; all rows of a slice belong to one stream. In memory a batch is one SharedArrayBuffer that is
 *  never changed after it was built, so that worker threads read it without a copy; on disk it is the same bytes with the
 *  body compressed.
 *
 *  All integers little-endian; sections of the body start at multiples of 8.
 *
 *  Header, 64 bytes:
 *    0 u32 magic "TRB1"   4 u8 version = 1   5 u8 codec (0 none, 1 zstd)   6 u16 tenant bytes
 *    8 u32 sliceCount    12 u32 rowCount    16 u32 setCount   20 u32 bodyBytes (uncompressed)
 *   24 i64 minTime       32 i64 maxTime     40 u32 storedBytes (of the body as stored)
 *   44 u32 labelBytes    48 u32 metaBytes   52 u32 lineBytes  56 u32 CRC32C of tenant and stored body
 *   60 u32 CRC32C of header bytes 0..59
 *  then the tenant (UTF-8), then the body:
 *    timestamps  i64[rowCount]   ns since 1970
 *    lineEnds    u32[rowCount]   end of each row's line in `lines`; row 0 starts at 0
 *    metaIds     u32[rowCount]   0 = no structured metadata, k = set k-1
 *    sliceRowEnds   u32[sliceCount]  end row of each slice
 *    sliceLabelEnds u32[sliceCount]  end of each slice's canonical label string in `labels`
 *    setEnds     u32[setCount]   end of each metadata set in `meta`
 *    labels, meta, lines: bytes
 *
 *  A metadata set is pairs sorted by name, each: u16 name length, u32 value length, name, value (UTF-8). */
