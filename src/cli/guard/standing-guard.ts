import { ensureGuard, syncForwarding } from '../../agent/host/host-wiring.ts';
import type { HostWiringPorts } from '../../agent/host/host-wiring.ts';
import type { Link } from '../../agent/host/kernel.ts';
import { ownerOfAlias } from '../../agent/wiring/identity.ts';
import { demandTapsOnly, isManaged, isTap, OWN_PATTERN, withoutCovered } from '../../agent/wiring/managed.ts';
import { applyGuard, isGuardInForce, readGuard, removeGuard } from '../../agent/wiring/nft-table.ts';
import { VmnError } from '../../lib/errors.ts';

/*
 * The standing guard by hand and at boot, without an agent: what it consists of is agent/wiring/guard-rules.ts. Unlike an
 * agent, a person may narrow or remove it; whatever would open a tap by that is asked for twice (--force).
 */

export interface GuardPorts extends Omit<HostWiringPorts, 'managed' | 'onChange'> {
  readonly bpffs: string;
}

/** What the kernel holds of the guard. */
export interface GuardView {
  /** All of it is in force as this version writes it. */
  readonly inForce: boolean;
  /** That of our own taps too. */
  readonly patterns: readonly string[];
  /** Taps that match no pattern; a VM's card is bound on each. */
  readonly boundLinks: readonly string[];
  readonly openedUplinks: readonly string[];
  /** Interfaces that are managed right now. */
  readonly interfaces: readonly { readonly name: string; readonly tap: boolean; readonly up: boolean }[];
}

/** Changes nothing. */
export async function viewGuard({ kernel, nft, pool }: GuardPorts): Promise<GuardView> {
  const found = await readGuard(nft);
  if (found === null)
    return { inForce: false, patterns: [], boundLinks: [], openedUplinks: [], interfaces: [] };
  const { patterns, links } = found.managed;
  return {
    inForce: isGuardInForce(found, { ...found, pool }),
    patterns: withoutCovered([OWN_PATTERN, ...patterns]),
    boundLinks: links,
    openedUplinks: found.openedUplinks,
    interfaces: kernel
      .links()
      .filter(({ name }) => isManaged(name, patterns) || links.includes(name))
      .map((link) => ({ name: link.name, tap: isTap(link), up: link.up })),
  };
}

/**
 * Puts the guard in force for exactly these patterns. What a running agent has in it stays. Writes nothing when it is so
 * already.
 * @throws VmnError VMN_USAGE when a pattern takes in something that is no tap, or, unless forced, one that is left out has
 * taps; VMN_NFT_…, VMN_READ_BACK
 */
export async function putGuard(
  ports: GuardPorts,
  patterns: readonly string[],
  force: boolean,
): Promise<'made' | 'changed' | 'unchanged'> {
  const { kernel, nft, pool, uplinks } = ports;
  const links = kernel.links();
  demandTapsOnly(patterns, links);
  const found = await readGuard(nft);
  const before = found?.managed ?? { patterns: [], links: [] };
  const opened = links.filter(({ name }) => isManaged(name, before.patterns) && !isManaged(name, patterns));
  const opens = opened.filter(({ name }) => !before.links.includes(name));
  if (opens.length > 0 && !force)
    throw refused('narrow', `it would open ${namesOf(opens)}, which ${before.patterns.join(',')} closes`);
  const openedUplinks = [...new Set([...(found?.openedUplinks ?? []), ...uplinks.read()])];
  const wanted = { pool, openedUplinks, managed: { patterns, links: before.links } };
  if (isGuardInForce(found, wanted)) return 'unchanged';
  await applyGuard(nft, wanted);
  return found === null ? 'made' : 'changed';
}

/**
 * Removes the guard, after switching off the forwarding that it restricts. Returns whether there was one.
 * @throws VmnError VMN_USAGE when, unless forced, something relies on it; VMN_NFT_…
 */
export async function takeGuardAway(ports: GuardPorts, force: boolean): Promise<boolean> {
  const { nft, uplinks } = ports;
  const found = await readGuard(nft);
  const reason = force ? null : whyItIsNeeded(ports, found?.managed.patterns ?? []);
  if (reason !== null) throw refused('remove', reason);
  if (found === null && uplinks.read().length === 0) return false;
  const wiring = {
    ...ports,
    managed: found?.managed ?? { patterns: [], links: [] },
    onChange: () => undefined,
  };
  await syncForwarding(wiring, await ensureGuard(wiring), []);
  await removeGuard(nft);
  return true;
}

function whyItIsNeeded({ kernel, bpffs }: GuardPorts, patterns: readonly string[]): string | null {
  const links = kernel.links();
  const own = links.filter(({ alias, name }) => ownerOfAlias(alias, name) !== null);
  if (own.length > 0) return `taps of ours exist: ${namesOf(own)}`;
  const pinned = kernel.listPins(bpffs);
  if (pinned.length > 0) return `filters are pinned under ${bpffs}: ${pinned.join(', ')}`;
  const managed = links.filter((link) => isTap(link) && isManaged(link.name, patterns));
  return managed.length > 0 ? `managed taps exist, which nothing else may close: ${namesOf(managed)}` : null;
}

/** A few of them: a host may have hundreds. */
function namesOf(links: readonly Pick<Link, 'name'>[]): string {
  const names = links.slice(0, 5).map(({ name }) => name);
  return [...names, ...(links.length > 5 ? [`${links.length - 5} more`] : [])].join(', ');
}

function refused(what: 'narrow' | 'remove', reason: string): VmnError {
  return new VmnError('VMN_USAGE', {
    attempted: `${what} the standing guard`,
    on: `the standing guard is needed: ${reason}`,
    remedy:
      'End these VMs first and let the agent take away what is theirs, or give --force: it opens what is not filtered.',
  });
}
