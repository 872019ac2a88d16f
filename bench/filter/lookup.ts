/** Ways for a program to find its policy: the same filter, compiled with each of native/bench/lookup. See docs/adr/0011. */
import type { Judgement } from './judgement.ts';
import { allowed, dropped, FILTER_OBJECT } from './subjects.ts';

const LOOKUPS = [
  { name: 'constant', object: 'vmn_filter_constant.bpf.o', what: 'constants of the program' },
  { name: 'array', object: 'vmn_filter_array.bpf.o', what: 'array slot' },
  { name: 'map-in-map', object: FILTER_OBJECT, what: 'array slot that holds a map (in use)' },
  { name: 'hash', object: 'vmn_filter_hash.bpf.o', what: 'hash map' },
] as const;

export const LOOKUP: readonly Judgement[] = LOOKUPS.flatMap(({ name, object, what }): Judgement[] => {
  const common = { group: 'lookup', number: '', target: null } as const;
  const pass = { ...common, subject: { ...allowed('from-vm'), object }, passes: true };
  const drop = { ...common, subject: { ...dropped('from-vm'), object }, passes: false };
  return [
    { ...pass, id: `lookup-${name}`, what: `${what}, allowed`, venue: 'test run' },
    { ...drop, id: `lookup-${name}-dropped`, what: `${what}, dropped`, venue: 'test run' },
    { ...pass, id: `lookup-${name}-in-place`, what: `${what}, allowed`, venue: 'in place' },
  ];
});
