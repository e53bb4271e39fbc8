/** The tree of a template, as parser.ts reads it and compile.ts runs it. Variables are slots of a
 *  frame: `$` is slot 0. */
import type { Value } from "./value.ts";

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipe: Pipe }
  | {
    readonly kind: "if" | "with";
    readonly pipe: Pipe;
    readonly body: ReadonlyArray<Node>;
    readonly otherwise: ReadonlyArray<Node>;
  }
  | {
    readonly kind: "range";
    readonly pipe: Pipe;
    readonly body: ReadonlyArray<Node>;
    readonly otherwise: ReadonlyArray<Node>;
  }
  | { readonly kind: "break" | "continue" }
  | {
    readonly kind: "template";
    readonly name: string;
    readonly at: number;
    readonly pipe: Pipe | null;
  };

export interface Pipe {
  /** Slots that take its value: one, or for range two. Empty if nothing is assigned. */
  readonly slots: ReadonlyArray<number>;
  readonly commands: ReadonlyArray<Command>;
}

/** The first operand is what is called, if it can be called. */
export type Command = ReadonlyArray<Operand>;

export type Operand =
  & { readonly at: number }
  & (
    | { readonly kind: "dot" }
    | { readonly kind: "nil" }
    | { readonly kind: "constant"; readonly value: Value }
    | { readonly kind: "function"; readonly name: string }
    | { readonly kind: "variable"; readonly slot: number }
    | { readonly kind: "pipe"; readonly pipe: Pipe }
    /** `operand.a.b`; `.a` is the field of a dot. */
    | { readonly kind: "field"; readonly of: Operand; readonly names: ReadonlyArray<string> }
  );

export interface ParsedTemplate {
  readonly body: ReadonlyArray<Node>;
  /** What define and block named. */
  readonly defined: ReadonlyMap<string, Definition>;
  readonly slotCount: number;
}

export interface Definition {
  readonly body: ReadonlyArray<Node>;
  readonly slotCount: number;
}
