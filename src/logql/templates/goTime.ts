/** A moment with a time zone, Go's time.Time. */

export interface GoTime {
  readonly kind: "time";
  readonly unixNs: bigint;
  /** An IANA name, "UTC", or an offset in seconds east of it. */
  readonly zone: string | number;
}
