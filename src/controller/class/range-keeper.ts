import type { Cidr } from '../../api/v1alpha1/cidr.ts';
import type { InformerEvent } from '../../kube/reflector/informer.ts';
import type { Store } from '../../kube/store/store.ts';
import type { ClusterNode, ServiceCidr } from '../kinds.ts';
import { clusterRanges, rangesOfNode } from './cluster-ranges.ts';

/**
 * This cluster's ranges, computed when asked and only if something that decides about them changed since. Nodes write their
 * status every few seconds; almost none of these writes moves a range.
 */
export class RangeKeeper {
  readonly #nodes: Store<ClusterNode>;
  readonly #serviceCidrs: Store<ServiceCidr> | null;
  readonly #onChange: () => void;
  #ranges: readonly Cidr[] | null = null;

  /** @param serviceCidrs null where the API server does not serve them (before Kubernetes 1.33) */
  constructor(nodes: Store<ClusterNode>, serviceCidrs: Store<ServiceCidr> | null, onChange: () => void) {
    this.#nodes = nodes;
    this.#serviceCidrs = serviceCidrs;
    this.#onChange = onChange;
  }

  ranges(): readonly Cidr[] {
    this.#ranges ??= clusterRanges(this.#nodes.list(), this.#serviceCidrs?.list() ?? []);
    return this.#ranges;
  }

  node({ type, object, previous }: InformerEvent<ClusterNode>): void {
    const same = previous !== undefined && rangesOfNode(previous).join() === rangesOfNode(object).join();
    if (type !== 'updated' || !same) this.#changed();
  }

  serviceCidr({ type, object, previous }: InformerEvent<ServiceCidr>): void {
    const same = (previous?.spec?.cidrs ?? []).join() === (object.spec?.cidrs ?? []).join();
    if (type !== 'updated' || !same) this.#changed();
  }

  #changed(): void {
    this.#ranges = null;
    this.#onChange();
  }
}
