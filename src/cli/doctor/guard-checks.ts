import type { Nft } from '../../agent/host/nft.ts';
import { isGuardInForce, readGuard } from '../../agent/wiring/nft-table.ts';
import { isVmnError } from '../../lib/errors.ts';
import { findProgram } from '../../native/probe.ts';
import { type Check, no, unknown, yes } from './check.ts';

export interface GuardPorts {
  readonly nft: Nft;
  readonly pool: string;
  /** What `nft --version` prints, or null: it cannot be run. */
  readonly nftVersion: () => Promise<string | null>;
  /** Whether any filter is pinned here; null: it cannot be told. */
  readonly hasFilters: () => boolean | null;
  readonly isRoot: boolean;
}

/** The program `nft`, and our tables. */
export async function guardChecks(ports: GuardPorts): Promise<Check[]> {
  return [await program(ports), await tables(ports)];
}

async function program({ nftVersion }: GuardPorts): Promise<Check> {
  const about = { name: 'nft', purpose: 'writing the standing guard', needed: true };
  const path = findProgram('nft');
  if (path === null) return no(about, 'nft is not on the PATH', 'Install it: apt-get install nftables');
  const version = await nftVersion();
  if (version !== null) return yes(about, `${path}, ${version}`);
  return no(about, `${path} does not run`, 'Run `nft --version` and see what it says.');
}

/** Without filters there is nothing yet to stand behind, and the agent makes the tables with the first. */
async function tables({ nft, pool, hasFilters, isRoot }: GuardPorts): Promise<Check> {
  const filters = hasFilters();
  const about = { name: 'guard', purpose: 'closing taps without a filter', needed: filters === true };
  if (!isRoot) return unknown(about, 'not for this user to see', 'Run it as root to tell.');
  try {
    const found = await readGuard(nft);
    if (found !== null && isGuardInForce(found, { ...found, pool }))
      return yes(about, 'the tables vmnetwork are in force');
    const remedy =
      'Start the agent, or run: vmnetctl guard apply. Give --pool and --managed-interfaces as the agent has them.';
    if (found !== null) return no(about, 'the tables vmnetwork are not as this version writes them', remedy);
    return filters === true
      ? no(about, 'filters are pinned, and there are no tables vmnetwork behind them', remedy)
      : no(about, 'there are no tables vmnetwork yet; the agent makes them', '');
  } catch (error) {
    if (!isVmnError(error)) throw error;
    return unknown(about, error.message, error.remedy);
  }
}
