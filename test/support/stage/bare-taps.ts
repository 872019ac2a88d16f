import { join } from 'node:path';
import { readBack } from '../../../src/native/filter-engine.ts';
import { links } from '../../../src/native/rtnetlink.ts';

/**
 * Names of the managed taps of this thread's namespace that lack a program on either hook. There must never be one:
 * docs/adr/0003.
 */
export function bareTaps(bpffs: string): string[] {
  return links()
    .filter(({ name, alias }) => name.startsWith('vmn-') && alias.startsWith('vmnetwork:'))
    .filter(({ name, ifindex }) => {
      const { fromVm, toVm } = readBack(join(bpffs, name));
      return [fromVm, toVm].some((hook) => hook?.ifindex !== ifindex || !hook.first);
    })
    .map(({ name }) => name);
}
