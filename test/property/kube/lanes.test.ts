import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Lanes, URGENT_IN_A_ROW } from '../../../src/kube/queue/lanes.ts';
import { Line } from '../../../src/kube/queue/line.ts';

const LANES = ['a', 'b', 'c'] as const;
const MOST = 2;

type Step =
  | { readonly do: 'push'; readonly lane: string; readonly urgent: boolean }
  | { readonly do: 'hasten' | 'done'; readonly nth: number }
  | { readonly do: 'take' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('push' as const),
        lane: fc.constantFrom(...LANES),
        urgent: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('hasten', 'done', 'done'), nth: fc.nat(20) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('take' as const) }) },
  ),
  { maxLength: 150 },
);

const laneOf = (key: string): string => key.slice(0, 1);

/** What each lane holds, as plain arrays, and how often it was passed over while it might have had the turn. */
class Model {
  readonly lanes = new Lanes({ laneOf, most: MOST });
  readonly taken: string[] = [];
  readonly #urgent: string[] = [];
  readonly #others: string[] = [];
  readonly #passedOver = new Map<string, number>();
  readonly #inARow = new Map<string, number>();
  #made = 0;

  push(lane: string, urgent: boolean): void {
    const key = `${lane}${(this.#made += 1)}`;
    (urgent ? this.#urgent : this.#others).push(key);
    this.lanes.push(key, urgent);
  }

  hasten(nth: number): void {
    const all = [...this.#others, ...this.#urgent, ...this.taken, 'a-none'];
    const key = all[nth % all.length] ?? '';
    if (this.#others.includes(key)) {
      this.#others.splice(this.#others.indexOf(key), 1);
      this.#urgent.push(key);
    }
    this.lanes.hasten(key);
  }

  done(nth: number): void {
    const [key] = this.taken.splice(nth % Math.max(this.taken.length, 1), 1);
    if (key !== undefined) this.lanes.done(key);
    this.#forgetWhoMayNot();
  }

  take(): void {
    const may = LANES.filter((lane) => this.#may(lane));
    const key = this.lanes.take();
    if (key === undefined) return expect(may).toEqual([]);
    const lane = laneOf(key);
    expect(may).toContain(lane);
    expect(key).toBe(this.#next(lane));
    for (const line of [this.#urgent, this.#others]) {
      if (line.includes(key)) line.splice(line.indexOf(key), 1);
    }
    this.taken.push(key);
    expect(this.taken.filter((one) => laneOf(one) === lane).length).toBeLessThanOrEqual(MOST);
    for (const other of may) {
      const times = other === lane ? 0 : (this.#passedOver.get(other) ?? 0) + 1;
      expect(times).toBeLessThan(LANES.length);
      this.#passedOver.set(other, times);
    }
    this.#forgetWhoMayNot();
  }

  get waiting(): number {
    return this.#urgent.length + this.#others.length;
  }

  #may(lane: string): boolean {
    const isOfIt = (key: string): boolean => laneOf(key) === lane;
    return [...this.#urgent, ...this.#others].some(isOfIt) && this.taken.filter(isOfIt).length < MOST;
  }

  #next(lane: string): string | undefined {
    const [urgent, other] = [this.#urgent, this.#others].map((line) =>
      line.find((key) => laneOf(key) === lane),
    );
    const inARow = this.#inARow.get(lane) ?? 0;
    const isUrgent = urgent !== undefined && (inARow < URGENT_IN_A_ROW || other === undefined);
    this.#inARow.set(lane, isUrgent ? inARow + 1 : 0);
    return isUrgent ? urgent : other;
  }

  #forgetWhoMayNot(): void {
    for (const lane of LANES) {
      if (!this.#may(lane)) this.#passedOver.delete(lane);
      // A lane without keys is not remembered.
      if ([...this.#urgent, ...this.#others, ...this.taken].every((key) => laneOf(key) !== lane))
        this.#inARow.delete(lane);
    }
  }
}

test('each lane has its turn, its order and no more workers than it may, and no key is lost', () => {
  fc.assert(
    fc.property(steps, (story) => {
      const model = new Model();
      for (const step of story) {
        if (step.do === 'push') model.push(step.lane, step.urgent);
        else if (step.do === 'take') model.take();
        else model[step.do](step.nth);
        expect(model.lanes.size).toBe(model.waiting);
      }
      while (model.waiting + model.taken.length > 0) {
        model.take();
        model.take();
        model.done(0);
      }
      expect(model.lanes.take()).toBeUndefined();
    }),
    { numRuns: 1000 },
  );
});

test('a Line is an array that any one may leave', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('push'), fc.constant('shift'), fc.nat(9))), (story) => {
      const line = new Line();
      const model: ReturnType<Line['push']>[] = [];
      for (const [index, step] of story.entries()) {
        if (step === 'push') model.push(line.push(`key-${index}`));
        else if (step === 'shift') expect(line.shift()).toBe(model.shift()?.key);
        else {
          const [place] = model.splice(step % Math.max(model.length, 1), 1);
          if (place !== undefined) line.leave(place);
        }
        expect(line.size).toBe(model.length);
      }
      for (const { key } of model) expect(line.shift()).toBe(key);
      expect(line.shift()).toBeUndefined();
    }),
  );
});
