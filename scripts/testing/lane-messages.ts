/** What the runner and its lanes say to each other, over the channel that Node gives a child. */
import type { TestRecord } from './test-results.ts';

/** The one argument of lane-main.ts, as JSON. */
export interface LaneSetup {
  projectRoot: string;
  /** Name of the tier. */
  tier: string;
  title?: string;
}

/** To a lane. */
export type Order = { run: string } | { end: string };

export interface Outcome {
  tests: TestRecord[];
  /** What the file left behind in the lane. */
  left: string[];
}

/** From a lane. */
export type Report = { output: string } | { done: Outcome };
