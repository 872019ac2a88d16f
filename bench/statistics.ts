/** What a set of measurements comes to: the middle, and where the middle half of them lies. */
export interface Spread {
  median: number;
  /** First and third quartile. */
  quartiles: readonly [number, number];
  /** How many measurements. */
  n: number;
}

/** @throws RangeError for no values, or one that is not finite: nothing was measured then. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('nothing was measured');
  const odd = values.find((value) => !Number.isFinite(value));
  if (odd !== undefined) throw new RangeError(`not a measurement: ${odd}`);
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)],
    n: values.length,
  };
}

/** The value that `share` of them do not exceed. @throws RangeError as `spreadOf` does */
export function quantileOf(values: readonly number[], share: number): number {
  spreadOf(values);
  return quantile(
    [...values].sort((a, b) => a - b),
    share,
  );
}

/** Linear between the two values that surround it: R. Hyndman, Y. Fan, "Sample Quantiles" (1996), definition 7. */
function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const low = sorted[Math.floor(place)] ?? 0;
  const high = sorted[Math.ceil(place)] ?? low;
  return low + (high - low) * (place - Math.floor(place));
}
