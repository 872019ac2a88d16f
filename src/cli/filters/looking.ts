import { systemKernel } from '../../agent/host/system-kernel.ts';
import type { AttachmentPaths } from '../../agent/wiring/paths.ts';
import { counters } from '../../native/counters.ts';
import type { CommandContext } from '../command-context.ts';
import { escapeText } from '../terminal/escape.ts';
import { type HostFilter, HostFilters } from './host-filters.ts';
import { type Look, look } from './look.ts';

/**
 * Looks at the filters of this host, or of one VM. Throws InputError at once for a VM that is not there; later it may go and
 * come. A filter that cannot be read is told of once.
 */
export function lookingAt(
  { output, clock }: CommandContext,
  paths: AttachmentPaths,
  vm: string | undefined,
): () => Look {
  const filters = new HostFilters(systemKernel(), paths);
  if (vm !== undefined) filters.named(vm);
  const told = new Set<string>();
  const ports = {
    filters: () => filters.list().filter(isWanted(vm)),
    counters,
    monotonicMs: () => clock.monotonicMs(),
    unreadable: ({ pinDir }: HostFilter, message: string) => {
      if (!told.has(pinDir)) output.note(`vmnetctl: ${escapeText(message)}`);
      told.add(pinDir);
    },
  };
  return () => look(ports);
}

/** Whether it is the VM, or interface, of that name; without a name all are. */
export function isWanted(name: string | undefined): (filter: Pick<HostFilter, 'vm' | 'tap'>) => boolean {
  return ({ vm, tap }) => name === undefined || name === vm || name === tap;
}
