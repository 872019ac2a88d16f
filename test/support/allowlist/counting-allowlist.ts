import type { Endpoint } from '../../../src/filter/endpoint.ts';
import type { EndpointLookup, Listing } from '../../../src/filter/endpoint-allowlist.ts';

/** A list that knows how often it was asked. */
export class CountingAllowlist implements EndpointLookup {
  lookups = 0;
  readonly #list: EndpointLookup;

  constructor(list: EndpointLookup) {
    this.#list = list;
  }

  lookUp(endpoint: Endpoint): Listing {
    this.lookups += 1;
    return this.#list.lookUp(endpoint);
  }

  allows(endpoint: Endpoint): boolean {
    return this.lookUp(endpoint) === 'listed';
  }
}
