import { createHash } from 'node:crypto';
import type { Card, Machine } from './objects.ts';

/** A VM with as many cards as said, whose MACs are made from its name. */
export function machine(name: string, more: Partial<Machine> & { cards?: number } = {}): Machine {
  const { cards = 1, ...rest } = more;
  const interfaces = Array.from({ length: cards }, (_, index): Card => {
    const digest = createHash('sha256')
      .update(`${name} ${String(index)}`)
      .digest('hex');
    const mac = ['02', ...digest.slice(0, 10).match(/../g)!].join(':');
    return { mac, name: `tap-${digest.slice(0, 8)}`, engine: 'tcx' };
  });
  return { id: rest.uuid ?? name, name, labels: {}, interfaces, ...rest };
}

/** A UUID made from a name: the same each time. */
export function uuidOf(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `4${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}
