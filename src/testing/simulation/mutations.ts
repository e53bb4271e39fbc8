/** What to leave out: protections, so that a test can see them missed, or faults. */
export interface Mutations {
  /** Conditions on the last sequence of a subject hold whatever it is. */
  readonly ignoreConditions?: boolean;
  /** Message ids mean nothing. */
  readonly ignoreIds?: boolean;
  /** Direct gets number what they send without holes. */
  readonly hideHoles?: boolean;
  /** Who asks for the subjects of a bucket is told of none. */
  readonly hideSubjects?: boolean;
  /** No acknowledgement is lost: for what takes its time when one is. */
  readonly tellAll?: boolean;
}
