import { Fifo } from './fifo.ts';
import { Line, type Place } from './line.ts';

/*
 * Theory of operation
 *
 * Who may write objects of one kind in one place can fill a queue with keys that are long to work on. Whoever else needs something,
 * and be it one write that stops a leak, must not wait for all of that. So keys wait in lanes, one for each of those who are to be
 * kept apart:
 *
 * - Lanes take turns. A lane that has a key and may have a worker stands in the line of turns once; its turn gives one key to one
 *   worker, and it goes to the end of that line. So of n lanes each comes at every nth turn, however many keys the others hold.
 * - A lane has at most `most` keys with workers. It is out of turns while it has that many. With one less than there are workers, one
 *   worker is kept for whoever comes, also while only one lane is busy: turns alone are worth nothing while all workers are in passes
 *   of that lane that take minutes. What that costs is one worker's part of the throughput, while there is one lane only.
 *   It does not help against as many lanes as there are workers that are all slow: then the next turn comes when a pass ends.
 * - In a lane, urgent keys go first, but after `URGENT_IN_A_ROW` of them one other, if there is one. A key that waits and is hastened
 *   goes to the end of the urgent ones. Else keys go in the order in which they came.
 *
 * A lane is remembered while it has keys, waiting or with workers. All costs are constant, whatever the number of keys and lanes.
 */

export interface LaneOptions {
  /** The lane of a key: always the same. */
  readonly laneOf: (key: string) => string;
  /** Keys of one lane that workers have at the same time, at most; 1 or more. */
  readonly most: number;
}

/** All keys in one lane. */
export const ONE_LANE: LaneOptions = { laneOf: () => '', most: Infinity };

export const URGENT_IN_A_ROW = 8;

interface Lane {
  readonly name: string;
  readonly urgent: Line;
  readonly others: Line;
  /** Urgent keys that went since one of the others went. */
  inARow: number;
  /** Keys that workers have. */
  taken: number;
  /** It stands in the line of turns. */
  inTurn: boolean;
}

/** Keys that wait for a worker, each once. */
export class Lanes {
  readonly #options: LaneOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #turns = new Fifo<Lane>();
  /** Where keys wait that are not urgent. */
  readonly #places = new Map<string, Place>();
  #size = 0;

  constructor(options: LaneOptions) {
    if (!(options.most >= 1))
      throw new RangeError(`a lane of ${options.most} keys at a time; give 1 or more`);
    this.#options = options;
  }

  /** Keys that wait. */
  get size(): number {
    return this.#size;
  }

  /** @param key one that does not wait yet */
  push(key: string, urgent: boolean): void {
    const lane = this.#laneOf(key);
    if (urgent) lane.urgent.push(key);
    else this.#places.set(key, lane.others.push(key));
    this.#size += 1;
    this.#line(lane);
  }

  /** The key is urgent from now on, if it waits. */
  hasten(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    const lane = this.#laneOf(key);
    this.#places.delete(key);
    lane.others.leave(place);
    lane.urgent.push(key);
  }

  /** The next key, which counts as a worker's until `done`; undefined if there is none that may be taken now. */
  take(): string | undefined {
    const lane = this.#turns.shift();
    if (lane === undefined) return undefined;
    lane.inTurn = false;
    const key = this.#nextOf(lane);
    if (key === undefined) throw new TypeError('a lane without a key stood in the line of turns');
    this.#size -= 1;
    lane.taken += 1;
    this.#line(lane);
    return key;
  }

  /** @param key one that was taken */
  done(key: string): void {
    const lane = this.#laneOf(key);
    lane.taken -= 1;
    this.#line(lane);
    if (lane.taken === 0 && !lane.inTurn) this.#lanes.delete(lane.name);
  }

  #laneOf(key: string): Lane {
    const name = this.#options.laneOf(key);
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const lane = { name, urgent: new Line(), others: new Line(), inARow: 0, taken: 0, inTurn: false };
    this.#lanes.set(name, lane);
    return lane;
  }

  #nextOf(lane: Lane): string | undefined {
    if (lane.urgent.size > 0 && (lane.inARow < URGENT_IN_A_ROW || lane.others.size === 0)) {
      lane.inARow += 1;
      return lane.urgent.shift();
    }
    lane.inARow = 0;
    const key = lane.others.shift();
    if (key !== undefined) this.#places.delete(key);
    return key;
  }

  /** To the end of the line of turns, if the lane has a key and may have a worker. */
  #line(lane: Lane): void {
    if (lane.inTurn || lane.taken >= this.#options.most || lane.urgent.size + lane.others.size === 0) return;
    lane.inTurn = true;
    this.#turns.push(lane);
  }
}
