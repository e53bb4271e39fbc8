/** Turns a parsed template into closures that render it. Owns evaluation: truth, fields, pipelines,
 *  loops. Invariant: what labels it reads is known before it runs. */
import { nearestWord } from "../error.ts";
import { TemplateFailed, TemplateSyntaxError } from "./error.ts";
import { formatValue } from "./format.ts";
import {
  callFunction,
  type FunctionTable,
  type TemplateFunction,
} from "./functions/templateFunction.ts";
import { GoTime } from "./goTime.ts";
import { timeMethods } from "./goTimeMethods.ts";
import type { Command, Definition, Node, Operand, ParsedTemplate, Pipe } from "./nodes.ts";
import { rangeItems } from "./rangeItems.ts";
import { Run } from "./run.ts";
import type { Template } from "./template.ts";
import { isTrue, LabelMap, typeName, type Value } from "./value.ts";

/** How a list of nodes ended. */
type Signal = "done" | "break" | "continue";
type Execute = (run: Run, dot: Value) => Signal;
type Evaluate = (run: Run, dot: Value) => Value;

/** Where a node stands. In the template itself `.` is the entry until with or range sets it, and
 *  `$` always; in what define names, both are what the caller gave. */
interface Scope {
  readonly dotIsEntry: boolean;
  readonly rootIsEntry: boolean;
}

/** Throws TemplateSyntaxError for a function or a template that there is not. */
export function compileParsed(
  text: string,
  parsed: ParsedTemplate,
  functions: FunctionTable,
  missing: Value,
): Template {
  const compiler = new Compiler(text, functions, parsed.defined);
  const body = compiler.list(parsed.body, { dotIsEntry: true, rootIsEntry: true });
  compiler.definitions();
  return {
    labelNames: compiler.readsAll ? "all" : compiler.labelNames,
    readsLine: compiler.called.has("__line__"),
    readsTimestamp: compiler.called.has("__timestamp__"),
    render(context) {
      const run = new Run(context, missing, parsed.slotCount);
      body(run, null);
      return run.output;
    },
  };
}

class Compiler {
  readonly labelNames = new Set<string>();
  readonly called = new Set<string>();
  readsAll = false;
  readonly #text: string;
  readonly #functions: FunctionTable;
  readonly #defined: ReadonlyMap<string, Definition>;
  readonly #bodies = new Map<string, Execute>();

  constructor(text: string, functions: FunctionTable, defined: ReadonlyMap<string, Definition>) {
    this.#text = text;
    this.#functions = functions;
    this.#defined = defined;
  }

  definitions(): void {
    for (const [name, { body }] of this.#defined) {
      this.#bodies.set(name, this.list(body, { dotIsEntry: false, rootIsEntry: false }));
    }
  }

  list(nodes: ReadonlyArray<Node>, scope: Scope): Execute {
    const steps = nodes.map((node) => this.#node(node, scope));
    return (run, dot) => {
      for (const step of steps) {
        const signal = step(run, dot);
        if (signal !== "done") return signal;
      }
      return "done";
    };
  }

  #node(node: Node, scope: Scope): Execute {
    switch (node.kind) {
      case "text":
        return (run) => {
          run.write(node.text);
          return "done";
        };
      case "print":
        return this.#print(node.pipe, scope);
      case "break":
      case "continue":
        return () => node.kind;
      case "if":
      case "with":
        return this.#branch(node, scope);
      case "range":
        return this.#range(node, scope);
      case "template":
        return this.#template(node, scope);
    }
  }

