/** A share out of a million as people write it: `1 %`, `0.25 %`. */
export function percent(perMillion: number): string {
  return `${perMillion / 10_000} %`;
}

/** When a sampled frame that breaks a rule is found, in frames of its kind; every draw is independent (geometric). */
export function detection(perMillion: number): string {
  const share = perMillion / 1_000_000;
  const mean = Math.ceil(1 / share);
  const likely = share >= 1 ? 1 : Math.ceil(Math.log(0.05) / Math.log1p(-share));
  return `one that breaks a rule is found after ${mean} of its kind on average, with 95 % certainty after ${likely}`;
}
