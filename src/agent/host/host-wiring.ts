import { planForwarding, hostForwards, setUplinkForwarding, uplinkForwards } from '../wiring/forwarding.ts';
import { applyGuard, isGuardInForce, readGuard, removeGuard } from '../wiring/nft-table.ts';
import type { GuardReadBack } from '../wiring/nft-table.ts';
import type { OpenedUplinks } from '../wiring/opened-uplinks.ts';
import type { Kernel } from './kernel.ts';
import type { Nft } from './nft.ts';

/** What all attachments of a host share: the guard and the uplinks' forwarding. Used by one pass at a time. */
export interface HostWiringPorts {
  readonly kernel: Kernel;
  readonly nft: Nft;
  readonly uplinks: OpenedUplinks;
  readonly pool: string;
  /** One call for each thing that was changed. */
  readonly onChange: (what: string, on: string) => void;
}

/**
 * Puts the guard in force unless it is, and returns what the kernel holds. The uplinks that were opened stay in it even
 * if somebody flushed the table, for they still forward.
 */
export async function ensureGuard({ nft, pool, uplinks, onChange }: HostWiringPorts): Promise<GuardReadBack> {
  const found = await readGuard(nft);
  const wanted = { pool, openedUplinks: [...new Set([...(found?.openedUplinks ?? []), ...uplinks.read()])] };
  if (found !== null && isGuardInForce(found, wanted)) return found;
  const made = await applyGuard(nft, wanted);
  onChange(found === null ? 'guard made' : 'guard restored', 'table inet vmnetwork');
  return made;
}

/** Makes exactly the needed uplinks forward; `guard` is what `ensureGuard` returned in this pass. */
export async function syncForwarding(
  ports: HostWiringPorts,
  guard: GuardReadBack,
  needed: readonly string[],
): Promise<void> {
  const { kernel, nft, pool, uplinks, onChange } = ports;
  const plan = planForwarding({
    needed,
    opened: guard.openedUplinks,
    hostForwards: hostForwards(kernel),
    forwards: (name) => uplinkForwards(kernel, name),
  });
  // Recorded and guarded before it forwards; the ones to be closed stay so until they do not.
  const during = [...new Set([...plan.opened, ...plan.close])].sort();
  if (!sameNames(during, uplinks.read())) uplinks.write(during);
  if (!sameNames(during, guard.openedUplinks)) await applyGuard(nft, { pool, openedUplinks: during });
  for (const name of plan.open) {
    setUplinkForwarding(kernel, name, true);
    onChange('forwarding on', name);
  }
  for (const name of plan.close) {
    setUplinkForwarding(kernel, name, false);
    onChange('forwarding off', name);
  }
  if (sameNames(plan.opened, during)) return;
  await applyGuard(nft, { pool, openedUplinks: plan.opened });
  uplinks.write(plan.opened);
}

/** The last attachment is gone: nothing of ours stays on the host. */
export async function removeHostWiring(ports: HostWiringPorts): Promise<void> {
  const found = await readGuard(ports.nft);
  if (found === null && ports.uplinks.read().length === 0) return;
  await syncForwarding(ports, await ensureGuard(ports), []);
  await removeGuard(ports.nft);
  ports.onChange('guard removed', 'table inet vmnetwork');
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().every((name, index) => name === [...b].sort()[index]);
}
