import type { Endpoint } from '../../../src/filter/endpoint.ts';
import { Ipv4Address } from '../../../src/packet/ipv4-address.ts';

/** Words that the threads share beside the list. */
export const Shared = {
  /** Generation whose replacement has begun, and the one whose replacement has returned. */
  BEGUN: 0,
  RETURNED: 1,
  /** Workers that look up, and those that are done. */
  RUNNING: 2,
  DONE: 3,
} as const;

export const CAPACITY = 12;
const CONSTANTS = 6;
const TEN_NET = 0x0a00_0000;

/** Address and port go together: half of one generation's and half of another's is nobody's. */
export function ofGeneration(generation: number, port = generation): Endpoint {
  return {
    protocol: 17,
    address: Ipv4Address.fromNumber(TEN_NET + (generation % 0x10_0000)),
    port: 1 + (port % 65535),
  };
}

/** In every generation, each time in another place: whoever sees half of two lists can miss it. */
export function constant(index: number): Endpoint {
  return {
    protocol: 17,
    address: Ipv4Address.fromNumber(0xcb00_7100 + (index % CONSTANTS)),
    port: 51820,
  };
}

export function generation(number: number): Endpoint[] {
  const constants = Array.from({ length: CONSTANTS }, (_, index) => constant(index + number));
  const fillers = Array.from({ length: number % 5 }, (_, index) => ofGeneration(number, number + 7 + index));
  return [...fillers, ...constants, ofGeneration(number)];
}
