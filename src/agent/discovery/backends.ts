import { printable } from './printable.ts';

/** Kinds of `-netdev` whose frames pass a tap of the host. `bridge` is a tap that a helper makes. */
const BY_TAP = new Set(['tap', 'bridge']);

const USE_A_TAP = 'use -netdev tap';

const REASONS: Readonly<Record<string, string>> = {
  user: `slirp: it has no interface on the host; ${USE_A_TAP}`,
  passt: `it has no interface on the host; ${USE_A_TAP}`,
  macvtap: `its frames leave by the lower interface, past any filter; ${USE_A_TAP}`,
  'vhost-user': `its frames go to another process by shared memory; ${USE_A_TAP}`,
  'vhost-vdpa': `its frames go to hardware, past the host's kernel; ${USE_A_TAP}`,
};

/** Whether frames of a backend of this kind pass a tap. */
export function passesTap(kind: string): boolean {
  return BY_TAP.has(kind);
}

/** Why a card with such a backend cannot be filtered, and what to do. */
export function reasonAgainst(kind: string): string {
  const shown = kind === '' ? 'of an unknown kind' : printable(kind, 32);
  return `network backend ${shown}: ${REASONS[kind] ?? `it has no tap on the host; ${USE_A_TAP}`}`;
}
