import { keyOf } from '../../kube/resource.ts';
import type { Network } from '../kinds.ts';
import { byAge } from './age.ts';
import type { Aged } from './age.ts';
import { cheapest, namespacesOf, namespacesOfVm, pinOf, selectorKeys, vmKeys } from './selection.ts';
import type { ReportedVm, VmOwnership } from './selection.ts';

/**
 * Networks, found from a VM: by one part of their selector, by the host that they pin and by whose VMs their class lets them
 * have, so that nearly all that is found also selects the VM. Each list has the oldest first: the owner is found without
 * looking at those after it. What stands here is no network but what places it: a version that the cache has replaced is not kept.
 */
export class NetworkIndex {
  /** Key of a selector -> place -> networks, oldest first. */
  readonly #lists = new Map<string, Map<string, Placed[]>>();
  /** Key of a selector -> networks in all its places. */
  readonly #sizes = new Map<string, number>();
  readonly #placed = new Map<string, Placed>();

  /** Anew when its selector or its class's ownership moved. */
  set(network: Network, ownership: VmOwnership): void {
    const key = keyOf(network);
    this.delete(key);
    // Under the part of the selector where the fewest stand so far, so that no list gets long if it need not.
    const keys = cheapest(selectorKeys(network), (some) => Math.max(...some.map((one) => this.#sizeOf(one))));
    const places = namespacesOf(network, ownership).map((namespace) => placeOf(pinOf(network), namespace));
    const { name, namespace, creationTimestamp } = network.metadata;
    const age = { name, creationTimestamp, ...(namespace === undefined ? {} : { namespace }) };
    const placed: Placed = { key, metadata: age, keys, places };
    this.#placed.set(key, placed);
    for (const one of keys) for (const place of places) this.#add(one, place, placed);
  }

  /** @param key `namespace/name` */
  delete(key: string): void {
    const placed = this.#placed.get(key);
    if (placed === undefined) return;
    this.#placed.delete(key);
    for (const one of placed.keys) for (const place of placed.places) this.#remove(one, place, placed);
  }

  /** Lists of networks that may select a VM, each with the oldest first; `selects` has the last word. */
  of({ nodeName, vm }: ReportedVm): (readonly PlacedNetwork[])[] {
    const found: Placed[][] = [];
    for (const key of vmKeys(vm)) {
      const lists = this.#lists.get(key);
      if (lists === undefined) continue;
      for (const namespace of namespacesOfVm(vm)) {
        for (const pin of ['', nodeName]) {
          const list = lists.get(placeOf(pin, namespace));
          if (list !== undefined) found.push(list);
        }
      }
    }
    return found;
  }

  /** Of those that may select a VM the key of the oldest that passes the test. */
  oldest(reported: ReportedVm, test: (key: string) => boolean): string | null {
    let oldest: PlacedNetwork | null = null;
    for (const list of this.of(reported)) {
      for (const network of list) {
        if (oldest !== null && byAge(oldest, network) <= 0) break;
        if (!test(network.key)) continue;
        oldest = network;
        break;
      }
    }
    return oldest?.key ?? null;
  }

  #add(key: string, place: string, network: Placed): void {
    const lists = this.#lists.get(key) ?? new Map<string, Placed[]>();
    const list = lists.get(place) ?? [];
    list.splice(rankIn(list, network), 0, network);
    this.#lists.set(key, lists.set(place, list));
    this.#sizes.set(key, this.#sizeOf(key) + 1);
  }

  #remove(key: string, place: string, network: Placed): void {
    const lists = this.#lists.get(key);
    const list = lists?.get(place);
    if (lists === undefined || list === undefined) return;
    list.splice(rankIn(list, network), 1);
    if (list.length === 0) lists.delete(place);
    if (lists.size === 0) this.#lists.delete(key);
    const left = this.#sizeOf(key) - 1;
    if (left > 0) this.#sizes.set(key, left);
    else this.#sizes.delete(key);
  }

  #sizeOf(key: string): number {
    return this.#sizes.get(key) ?? 0;
  }
}

/** A network, as far as its order among others goes. */
export interface PlacedNetwork extends Aged {
  /** `namespace/name` */
  readonly key: string;
}

interface Placed extends PlacedNetwork {
  readonly keys: readonly string[];
  readonly places: readonly string[];
}

/** Where in a list, oldest first, a network stands or would stand. */
function rankIn(list: readonly Aged[], network: Aged): number {
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (byAge(list[middle] as Aged, network) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Neither a host's name nor a namespace's holds a newline. */
const placeOf = (nodeName: string, namespace: string): string => `${nodeName}\n${namespace}`;
