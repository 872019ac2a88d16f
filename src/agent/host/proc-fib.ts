/** What the kernel keeps to itself rather than sends on: addresses of its own, and broadcasts of its networks. */
const KEPT: ReadonlySet<string> = new Set(['LOCAL', 'BROADCAST', 'ANYCAST']);
/** Tables that are asked for every packet. Printed by name; all others are `Id N`. */
const ALWAYS_ASKED: ReadonlySet<string> = new Set(['Main', 'Local']);

/**
 * The networks (CIDR) that a host takes for itself, as the routing tables say it, so those of interfaces that are down and ranges
 * that a route declares local are among them. The text is that of /proc/net/fib_trie (net/ipv4/fib_trie.c): the name of a table, then
 * its destinations as `|-- ADDRESS`, each before its routes as `/LENGTH SCOPE TYPE`. Of a table that only some packets are looked up
 * in, such as that of a VRF, single addresses alone: a range there is what a proxy takes in, and no address of the host.
 */
export function parseOwnNetworks(text: string): string[] {
  const found = new Set<string>();
  let table = '';
  let destination = '';
  for (const line of text.split('\n')) {
    const [, name] = /^(\S.*):$/.exec(line) ?? [];
    const [, leaf] = /^\s+\|-- (\S+)$/.exec(line) ?? [];
    const [, length, type] = /^\s+\/(\d+) \S+ (\S+)/.exec(line) ?? [];
    if (name !== undefined) table = name;
    else if (leaf !== undefined) destination = leaf;
    else if (length !== undefined && type !== undefined && KEPT.has(type))
      if (length === '32' || ALWAYS_ASKED.has(table)) found.add(`${destination}/${length}`);
  }
  return [...found];
}
