/** Runs a compiled RE2 program over UTF-8 bytes by table: one lookup a byte, where re2js decodes a
 *  character and looks up its class. The states are those of re2js's lazy DFA; this file only adds
 *  what lies between the bytes of one character. Invariant: the answer is re2js's own, invalid
 *  UTF-8 included (each byte that starts no character reads as U+FFFD). */
import type { RE2JS } from "re2js";

/** What is used of re2js's DFA. It is not its public interface, so the version is pinned and a test
 *  compares the answers. */
interface StateMachine {
  readonly failed: boolean;
  readonly numClasses: number;
  runeClass(codePoint: number): number;
  start(input: { context(position: number): number }, position: number): DfaState | null;
  step(state: DfaState, runeClass: number, codePoint: number, anchor: number): DfaState | null;
  clearCache(): void;
}

interface DfaState {
  /** A match ended before the character that led here. */
  readonly isMatch: boolean;
}

/** A state of the table: a state of the DFA and the bytes of a character that is not complete. */
interface ByteState {
  readonly state: DfaState;
  readonly pending: ReadonlyArray<number>;
  /** Ids of the states with the same DFA state, by their pending bytes. */
  readonly siblings: Map<string, number>;
  endsInMatch: boolean | null;
}

/** Values of the table that are no state. A state's value is where its row starts, 256 times its
 *  id. */
const unknown = 0;
const matched = 1;
const firstState = 1;

/** 4 MB of table. Then it starts anew, and after some times re2js takes over: a pattern that makes
 *  so many states does not profit from a table. */
const statesMax = 4096;
const restartsMax = 16;

const unanchored = 0;
const emptyBeginText = 4;
const endOfText = -1;
const replacementCharacter = 0xfffd;

/** An unanchored search for the regex; see LineRegex for the meaning of start and end. */
export function byteSearch(
  regex: RE2JS,
): (bytes: Uint8Array, start: number, end: number) => boolean {
  const slow = (bytes: Uint8Array, start: number, end: number) =>
    regex.test(bytes.subarray(start, end));
  const machine: StateMachine = regex.re2().dfa;
  if (machine.failed) return slow;
  const table = new ByteTable(machine);
  return (bytes, start, end) => table.search(bytes, start, end) ?? slow(bytes, start, end);
}

let lastRow = 0;
let lastFound = 0;

/** Follows the table from a row until a value that is no state, and returns where; `end` if there
 *  is none. Leaves the row it got to in lastRow and the value in lastFound. A function of its own,
 *  because the engines then compile it tightly. */
function walk(
  next: Int32Array,
  row: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  for (let at = start; at < end; at++) {
    const following = next[row | bytes[at]!]!;
    if (following <= matched) {
      lastRow = row;
      lastFound = following;
      return at;
    }
    row = following;
  }
  lastRow = row;
  return end;
}

class ByteTable {
  private readonly machine: StateMachine;
  private next = new Int32Array(0);
  private states: ByteState[] = [];
  private siblings = new Map<DfaState, Map<string, number>>();
  private startId = unknown;
  private restarts = 0;

  constructor(machine: StateMachine) {
    this.machine = machine;
  }

  /** Null if the table cannot tell within its limits. */
  search(bytes: Uint8Array, start: number, end: number): boolean | null {
    if (this.startId === unknown && !this.restart()) return null;
    let row = this.startId << 8;
    for (let at = start; at < end; at++) {
      at = walk(this.next, row, bytes, at, end);
      row = lastRow;
      if (at === end) break;
      const following = lastFound === unknown ? this.fill(row >> 8, bytes[at]!) : lastFound;
      if (following === unknown) return this.overflow();
      if (following === matched) return true;
      row = following;
    }
    return this.atEnd(row >> 8);
  }

