import { describe, expect, jest, test } from '@jest/globals';
import type { Endpoint } from '../../../src/filter/endpoint.ts';
import { EndpointAllowlist, type Listing } from '../../../src/filter/endpoint-allowlist.ts';
import { address } from '../../support/frames-generator/policy.ts';

// Threads meet at Atomics operations and nowhere else. So every order in which a lookup and replacements can meet is
// tried here, one after the other, in one thread: at each load of a lookup others replace the list, at each store of a
// replacement others look up.

const at = (last: number, port: number): Endpoint => ({
  protocol: 17,
  address: address(`203.0.113.${String(last)}`),
  port,
});

// In all lists, never in the same place: a reader that sees half of two lists can miss it.
const constant = at(1, 1001);
const lists = [
  [constant, at(2, 1002), at(3, 1003)],
  [at(4, 1004), at(5, 1005), constant],
  [at(6, 1006), constant],
  [constant, at(2, 1008), at(3, 1009)],
] as const;
const MOST_LOADS = 40;

const questions = [...lists.flat(), at(2, 1006), at(4, 1002), at(6, 1003), at(2, 1003)];

/** What a list says, without shared memory. */
function plainly(list: readonly Endpoint[], { address: wanted, port }: Endpoint): Listing {
  const same = list.filter((endpoint) => endpoint.address.equals(wanted));
  if (same.some((endpoint) => endpoint.port === port)) return 'listed';
  return same.length > 0 ? 'other-port' : 'unlisted';
}

/** Runs `intrusion` just before the Atomics operation number `when` of `action`; whether it came to that. */
function interrupted(
  operation: 'load' | 'store',
  when: number,
  intrusion: () => void,
  action: () => void,
): boolean {
  const real = Atomics[operation].bind(Atomics) as (...given: unknown[]) => number;
  let count = 0;
  let done = false;
  const spy = jest.spyOn(Atomics, operation) as unknown as jest.SpiedFunction<
    (...given: unknown[]) => number
  >;
  spy.mockImplementation((...given) => {
    if (!done && count++ === when) {
      done = true;
      spy.mockImplementation(real);
      intrusion();
    }
    return real(...given);
  });
  try {
    action();
  } finally {
    spy.mockRestore();
  }
  return done;
}

describe.each([1, 2, 3])('[AL-3] %i replacements in the middle of a lookup', (replacements) => {
  test('at any of its steps: the answer is that of one list as a whole', () => {
    let intrusions = 0;
    for (const question of questions) {
      for (let when = 0; when < MOST_LOADS; when += 1) {
        const list = new EndpointAllowlist(lists[0], 3);
        const inForce = lists.slice(0, replacements + 1);
        let answer: Listing | undefined;
        const met = interrupted(
          'load',
          when,
          () => inForce.slice(1).forEach((next) => list.replace(next)),
          () => (answer = list.lookUp(question)),
        );
        if (met) intrusions += 1;
        const possible = inForce.map((each) => plainly(each, question));
        expect(possible).toContain(answer);
        if (met && when === 0) expect(answer).toBe(possible.at(-1));
      }
    }
    expect(intrusions).toBeGreaterThan(questions.length * 3);
  });
});

test('[AL-3] one replacement, and a second one still under way in the slot that the lookup began with', () => {
  let halves = 0;
  for (const question of questions) {
    const possible = [lists[0], lists[1]].map((each) => plainly(each, question));
    for (let when = 0; when < 8; when += 1) {
      for (let stores = 0; stores < 6; stores += 1) {
        const list = new EndpointAllowlist(lists[0], 3);
        let answer: Listing | undefined;
        const oneAndAHalf = (): void => {
          list.replace(lists[1]);
          if (stopsAfter(stores, () => list.replace(lists[2]))) halves += 1;
        };
        interrupted('load', when, oneAndAHalf, () => (answer = list.lookUp(question)));
        expect(possible).toContain(answer);
      }
    }
  }
  expect(halves).toBeGreaterThan(questions.length * 5 * 3);
});

/** A writer that gets no further than this many stores; whether it would have. */
function stopsAfter(stores: number, action: () => void): boolean {
  const halt = new Error('stopped here');
  try {
    interrupted('store', stores, raising(halt), action);
    return false;
  } catch (error) {
    if (error !== halt) throw error;
    return true;
  }
}

const raising = (error: Error) => (): never => {
  throw error;
};

test('[AL-3] lookups at any step of a replacement: the old list until it is done, then the new one', () => {
  for (let when = 0; when < 10; when += 1) {
    const list = new EndpointAllowlist(lists[0], 3);
    const answers = (): Listing[] => questions.map((question) => list.lookUp(question));
    let during: Listing[] = questions.map((question) => plainly(lists[0], question));
    const old = during;
    interrupted(
      'store',
      when,
      () => (during = answers()),
      () => list.replace(lists[1]),
    );
    expect(during).toEqual(old);
    expect(answers()).toEqual(questions.map((question) => plainly(lists[1], question)));
  }
});

test('[AL-3] a writer that dies at any step leaves the old list whole, and the next one goes on', () => {
  let deaths = 0;
  for (let when = 0; when < 10; when += 1) {
    const list = new EndpointAllowlist(lists[0], 3);
    const answers = (): Listing[] => questions.map((question) => list.lookUp(question));
    if (!stopsAfter(when, () => list.replace(lists[1]))) continue;
    deaths += 1;
    expect(answers()).toEqual(questions.map((question) => plainly(lists[0], question)));
    list.replace(lists[2]);
    expect(answers()).toEqual(questions.map((question) => plainly(lists[2], question)));
  }
  expect(deaths).toBe(8); // a count, three endpoints of two words, the sequence number
});
