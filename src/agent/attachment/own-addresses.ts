import { mergedRanges, rangeOf } from '../../api/v1alpha1/denied-networks.ts';
import type { AddressRange } from '../../api/v1alpha1/denied-networks.ts';
import type { PolicyIntent } from '../../controller/vmnetwork/plan.ts';
import { isVmnError } from '../../lib/errors.ts';
import { MAX_DENIED } from '../../native/policy-ranges.ts';
import type { Kernel } from '../host/kernel.ts';

/**
 * What the host takes for itself in some network namespaces, asked of each once a pass, and only when something depends on it.
 * Of a guest on a tap elsewhere both the host's own namespace and the tap's keep things to themselves that it must not reach.
 */
export class OwnAddresses {
  readonly #kernel: Pick<Kernel, 'ownNetworks'>;
  readonly #others: readonly OwnAddresses[];
  #answer: Answer | null = null;
  /** By the ranges that were asked for: many VMs have one class, and some hosts have thousands of addresses. */
  readonly #besides = new Map<string, readonly AddressRange[]>();

  constructor(kernel: Pick<Kernel, 'ownNetworks'>, others: readonly OwnAddresses[] = []) {
    this.#kernel = kernel;
    this.#others = others;
  }

  /** In order and apart; or why it cannot be told. */
  ranges(): Answer {
    this.#answer ??= this.#ask();
    return this.#answer;
  }

  /** Together with these, in as few ranges as there can be; or why it cannot be told. */
  besides(others: readonly AddressRange[]): Answer {
    const own = this.ranges();
    if (typeof own === 'string') return own;
    const key = JSON.stringify(others);
    const merged = this.#besides.get(key) ?? mergedRanges([...others, ...own]);
    this.#besides.set(key, merged);
    return merged;
  }

  #ask(): Answer {
    const ranges: AddressRange[] = [];
    for (const other of this.#others) {
      const answer = other.ranges();
      if (typeof answer === 'string') return answer;
      ranges.push(...answer);
    }
    try {
      return mergedRanges([...ranges, ...this.#kernel.ownNetworks().map(rangeOf)]);
    } catch (error) {
      if (isVmnError(error)) return error.message;
      throw error;
    }
  }
}

type Answer = readonly AddressRange[] | string;

/**
 * An intent as this host enforces it: in mode Direct it denies the host's own addresses too, so that the guard is not all that keeps
 * the guest from them. A text: why nothing passes instead.
 *
 * @param pool CIDR of the guest addresses, which are denied as well; see intendedPolicy
 */
export function withOwnDenied(
  intent: PolicyIntent,
  own: Pick<OwnAddresses, 'besides'>,
  pool: string,
): PolicyIntent | string {
  if (intent.mode !== 'Direct') return intent;
  const denied = own.besides([...(intent.denied ?? []), rangeOf(pool)]);
  if (typeof denied === 'string')
    return `mode Direct denies the addresses of this host, which could not be listed: ${denied}`;
  const { length } = denied;
  if (length <= MAX_DENIED) return { ...intent, denied };
  return (
    `mode Direct cannot be held to what the class and this host deny: ${length} ranges that do not touch, and the filter holds ` +
    `${MAX_DENIED}. Deny larger networks in spec.deniedDestinations.networks of the class, which take in the small ones`
  );
}
