import type { InformerEvent } from '../../kube/reflector/informer.ts';
import type { Store } from '../../kube/store/store.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { ClusterNode, ServiceCidr } from '../kinds.ts';
import { clusterRanges } from './cluster-ranges.ts';
import type { ClusterRanges } from './cluster-ranges.ts';
import { claimsOf } from './node-claims.ts';

export interface RangeKeeperPorts {
  readonly nodes: Store<ClusterNode>;
  /** Null where the API server does not serve them (before Kubernetes 1.33). */
  readonly serviceCidrs: Store<ServiceCidr> | null;
  /** The ranges may be others; who writes them waits so long, for more may follow. */
  readonly onChange: (delayMs: number) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Nodes come in groups. */
const GATHER_MS = 1_000;
/** A Node that flips its addresses gets all classes written once in so long. */
const CALM_MS = 15_000;

/**
 * This cluster's ranges, computed when asked and only if something that decides about them changed since. Nodes write their
 * status every few seconds; almost none of these writes moves a range.
 */
export class RangeKeeper {
  readonly #ports: RangeKeeperPorts;
  /** What was left out and logged: each thing once, however often a Node says it. */
  readonly #told = new Set<string>();
  #known: ClusterRanges | null = null;
  /** When what changed last was due to be written, monotonic. */
  #dueMs = -Infinity;

  constructor(ports: RangeKeeperPorts) {
    this.#ports = ports;
  }

  known(): ClusterRanges {
    this.#known ??= this.#compute();
    return this.#known;
  }

  node({ type, object, previous }: InformerEvent<ClusterNode>): void {
    const same = previous !== undefined && textOf(previous) === textOf(object);
    if (type !== 'updated' || !same) this.#changed();
  }

  serviceCidr({ type, object, previous }: InformerEvent<ServiceCidr>): void {
    const same = (previous?.spec?.cidrs ?? []).join() === (object.spec?.cidrs ?? []).join();
    if (type !== 'updated' || !same) this.#changed();
  }

  #changed(): void {
    this.#known = null;
    const nowMs = this.#ports.clock.monotonicMs();
    if (this.#dueMs <= nowMs) this.#dueMs = Math.max(nowMs + GATHER_MS, this.#dueMs + CALM_MS);
    this.#ports.onChange(this.#dueMs - nowMs);
  }

  #compute(): ClusterRanges {
    const { nodes, serviceCidrs, log } = this.#ports;
    const known = clusterRanges(nodes.list(), serviceCidrs?.list() ?? null);
    for (const what of known.leftOut) {
      if (this.#told.has(what)) continue;
      this.#told.add(what);
      log.warn({ what }, 'classes do not deny all that Nodes say is theirs; see docs/guardrails.md');
    }
    return known;
  }
}

function textOf(node: ClusterNode): string {
  return JSON.stringify(claimsOf(node));
}
