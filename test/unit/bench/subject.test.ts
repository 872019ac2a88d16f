import { describe, expect, test } from '@jest/globals';
import { superFrame, tunnelFrame } from '../../../bench/filter/guest.ts';
import { slotOf } from '../../../bench/filter/subjects.ts';
import { framesAccountedFor } from '../../../bench/measure/program.ts';
import { planLine } from '../../../bench/measure/subject.ts';

const frame = Uint8Array.of(0xde, 0xad);

describe('a subject', () => {
  test('is one line of words, without those that it does not have', () => {
    expect(planLine({ name: 'a', frame })).toBe('name=a frame=dead');
    expect(planLine({ name: 'a', program: 'vmn_to_vm', frame, slots: [0, 65], written: true })).toBe(
      'name=a program=vmn_to_vm frame=dead slots=0,65 written=1',
    );
  });

  test('with a word that would be two is refused', () => {
    expect(() => planLine({ name: 'a b', frame })).toThrow(TypeError);
    expect(() => planLine({ name: 'a', frame, netns: 'x\ny=z' })).toThrow(TypeError);
  });

  test('counts in the slot that abi.h gives its reason', () => {
    expect(slotOf('from-vm', 'Allowed')).toBe(0);
    expect(slotOf('to-vm', 'SourcePort')).toBe(64 + 43);
    expect(slotOf('from-vm', 'DestinationPort', true)).toBe(2 * 64 + 41);
    expect(() => slotOf('from-vm', 'Whim')).toThrow('Whim');
  });
});

describe('frames', () => {
  test('fit a packet of 1500 bytes, and an injected one its head of 64', () => {
    expect(tunnelFrame('from-vm')).toHaveLength(14 + 20 + 8 + 1456);
    expect(tunnelFrame('to-vm', { bytes: 32 }).length).toBeGreaterThanOrEqual(64);
    expect(superFrame(40, 1424)).toHaveLength(14 + 20 + 8 + 40 * 1424);
  });

  const sample = (counted: number, sunk = 0) => ({ name: 'a', round: 0, frames: 10, counted, sunk });

  test('are summed when each met its fate', () => {
    expect(framesAccountedFor([sample(10), sample(10)])).toBe(20);
    expect(framesAccountedFor([sample(0, 10)], ({ sunk }) => sunk)).toBe(10);
  });

  test('of which one went astray are an error: what was measured then?', () => {
    expect(() => framesAccountedFor([sample(10), sample(9)])).toThrow('9 of 10 frames');
    expect(() => framesAccountedFor([sample(11)])).toThrow('11 of 10 frames');
  });
});
