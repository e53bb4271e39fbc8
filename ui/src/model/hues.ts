// Which of the style sheet's twelve colours a name is drawn in: pods, services. Invariant: names get their colours in the order
// in which they appear, and keep them in all views while there are no more than twelve; with more, each view begins anew, so that
// in each the first twelve differ. The style sheet has the most distinct first.

export const huesCount = 12;

export class Hues {
  readonly #byLabel = new Map<string, Map<string, number>>();

  /** Lets go of the labels that have more values than there are colours: another view begins. */
  begin(): void {
    for (const [label, known] of this.#byLabel) {
      if (known.size > huesCount) this.#byLabel.delete(label);
    }
  }

  /** The number of a value's colour among those of its label. */
  of(label: string, value: string): number {
    let known = this.#byLabel.get(label);
    if (known === undefined) this.#byLabel.set(label, known = new Map());
    const hue = known.get(value);
    if (hue !== undefined) return hue;
    // Nobody tells so many apart: those that come later share one.
    if (known.size >= valuesMax) return huesCount - 1;
    const next = known.size % huesCount;
    known.set(value, next);
    return next;
  }
}

const valuesMax = 10_000;

/** The page's. */
export const hues = new Hues();
