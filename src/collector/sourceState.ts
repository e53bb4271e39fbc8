/** What a source says of itself on /targets and /ready. Sources that read files have their files there instead. */

export interface SourceState {
  readonly job: string;
  /** journal, docker, kubernetes, … */
  readonly kind: string;
  /** What it reads or where it listens. */
  readonly where: string;
  /** Labels of its lines, if they are the same for all. */
  readonly labels?: string;
  /** False until it has found what to read for the first time. */
  isReady: boolean;
  /** What does not work at the moment. */
  problem?: string | undefined;
  /** How far it is. */
  readonly detail: () => string;
}
