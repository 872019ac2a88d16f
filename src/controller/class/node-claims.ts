import { isIPv4 } from 'node:net';
import { parseCidr } from '../../api/v1alpha1/cidr.ts';
import type { ClusterNode } from '../kinds.ts';

/** Addresses of one Node that count. Clouds give a Node two or three. */
export const MOST_ADDRESSES = 32;
/** Widest pod range of one Node that counts: kube-controller-manager gives a /24 unless it is told otherwise, and no Node runs 65,536 pods. */
export const WIDEST_POD_RANGE = 16;

/** What one Node says is its own, as far as it is taken for that. */
export interface NodeClaims {
  /** Pod ranges, then addresses in the order in which the Node tells them: kubelets tell the one that they are reached at first. */
  readonly networks: readonly string[];
  /** What it says too and is not believed: sentences, the same for as long as the reason is. */
  readonly ignored: readonly string[];
}

/**
 * What of a Node decides about ranges; the rest of it, its heartbeat above all, does not. A kubelet writes the addresses of its own Node,
 * and its pod range while nobody gave it one, and all classes deny what it writes: a host that was taken over must not get the endpoints of
 * all tenants refused. Pure. IPv6 is left out, for no endpoint can lie there.
 */
export function claimsOf({ metadata, spec, status }: ClusterNode): NodeClaims {
  const pods = spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]);
  const tooWide = pods.filter((range) => (parseCidr(range)?.prefixLength ?? 32) < WIDEST_POD_RANGE);
  const addresses = new Set<string>();
  let tooMany = false;
  for (const { address } of status?.addresses ?? []) {
    if (!isIPv4(address) || addresses.has(address)) continue;
    tooMany = addresses.size === MOST_ADDRESSES;
    if (tooMany) break;
    addresses.add(address);
  }
  const name = `Node ${metadata.name}`;
  return {
    networks: [
      ...pods.filter((range) => !tooWide.includes(range)),
      ...[...addresses].map((address) => `${address}/32`),
    ],
    ignored: [
      ...tooWide.map(
        (range) => `the pod range ${range} of ${name}, for it is wider than /${WIDEST_POD_RANGE}`,
      ),
      ...(tooMany ? [`addresses of ${name} after its first ${MOST_ADDRESSES}`] : []),
    ],
  };
}
