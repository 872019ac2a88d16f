import { IpProtocol } from '../packet/ipv4-header.ts';
import type { Ipv4Address } from '../packet/ipv4-address.ts';

/** Somebody one can speak to. Two are the same only when all three are. */
export interface Endpoint {
  /** IP protocol number, 0 to 255. */
  readonly protocol: number;
  readonly address: Ipv4Address;
  readonly port: number;
}

export function udpEndpoint(address: Ipv4Address, port: number): Endpoint {
  return { protocol: IpProtocol.UDP, address, port };
}

export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.protocol === b.protocol && a.address.equals(b.address) && a.port === b.port;
}

/** Address and port of zero stand for nobody: they can neither be listed nor be spoken to. */
export function isSomebody({ address, port }: Endpoint): boolean {
  return !address.isUnspecified && port !== 0;
}
