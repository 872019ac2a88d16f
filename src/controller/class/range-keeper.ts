import type { InformerEvent } from '../../kube/reflector/informer.ts';
import type { Store } from '../../kube/store/store.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import { TokenBucket } from '../../lib/token-bucket.ts';
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

/** Nodes come in groups. What is new is denied this soon: until then it is an endpoint like any other. */
const NEW_MS = 100;
/** What is new while this is used up waits for what is calm. */
const NEW_BUDGET = { burst: 20, perSecond: 1 };
const GATHER_MS = 1_000;
/** What nobody tells any more is denied still until then: a Node that flips its addresses gets no more than that out of it. */
const CALM_MS = 15_000;

/**
 * This cluster's ranges, computed when asked and only if something that decides about them changed since. Nodes write their
 * status every few seconds; almost none of these writes moves a range. Those that do are of two sorts: what denies more hurries, and
 * what denies less does not.
 */
export class RangeKeeper {
  readonly #ports: RangeKeeperPorts;
  /** What was left out and logged: each thing once, however often a Node says it. */
  readonly #told = new Set<string>();
  #known: ClusterRanges | null = null;
  readonly #budget: TokenBucket;
  /** Until when what nobody tells any more is kept, monotonic. */
  #calmMs = -Infinity;
  /** When the last that was new was due to be written, monotonic. */
  #newMs = -Infinity;
  /** No longer told, and denied still: it is not new if it is told again. */
  readonly #lingering = new Set<string>();

  constructor(ports: RangeKeeperPorts) {
    this.#ports = ports;
    this.#budget = new TokenBucket({ ...NEW_BUDGET, clock: ports.clock });
  }

  known(): ClusterRanges {
    this.#known ??= this.#compute();
    return this.#known;
  }

  /** How long classes keep what they deny and nobody tells any more, ms; 0: it may go. */
  keepForMs(): number {
    return Math.max(this.#calmMs - this.#ports.clock.monotonicMs(), 0);
  }

  node({ type, object, previous }: InformerEvent<ClusterNode>): void {
    const same = previous !== undefined && textOf(previous) === textOf(object);
    if (type !== 'updated' || !same) this.#changed(networksIn(type, object, previous, networksOf));
  }

  serviceCidr({ type, object, previous }: InformerEvent<ServiceCidr>): void {
    const of = ({ spec }: ServiceCidr) => spec?.cidrs ?? [];
    const same = previous !== undefined && of(previous).join() === of(object).join();
    if (type !== 'updated' || !same) this.#changed(networksIn(type, object, previous, of));
  }

  #changed({ before, after }: { before: ReadonlySet<string>; after: ReadonlySet<string> }): void {
    this.#known = null;
    const nowMs = this.#ports.clock.monotonicMs();
    if (this.#calmMs <= nowMs) {
      this.#calmMs = Math.max(nowMs + GATHER_MS, this.#calmMs + CALM_MS);
      this.#lingering.clear();
    }
    // What was not written yet does not linger.
    if (this.#newMs <= nowMs) {
      for (const network of before) if (!after.has(network)) this.#lingering.add(network);
    }
    const isNew = [...after].some((network) => !before.has(network) && !this.#lingering.has(network));
    if (isNew && !this.#isSoon(nowMs)) this.#newMs = this.#budget.tryTake() ? nowMs + NEW_MS : this.#calmMs;
    this.#ports.onChange((this.#isSoon(nowMs) ? this.#newMs : this.#calmMs) - nowMs);
  }

  /** Something new is about to be written anyway. */
  #isSoon(nowMs: number): boolean {
    return this.#newMs > nowMs && this.#newMs <= nowMs + NEW_MS;
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

/** What one object tells before and after an event. */
function networksIn<T extends ClusterNode | ServiceCidr>(
  type: InformerEvent<T>['type'],
  object: T,
  previous: T | undefined,
  of: (object: T) => readonly string[],
) {
  const before = type === 'deleted' ? object : previous;
  return {
    before: new Set(before === undefined ? [] : of(before)),
    after: new Set(type === 'deleted' ? [] : of(object)),
  };
}

function networksOf(node: ClusterNode): readonly string[] {
  return claimsOf(node).networks;
}

function textOf(node: ClusterNode): string {
  return JSON.stringify(claimsOf(node));
}
