import { isSomebody, sameEndpoint, type Endpoint } from './endpoint.ts';
import { allocate, read, write, type SharedEndpoints } from './shared-endpoints.ts';

/**
 * - `listed`: exactly this endpoint is on the list
 * - `other-port`: the address is, with this protocol, but with other ports only
 * - `unlisted`: neither
 */
export type Listing = 'listed' | 'other-port' | 'unlisted';

/** Whom one may speak to. Each call is answered by one list as a whole, the one in force at some moment of the call. */
export interface EndpointLookup {
  lookUp(endpoint: Endpoint): Listing;
  /** Whether exactly this (protocol, address, port) is listed. */
  allows(endpoint: Endpoint): boolean;
}

/** The list as any thread sees it. */
export class EndpointAllowlistReader implements EndpointLookup {
  readonly #shared: SharedEndpoints;

  constructor(shared: SharedEndpoints) {
    this.#shared = shared;
  }

  lookUp(endpoint: Endpoint): Listing {
    return read(this.#shared, (list) => listingOf(endpoint, list));
  }

  allows(endpoint: Endpoint): boolean {
    return this.lookUp(endpoint) === 'listed';
  }
}

/**
 * The endpoints one may speak to; an empty list blocks everybody. The thread that makes it is the only one to replace it;
 * others read it through an EndpointAllowlistReader over `shared`, at any time and without waiting.
 */
export class EndpointAllowlist extends EndpointAllowlistReader {
  static readonly DEFAULT_CAPACITY = 16;

  /** For the other threads: `new EndpointAllowlistReader(workerData.shared)`. */
  readonly shared: SharedEndpoints;

  /** @throws RangeError as `replace` does */
  constructor(endpoints: readonly Endpoint[] = [], capacity: number = EndpointAllowlist.DEFAULT_CAPACITY) {
    const shared = allocate(capacity);
    super(shared);
    this.shared = shared;
    this.replace(endpoints);
  }

  /**
   * Puts another list into force, as a whole. When this returns, every lookup that begins, in any thread, sees the new one.
   *
   * @throws RangeError for more endpoints than there is room, and for values that no packet can hold or that stand for
   *   nobody; the list in force then stays as it was.
   */
  replace(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) check(endpoint);
    write(this.shared, endpoints);
  }
}

function listingOf(wanted: Endpoint, list: Iterable<Endpoint>): Listing {
  let listing: Listing = 'unlisted';
  for (const endpoint of list) {
    if (sameEndpoint(endpoint, wanted)) return 'listed';
    if (sameEndpoint({ ...endpoint, port: wanted.port }, wanted)) listing = 'other-port';
  }
  return listing;
}

function check(endpoint: Endpoint): void {
  const { protocol, address, port } = endpoint;
  const fits = isUpTo(0xff, protocol) && isUpTo(0xffff, port);
  if (!fits || !isSomebody(endpoint))
    throw new RangeError(`not an endpoint: ${address.toString()}:${port}, protocol ${protocol}`);
}

function isUpTo(most: number, value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}
