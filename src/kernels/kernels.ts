/** Loads the kernel module and owns the linear memory of its instances: a bump allocator that every
 *  call starts anew. The typed wrappers beside this file (hash, push, scan, chunkColumns) own what
 *  is laid out in it. Invariant: a view is valid until the next call on the same instance; memory
 *  that grows replaces the views. */
import { readKernelModule } from "../platform/kernelModule.ts";

/** What every instance exports; wrappers name the further functions they call as the type parameter
 *  of `Kernels`. */
interface BaseExports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  heapBase(): number;
}

type WasmModule = { readonly __module: never };

/** The part of the WebAssembly API in use; neither TypeScript's "esnext" library nor @types/node
 *  declares it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => WasmModule;
  readonly Instance: new (module: WasmModule) => { readonly exports: unknown };
};

const pageBytes = 65536;
/** The maximum the module declares: 16384 pages, 1 GB. */
const memoryBytesMax = 16384 * pageBytes;

let compiledModule: WasmModule | undefined;
let threadKernels: Kernels<unknown> | undefined;

/** The instance of this thread, made at first use, for calls that keep nothing in memory once they
 *  returned. */
export function kernels<Exports>(): Kernels<Exports> {
  threadKernels ??= new Kernels<unknown>();
  return threadKernels as Kernels<Exports>;
}

/** One instance of the kernel module with its memory. Make one of your own to keep data in it
 *  between calls. */
export class Kernels<Exports> {
  readonly exports: Exports;
  readonly #memory: BaseExports["memory"];
  readonly #scratchStart: number;
  #scratchEnd: number;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor() {
    compiledModule ??= new WebAssembly.Module(readKernelModule());
    const instance = new WebAssembly.Instance(compiledModule);
    const base = instance.exports as BaseExports;
    this.exports = instance.exports as Exports;
    this.#memory = base.memory;
    this.#scratchStart = alignUp(base.heapBase());
    this.#scratchEnd = this.#scratchStart;
    this.#bytes = new Uint8Array(base.memory.buffer);
  }

  /** Starts a call: everything reserved before is free again, or, given a `mark`, everything
   *  reserved since it was taken. */
  reset(mark = this.#scratchStart): void {
    this.#scratchEnd = mark;
  }

  /** Where the next reservation will lie: what to hand to `reset` to keep all reserved so far. */
  get mark(): number {
    return this.#scratchEnd;
  }

  /** Takes `bytes` of scratch memory (not zeroed) and returns its address, a multiple of 64. At
   *  least 64 bytes beyond the end are readable, so that kernels may load whole vectors. Throws a
   *  RangeError beyond the module's 1 GB. */
  reserve(bytes: number): number {
    const pointer = this.#scratchEnd;
    const end = alignUp(pointer + bytes) + 64;
    if (end > this.#bytes.byteLength) this.#grow(end);
    this.#scratchEnd = end;
    return pointer;
  }

  /** Reserves room for `source` and copies it there. */
  copyIn(source: Uint8Array): number {
    const pointer = this.reserve(source.byteLength);
    this.#bytes.set(source, pointer);
    return pointer;
  }

  /** All of linear memory. Take it anew after each reserve. */
  get memory(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** `length` bytes at `pointer`. */
  bytes(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory.buffer, pointer, length);
  }

  /** `count` 32-bit integers at `pointer`, which must be a multiple of 4. */
  u32(pointer: number, count: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.#memory.buffer, pointer, count);
  }

  /** `count` 64-bit integers at `pointer`, which must be a multiple of 8. */
  i64(pointer: number, count: number): BigInt64Array<ArrayBuffer> {
    return new BigInt64Array(this.#memory.buffer, pointer, count);
  }

  #grow(bytesNeeded: number): void {
    if (bytesNeeded > memoryBytesMax) {
      throw new RangeError(
        `Kernel needs ${bytesNeeded} bytes of memory, more than its limit of ${memoryBytesMax}: ` +
          `hand it less at a time`,
      );
    }
    // A quarter more than asked, so that slowly growing inputs do not replace the views each time.
    const target = Math.min(memoryBytesMax, bytesNeeded + (bytesNeeded >>> 2));
    this.#memory.grow(Math.ceil((target - this.#bytes.byteLength) / pageBytes));
    this.#bytes = new Uint8Array(this.#memory.buffer);
  }
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
