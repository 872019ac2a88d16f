import { formatIpv4Address } from '../../api/v1alpha1/ipv4-address.ts';
import { mergedRanges, rangeOf } from '../../api/v1alpha1/denied-networks.ts';
import type { AddressRange } from '../../api/v1alpha1/denied-networks.ts';
import type { Kernel, RouteAnswer } from '../host/kernel.ts';
import { cidrRange } from './address-pool.ts';

/** How the host would reach an address; null: not at all. */
export interface Routes {
  to(address: string): RouteAnswer | null;
}

/**
 * Names of the interfaces that VMs of mode Direct reach others by: those that the routes to networks lead to which are not denied as a whole,
 * and that of the default route, by which all is reached that no other route names.
 *
 * @param denied of each policy; a policy denies something
 */
export function directUplinks(
  denied: readonly (readonly AddressRange[])[],
  kernel: Pick<Kernel, 'foreignRoutes'>,
  routes: Routes,
): string[] {
  if (denied.length === 0) return [];
  const networks = kernel
    .foreignRoutes()
    .map(({ destination, prefixLength }) => `${destination}/${prefixLength}`);
  const asked = new Set(
    denied.flatMap((ranges) => {
      const elsewhere = gaps(mergedRanges([...ranges, ...networks.map(rangeOf)]))[0];
      const free = gaps(ranges);
      const within = networks.flatMap((network) => firstIn(cidrRange(network), free) ?? []);
      return elsewhere === undefined ? within : [...within, elsewhere.first];
    }),
  );
  const answers = [...asked].map((address) => routes.to(formatIpv4Address(address)));
  return [...new Set(answers.flatMap((answer) => (answer === null || answer.local ? [] : [answer.name])))];
}

interface Numbers {
  readonly first: number;
  readonly last: number;
}

/** The addresses between ranges that are in order and apart. */
function gaps(ranges: readonly AddressRange[]): Numbers[] {
  const found: Numbers[] = [];
  let next = 0;
  for (const range of ranges) {
    const { first, last } = { first: cidrRange(range.first).first, last: cidrRange(range.last).last };
    if (first > next) found.push({ first: next, last: first - 1 });
    next = last + 1;
  }
  return next > 0xffffffff ? found : [...found, { first: next, last: 0xffffffff }];
}

/** An address of the network that is free; not its first if there is another, which some kernels take for a broadcast. */
function firstIn(network: Numbers, free: readonly Numbers[]): number | null {
  for (const { first, last } of free) {
    const from = Math.max(first, network.first);
    const to = Math.min(last, network.last);
    if (from <= to) return from < to ? from + 1 : from;
  }
  return null;
}
