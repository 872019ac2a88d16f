import { planForwarding, hostForwards, setUplinkForwarding, uplinkForwards } from '../wiring/forwarding.ts';
import { TABLE } from '../wiring/guard-rules.ts';
import type { GuardTable } from '../wiring/guard-rules.ts';
import type { ManagedInterfaces } from '../wiring/managed.ts';
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
  /** `patterns` as this agent was told; `links` as of this pass. See GuardTable. */
  readonly managed: ManagedInterfaces;
  /** One call for each thing that was changed. */
  readonly onChange: (what: string, on: string) => void;
}

/**
 * Puts the guard in force unless it is, and returns what the kernel holds. The uplinks that were opened stay in it even
 * if somebody flushed the tables, for they still forward. Patterns that it has stay as well: `vmnetctl guard apply` may have
 * been told of more than this agent, and only a person may open what was closed.
 *
 * Throws VMN_STATE_UNREADABLE where the uplinks on disk cannot be read, with the guard in force all the same: taps to come are closed
 * by it, whatever forwards.
 */
export async function ensureGuard(ports: HostWiringPorts): Promise<GuardReadBack> {
  const { nft, uplinks, onChange } = ports;
  const found = await readGuard(nft);
  const onDisk = attempt(() => uplinks.read());
  const wanted = guardWith(ports, found, [
    ...new Set([...(found?.openedUplinks ?? []), ...(onDisk.names ?? [])]),
  ]);
  let guard = found;
  if (guard === null || !isGuardInForce(guard, wanted)) {
    guard = await applyGuard(nft, wanted);
    onChange(found === null ? 'guard made' : 'guard restored', GUARD);
  }
  if (onDisk.names === null) throw onDisk.error;
  return guard;
}

function attempt(
  read: () => readonly string[],
): { names: readonly string[] } | { names: null; error: unknown } {
  try {
    return { names: read() };
  } catch (error) {
    return { names: null, error };
  }
}

/** Makes exactly the needed uplinks forward; `guard` is what `ensureGuard` returned in this pass. */
export async function syncForwarding(
  ports: HostWiringPorts,
  guard: GuardReadBack,
  needed: readonly string[],
): Promise<void> {
  const { kernel, uplinks, onChange } = ports;
  const plan = planForwarding({
    needed,
    opened: guard.openedUplinks,
    hostForwards: hostForwards(kernel),
    forwards: (name) => uplinkForwards(kernel, name),
  });
  // Recorded and guarded before it forwards; the ones to be closed stay so until they do not.
  const during = [...new Set([...plan.opened, ...plan.close])].sort();
  if (!sameNames(during, uplinks.read())) uplinks.write(during);
  if (!sameNames(during, guard.openedUplinks)) await replaceGuard(ports, during);
  for (const name of plan.open) {
    setUplinkForwarding(kernel, name, true);
    onChange('forwarding on', name);
  }
  for (const name of plan.close) {
    setUplinkForwarding(kernel, name, false);
    onChange('forwarding off', name);
  }
  if (sameNames(plan.opened, during)) return;
  await replaceGuard(ports, plan.opened);
  uplinks.write(plan.opened);
}

/**
 * The last attachment is gone: nothing of ours stays on the host. But with patterns the guard stays, for it closes taps that
 * do not exist yet; then this only closes the uplinks.
 */
export async function removeHostWiring(ports: HostWiringPorts): Promise<void> {
  const found = await readGuard(ports.nft);
  const stays = ports.managed.patterns.length > 0 || (found?.managed.patterns.length ?? 0) > 0;
  if (!stays && found === null && ports.uplinks.read().length === 0) return;
  await syncForwarding(ports, await ensureGuard(ports), []);
  if (stays) return;
  await removeGuard(ports.nft);
  ports.onChange('guard removed', GUARD);
}

const GUARD = `nftables table ${TABLE}`;

/** Reads again: somebody may have added patterns since the pass began. */
async function replaceGuard(ports: HostWiringPorts, openedUplinks: readonly string[]): Promise<void> {
  await applyGuard(ports.nft, guardWith(ports, await readGuard(ports.nft), openedUplinks));
}

function guardWith(
  { pool, managed }: HostWiringPorts,
  found: Pick<GuardTable, 'managed'> | null,
  openedUplinks: readonly string[],
): GuardTable {
  const patterns = [...managed.patterns, ...(found?.managed.patterns ?? [])];
  return { pool, openedUplinks, managed: { patterns, links: managed.links } };
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().every((name, index) => name === [...b].sort()[index]);
}
