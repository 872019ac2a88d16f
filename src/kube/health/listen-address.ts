import { InvalidArgumentError } from 'commander';

export interface ListenAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
}

/** `:8080`, `127.0.0.1:8080`, `[::1]:8080`, as an option's value. */
export function listenAddress(text: string): ListenAddress {
  const match = /^(?:(?:([0-9.]+)|\[([0-9A-Fa-f:]+)\])?:)?([0-9]{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new InvalidArgumentError(
      'Give a port, or an address and a port: :8080, 127.0.0.1:8080 or [::1]:8080.',
    );
  }
  // Of no host: all addresses, of IPv4 too.
  return { host: match[1] ?? match[2] ?? '::', port };
}