  #print(pipe: Pipe, scope: Scope): Execute {
    const evaluate = this.#pipe(pipe, scope);
    if (pipe.slots.length > 0) {
      return (run, dot) => {
        evaluate(run, dot);
        return "done";
      };
    }
    return (run, dot) => {
      const value = evaluate(run, dot);
      run.write(value === null ? "<no value>" : formatValue(value));
      return "done";
    };
  }

  #branch(node: Node & { kind: "if" | "with" }, scope: Scope): Execute {
    const evaluate = this.#pipe(node.pipe, scope);
    const body = this.list(node.body, inner(scope, node.kind === "with"));
    const otherwise = this.list(node.otherwise, scope);
    return (run, dot) => {
      const value = evaluate(run, dot);
      if (!isTrue(value)) return otherwise(run, dot);
      return body(run, node.kind === "with" ? value : dot);
    };
  }

  #range(node: Node & { kind: "range" }, scope: Scope): Execute {
    const evaluate = this.#commands(node.pipe.commands, scope);
    const body = this.list(node.body, inner(scope, true));
    const otherwise = this.list(node.otherwise, scope);
    const { slots } = node.pipe;
    return (run, dot) => {
      let isEmpty = true;
      for (const [key, item] of rangeItems(evaluate(run, dot), slots.length)) {
        isEmpty = false;
        run.budget.spend(1);
        if (slots.length === 2) run.frame[slots[0]!] = key;
        if (slots.length > 0) run.frame[slots.at(-1)!] = item;
        if (body(run, item) === "break") break;
      }
      return isEmpty ? otherwise(run, dot) : "done";
    };
  }

  #template(node: Node & { kind: "template" }, scope: Scope): Execute {
    const definition = this.#defined.get(node.name);
    if (definition === undefined) {
      const near = nearestWord(node.name, this.#defined.keys());
      throw this.#fail(
        node.at,
        `there is no template ${JSON.stringify(node.name)}` +
          (near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`),
      );
    }
    const evaluate = node.pipe === null ? () => null : this.#pipe(node.pipe, scope);
    const bodies = this.#bodies;
    return (run, dot) => {
      const value = evaluate(run, dot);
      const body = bodies.get(node.name)!;
      run.nested(node.name, definition.slotCount, value, () => body(run, value));
      return "done";
    };
  }

  /** The value of a pipeline, which its variable takes too. */
  #pipe(pipe: Pipe, scope: Scope): Evaluate {
    const evaluate = this.#commands(pipe.commands, scope);
    const slot = pipe.slots[0];
    if (slot === undefined) return evaluate;
    return (run, dot) => run.frame[slot] = evaluate(run, dot);
  }

  #commands(commands: ReadonlyArray<Command>, scope: Scope): Evaluate {
    let evaluate = this.#command(commands[0]!, null, scope);
    for (const command of commands.slice(1)) evaluate = this.#command(command, evaluate, scope);
    return evaluate;
  }

  /** `piped` is the command in front of the `|`; its value becomes the last argument. */
  #command(command: Command, piped: Evaluate | null, scope: Scope): Evaluate {
    const [first, ...operands] = command;
    const argumentsOf = () => {
      const evaluates = operands.map((operand) => this.#operand(operand, scope));
      if (piped !== null) evaluates.push(piped);
      return evaluates;
    };
    if (first!.kind === "function") return this.#call(first, argumentsOf());
    const hasArguments = operands.length > 0 || piped !== null;
    if (first!.kind === "field" && hasArguments) return this.#method(first, argumentsOf(), scope);
    return this.#operand(first!, scope);
  }

  #operand(operand: Operand, scope: Scope): Evaluate {
    switch (operand.kind) {
      case "dot":
        if (scope.dotIsEntry) return this.#entry();
        return (_run, dot) => dot;
      case "nil":
        return () => null;
      case "constant": {
        const { value } = operand;
        return () => value;
      }
      case "function":
        return this.#call(operand, []);
      case "variable": {
        const { slot } = operand;
        if (slot === 0 && scope.rootIsEntry) return this.#entry();
        return (run) => run.frame[slot]!;
      }
      case "pipe":
        return this.#pipe(operand.pipe, scope);
      case "field":
        return this.#field(operand, scope);
    }
  }

  #entry(): Evaluate {
    this.readsAll = true;
    return (run) => run.labelMap();
  }

  #field(operand: Operand & { kind: "field" }, scope: Scope): Evaluate {
    const { of, names } = operand;
    const isEntry = (of.kind === "dot" && scope.dotIsEntry) ||
      (of.kind === "variable" && of.slot === 0 && scope.rootIsEntry);
    if (!isEntry) return chain(this.#operand(of, scope), names);
    const name = names[0]!;
    this.labelNames.add(name);
    return chain((run) => run.context.label(name) ?? run.missing, names.slice(1));
  }

  /** `.time.Format "15:04"`. */
  #method(
    operand: Operand & { kind: "field" },
    evaluates: ReadonlyArray<Evaluate>,
    scope: Scope,
  ): Evaluate {
    const { names } = operand;
    const name = names.at(-1)!;
    const receiver = names.length === 1
      ? this.#operand(operand.of, scope)
      : this.#field({ ...operand, names: names.slice(0, -1) }, scope);
    return (run, dot) => {
      const value = receiver(run, dot);
      const method = value instanceof GoTime ? timeMethods.get(name) : undefined;
      if (method === undefined) {
        throw new TemplateFailed(`.${name} is no function and takes no arguments`);
      }
      return callFunction(`.${name}`, method, run, [
        value,
        ...evaluates.map((evaluate) => evaluate(run, dot)),
      ]);
    };
  }

  #call(operand: Operand & { kind: "function" }, evaluates: ReadonlyArray<Evaluate>): Evaluate {
    const { name } = operand;
    if (name === "and" || name === "or") return shortCircuit(name, evaluates);
    const callee = this.#function(operand);
    this.called.add(name);
    return (run, dot) => {
      const values = new Array<Value>(evaluates.length);
      for (let index = 0; index < values.length; index++) {
        values[index] = evaluates[index]!(run, dot);
      }
      return callFunction(name, callee, run, values);
    };
  }

  #function({ name, at }: Operand & { kind: "function" }): TemplateFunction {
    const known = this.#functions.get(name);
    if (known !== undefined) return known;
    const near = nearestWord(name, ["and", "or", ...this.#functions.keys()]);
    const hint = near === undefined
      ? `; a label is read with a dot, .${name}`
      : `; did you mean ${near}?`;
    throw this.#fail(at, `there is no function ${JSON.stringify(name)}${hint}`);
  }

  #fail(at: number, reason: string): TemplateSyntaxError {
    return new TemplateSyntaxError(this.#text, at, reason);
  }
}

function inner(scope: Scope, setsDot: boolean): Scope {
  return setsDot ? { ...scope, dotIsEntry: false } : scope;
}

/** The first value that decides, or the last; what follows it is not evaluated. */
function shortCircuit(name: "and" | "or", evaluates: ReadonlyArray<Evaluate>): Evaluate {
  return (run, dot) => {
    if (evaluates.length === 0) {
      throw new TemplateFailed(`${name} takes at least 1 argument, not 0`);
    }
    let value: Value = null;
    for (const evaluate of evaluates) {
      value = evaluate(run, dot);
      if (isTrue(value) === (name === "or")) break;
    }
    return value;
  };
}

function chain(evaluate: Evaluate, names: ReadonlyArray<string>): Evaluate {
  if (names.length === 0) return evaluate;
  return (run, dot) => {
    let value = evaluate(run, dot);
    for (const name of names) value = fieldOf(run, value, name);
    return value;
  };
}

/** A key of a map that is not there is nil, of the labels what they are missing as. */
function fieldOf(run: Run, value: Value, name: string): Value {
  if (value instanceof LabelMap) return value.get(name) ?? run.missing;
  if (value instanceof Map) return (value as ReadonlyMap<string, Value>).get(name) ?? null;
  if (value instanceof GoTime) {
    const method = timeMethods.get(name);
    if (method !== undefined) return callFunction(`.${name}`, method, run, [value]);
  }
  throw new TemplateFailed(
    value === null
      ? `cannot read .${name} of a value that is not there; test it with if or with first`
      : `cannot read .${name} of ${typeName(value)}`,
  );
}