  /** Computes a transition: the row of the table to go on with, matched, or unknown if the limits
   *  are reached. */
  private fill(id: number, byte: number): number {
    const { state, pending } = this.states[id]!;
    const bytes = [...pending, byte];
    let current = state;
    let at = 0;
    while (at < bytes.length) {
      const character = decode(bytes, at);
      if (character === null) break;
      const stepped = this.step(current, character.codePoint);
      if (stepped === null) return unknown;
      if (stepped.isMatch) return this.next[id << 8 | byte] = matched;
      current = stepped;
      at += character.width;
    }
    const following = this.idOf(current, bytes.slice(at));
    if (following !== unknown) this.next[id << 8 | byte] = following << 8;
    return following << 8;
  }

  private atEnd(id: number): boolean | null {
    const byteState = this.states[id]!;
    if (byteState.endsInMatch !== null) return byteState.endsInMatch;
    let current: DfaState | null = byteState.state;
    for (const codePoint of [...byteState.pending.map(() => replacementCharacter), endOfText]) {
      current = this.step(current, codePoint);
      if (current === null) return this.overflow();
      if (current.isMatch) break;
    }
    return byteState.endsInMatch = current.isMatch;
  }

  private step(state: DfaState, codePoint: number): DfaState | null {
    const { machine } = this;
    const runeClass = codePoint === endOfText ? machine.numClasses : machine.runeClass(codePoint);
    return machine.step(state, runeClass, codePoint, unanchored);
  }

  private idOf(state: DfaState, pending: ReadonlyArray<number>): number {
    let siblings = this.siblings.get(state);
    if (siblings === undefined) this.siblings.set(state, siblings = new Map());
    const key = pending.join();
    const known = siblings.get(key);
    if (known !== undefined) return known;
    const id = this.states.length;
    if (id >= statesMax) return unknown;
    this.states.push({ state, pending, siblings, endsInMatch: null });
    siblings.set(key, id);
    if (this.next.length < this.states.length << 8) {
      const wider = new Int32Array(Math.max(16, 2 * id) << 8);
      wider.set(this.next);
      this.next = wider;
    }
    return id;
  }

  /** The table is full: this search goes elsewhere, the next one starts with an empty table. */
  private overflow(): null {
    this.startId = unknown;
    return null;
  }

  private restart(): boolean {
    if (this.restarts === restartsMax) return false;
    this.restarts++;
    this.machine.clearCache();
    this.next = new Int32Array(0);
    this.siblings = new Map();
    const start = this.machine.start({ context: () => emptyBeginText }, 0);
    if (start === null) return false;
    const none: ByteState = { state: start, pending: [], siblings: new Map(), endsInMatch: null };
    this.states = new Array<ByteState>(firstState).fill(none);
    this.startId = this.idOf(start, []);
    return true;
  }
}

interface Character {
  readonly codePoint: number;
  readonly width: number;
}

const invalid: Character = { codePoint: replacementCharacter, width: 1 };

/** The character at `bytes[at]`, or null if more bytes are needed to tell. After Unicode's table of
 *  well-formed sequences. */
function decode(bytes: ReadonlyArray<number>, at: number): Character | null {
  const lead = bytes[at]!;
  if (lead < 0x80) return { codePoint: lead, width: 1 };
  if (lead < 0xc2 || lead > 0xf4) return invalid;
  const width = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  let codePoint = lead & (0x7f >> width);
  for (let i = 1; i < width; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return null;
    const low = i === 1 ? secondByteMin.get(lead) ?? 0x80 : 0x80;
    const high = i === 1 ? secondByteMax.get(lead) ?? 0xbf : 0xbf;
    if (byte < low || byte > high) return invalid;
    codePoint = codePoint << 6 | byte & 0x3f;
  }
  return { codePoint, width };
}

const secondByteMin: ReadonlyMap<number, number> = new Map([[0xe0, 0xa0], [0xf0, 0x90]]);
const secondByteMax: ReadonlyMap<number, number> = new Map([[0xed, 0x9f], [0xf4, 0x8f]]);
