import { VmnError } from '../../lib/errors.ts';
import type { Link } from '../host/kernel.ts';
import { TAP_PREFIX } from './identity.ts';

/*
 * Which interfaces are managed: closed from their first packet, known VM or not. A pattern is a name, or a prefix and
 * `*`, as nftables has it. Our own taps, `vmn-*`, always are.
 *
 * The guard knows interfaces by name alone, and drops all that passes by one. So a pattern that takes in a network card
 * cuts the host off. Names that are given to other things than taps are refused by themselves, for at boot the guard is
 * there before them; patterns that take in an interface which is there and no tap are refused when they are applied.
 */

export interface ManagedInterfaces {
  /** From the command line; those of our own taps are not among them. */
  readonly patterns: readonly string[];
  /** Names of taps that a VM's card is bound on and that match no pattern, as of now. */
  readonly links: readonly string[];
}

export const OWN_PATTERN = `${TAP_PREFIX}*`;
export const MAX_PATTERNS = 32;

/** IFNAMSIZ of linux/if.h, less the terminating zero. */
const NAME_LIMIT = 15;
const LEAST_PREFIX = 2;
const OPTION = '--managed-interfaces';

/** What kernel, udev, container engines and network plugins call things that are no taps begins so. */
const OTHERS =
  'eth en wl ww ib usb bond team br docker podman veth virbr lxc lxd cni cali flannel kube weave wg vlan vxlan dummy ovs'.split(
    ' ',
  );

/**
 * Reads `PATTERN[,PATTERN]`; the result is sorted, without what another pattern covers.
 * @throws VmnError VMN_USAGE, which names the option, the value and what to do
 */
export function parsePatterns(text: string): readonly string[] {
  const patterns = text.split(',').map((pattern) => pattern.trim());
  for (const pattern of patterns) {
    const fault = patternFault(pattern);
    if (fault !== null) throw refused(`'${pattern}' ${fault.what}`, fault.remedy);
  }
  const needed = withoutCovered(patterns);
  if (needed.length <= MAX_PATTERNS) return needed;
  throw refused(
    `${needed.length} patterns`,
    `Give at most ${MAX_PATTERNS}; a prefix and * can stand for many names.`,
  );
}

/** Whether this is one pattern that `parsePatterns` would take. */
export function isPattern(text: string): boolean {
  return patternFault(text) === null;
}

/** Whether the guard closes an interface of this name by pattern. A bound link is managed besides, by its name. */
export function isManaged(name: string, patterns: readonly string[]): boolean {
  return isNamedBy(name, [OWN_PATTERN, ...patterns]);
}

/** Whether one of these patterns matches. */
export function isNamedBy(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matches(pattern, name));
}

/** Whether a link is a tap: `tun` is the kind of taps and of layer 3 tunnels, of which only taps have a MAC. */
export function isTap({ kind, mac }: Pick<Link, 'kind' | 'mac'>): boolean {
  return kind === 'tun' && mac !== '';
}

/**
 * Refuses patterns that would cut off what is there and is no tap.
 * @throws VmnError VMN_USAGE, which names the option, the pattern, the interface and what to do
 */
export function demandTapsOnly(
  patterns: readonly string[],
  links: readonly Pick<Link, 'name' | 'kind' | 'mac'>[],
): void {
  for (const pattern of patterns) {
    const other = links.find((link) => !isTap(link) && matches(pattern, link.name));
    if (other === undefined) continue;
    const kind =
      other.kind === '' ? 'a network card' : other.kind === 'tun' ? 'a tunnel' : `of kind ${other.kind}`;
    throw refused(
      `'${pattern}' matches ${other.name}, which is ${kind} and no tap: all its traffic would be cut off`,
      `Give a pattern that taps alone match, or rename ${other.name}.`,
    );
  }
}

/** The same set of names by the fewest patterns, sorted. Pure. */
export function withoutCovered(patterns: readonly string[]): readonly string[] {
  const all = [...new Set(patterns)].sort();
  return all.filter((pattern) => !all.some((other) => other !== pattern && covers(other, pattern)));
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Whether whatever matches `narrow` matches `wide`: a prefix is one of all that begins with it. */
function covers(wide: string, narrow: string): boolean {
  return wide.endsWith('*') && narrow.startsWith(wide.slice(0, -1));
}

interface Fault {
  readonly what: string;
  readonly remedy: string;
}

const ADVICE = 'Give names, or a prefix of 2 characters or more and *, such as vnet*, separated by commas.';

function patternFault(pattern: string): Fault | null {
  const isPrefix = pattern.endsWith('*');
  const stem = isPrefix ? pattern.slice(0, -1) : pattern;
  if (isPrefix && stem.length < LEAST_PREFIX)
    return { what: 'matches more than any taps could be called', remedy: ADVICE };
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(stem))
    return {
      what: 'is no name or prefix of an interface',
      remedy: `${ADVICE} Letters, digits, and _ . - after the first are allowed.`,
    };
  if (stem.length > (isPrefix ? NAME_LIMIT - 1 : NAME_LIMIT))
    return {
      what: 'is longer than the name of an interface can be',
      remedy: `Give at most ${NAME_LIMIT} characters, the * counted.`,
    };
  const other = matches(pattern, 'lo') ? 'lo' : OTHERS.find((start) => takesIn(stem, isPrefix, start));
  if (other === undefined) return null;
  return {
    what: `may match interfaces that are no taps (${other}${other === 'lo' ? '' : '…'}): all their traffic would be cut off`,
    remedy:
      'Give a pattern that taps alone match; where there is none, give the VM manager a prefix of its own for taps.',
  };
}

function takesIn(stem: string, isPrefix: boolean, start: string): boolean {
  return stem.startsWith(start) || (isPrefix && start.startsWith(stem));
}

function refused(what: string, remedy: string): VmnError {
  return new VmnError('VMN_USAGE', {
    attempted: 'take up the managed interfaces',
    on: `${OPTION}: ${what}`,
    remedy,
  });
}
