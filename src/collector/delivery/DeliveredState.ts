/** How far each client has got in the disk buffer, and the positions that all of them have delivered: what
 *  positions.json says. Pure; Delivery.ts owns the fibers and the disk.
 *  Invariant: `positions` are those of all records below `least`, and of no other. */
import type { Position } from "../positions/position.ts";
import type { PositionsState } from "../positions/positionsFile.ts";

/** How long the position of a source that has ended is kept: as long as a compressed copy of a file may turn up. */
const finishedKeptMs = 7 * 24 * 3600_000;

export class DeliveredState {
  readonly #next = new Map<string, number>();
  readonly #positions: Map<string, Position>;
  #least: number;
  /** The first record whose positions are not in #positions. */
  #counted: number;
  #version = 0;

  /** `first`: the first record that the buffer still holds. A client that is new starts there. */
  constructor(
    state: PositionsState | undefined,
    clients: ReadonlyArray<string>,
    first: number,
  ) {
    for (const name of clients) {
      this.#next.set(name, Math.max(first, state?.clients[name] ?? first));
    }
    this.#positions = new Map(state?.positions.map((position) => [position.id, position]));
    this.#least = Math.min(...this.#next.values());
    this.#counted = Math.max(first, state?.next ?? first);
  }

  /** Counts in a record that is done with, found at the start: the client that was behind is no client any more. */
  count(offset: number, positions: ReadonlyArray<Position>): void {
    if (offset < this.#counted || offset >= this.#least) return;
    this.#counted = offset + 1;
    for (const position of positions) this.#positions.set(position.id, position);
  }

  /** All records below this are done with. */
  get least(): number {
    return this.#least;
  }

  get counted(): number {
    return this.#counted;
  }

  /** Changes whenever there is something to save. */
  get version(): number {
    return this.#version;
  }

  get positions(): ReadonlyArray<Position> {
    return [...this.#positions.values()];
  }

  nextOf(client: string): number {
    return this.#next.get(client)!;
  }

  /** The client has done with a record, whose positions these are. True if it was the last to. Nothing happens if the
   *  record is not its next one: it was given up while it was being sent. */
  advance(client: string, offset: number, positions: ReadonlyArray<Position>): boolean {
    if (offset !== this.nextOf(client)) return false;
    this.#next.set(client, offset + 1);
    this.#version++;
    const least = Math.min(...this.#next.values());
    if (least === this.#least) return false;
    this.#least = this.#counted = least;
    for (const position of positions) this.#positions.set(position.id, position);
    return true;
  }

  /** What to save. Forgets sources that ended long ago. */
  state(nowMs: number): PositionsState {
    for (const position of this.#positions.values()) {
      const { finishedMs = nowMs } = position;
      if (nowMs - finishedMs > finishedKeptMs) this.#positions.delete(position.id);
    }
    return {
      version: 1,
      clients: Object.fromEntries(this.#next),
      next: this.#counted,
      positions: this.positions,
    };
  }
}
