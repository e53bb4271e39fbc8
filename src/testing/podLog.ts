/** A container that writes numbered lines to its log on a node, as containerd writes it and the kubelet lays it out and rotates
 *  it. Owns the files of one container; which lines arrived is the test's business. */
import { appendFileSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { FakeObject } from "./podApi.ts";

export class PodLog {
  readonly #directory: string;
  readonly #name: string;
  count = 0;
  #rotations = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `podLogs` is the node's /var/log/pods. */
  constructor(podLogs: string, namespace: string, pod: string, uid: string) {
    this.#name = pod;
    this.#directory = join(podLogs, `${namespace}_${pod}_${uid}`, "main");
    mkdirSync(this.#directory, { recursive: true });
  }

  /** The pod as the API has it. */
  static object(namespace: string, name: string, uid: string, nodeName: string): FakeObject {
    return {
      metadata: { name, namespace, uid, labels: { app: name } },
      spec: { nodeName, containers: [{ name: "main" }], initContainers: [] },
      status: { phase: "Running", podIP: "10.0.0.1" },
    };
  }

  /** A few lines several times a second; every five hundredth line begins a new file. */
  start(): void {
    this.#timer = setInterval(() => {
      for (let count = 0; count < 5; count++) this.#line();
    }, 200);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  lines(): ReadonlyArray<string> {
    return Array.from({ length: this.count }, (_, number) => `${this.#name} says ${number}`);
  }

  #line(): void {
    const file = join(this.#directory, "0.log");
    if (this.count > 0 && this.count % 500 === 0) {
      renameSync(file, `${file}.20260101-00000${this.#rotations++}`);
    }
    const time = new Date().toISOString().replace("Z", "000001Z");
    appendFileSync(file, `${time} stdout F ${this.#name} says ${this.count++}\n`);
  }
}
