import type { MacAddress } from '../../../api/v1alpha1/mac-address.ts';

const BASE = '52:54:00:12:34:';
const FIRST = 0x56;
const END = 0xff;

/**
 * The addresses that QEMU gives to cards that were started without one (net/net.c, qemu_macaddr_default_if_unset): the first
 * free one after 52:54:00:12:34:56, card by card in the order in which QEMU makes them.
 */
export class DefaultMacs {
  readonly #used = new Set<string>();

  /** The address of the next card: the given one, else a default; null when QEMU would have none left. */
  next(given: MacAddress | null): MacAddress | null {
    if (given !== null) {
      this.#used.add(given);
      return given;
    }
    for (let last = FIRST; last < END; last++) {
      const mac = (BASE + last.toString(16)) as MacAddress;
      if (this.#used.has(mac)) continue;
      this.#used.add(mac);
      return mac;
    }
    return null;
  }
}
