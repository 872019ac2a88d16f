/** Which kernels the matrix boots: the oldest that we support, what Debian's releases run, and the newest there is. */

export interface WantedKernel {
  name: string;
  /** The packaged version begins with this; '' takes the newest of all. */
  series: string;
  /** Debian suites: the first that has it is taken; for '' the newest of all of them. */
  suites: readonly string[];
  /** A kernel that cannot be had is a skip; a skip of a required one fails in CI. */
  required: boolean;
  /** How the loader has to attach there. */
  hook: 'tcx' | 'clsact';
  /** It lets a program look at the sk_buff itself (6.2), so it takes both objects of the filter. */
  takesDirectObject: boolean;
}

const BEFORE_6_2 = { hook: 'clsact', takesDirectObject: false } as const;
const SINCE_6_6 = { hook: 'tcx', takesDirectObject: true } as const;

export const WANTED_KERNELS: readonly WantedKernel[] = [
  { name: '5.10', series: '5.10.', suites: ['bullseye-security', 'bullseye'], required: true, ...BEFORE_6_2 },
  { name: '5.15', series: '5.15.', suites: ['bullseye-backports'], required: false, ...BEFORE_6_2 },
  { name: '6.1', series: '6.1.', suites: ['bookworm-security', 'bookworm'], required: true, ...BEFORE_6_2 },
  { name: '6.12', series: '6.12.', suites: ['trixie-security', 'trixie'], required: true, ...SINCE_6_6 },
  { name: 'newest', series: '', suites: ['trixie-backports', 'sid'], required: true, ...SINCE_6_6 },
];

/** What `make test` boots unless VMN_KERNELS says otherwise: the one that differs most from today's machines. */
const SHORT_FORM = '5.10';

/** By VMN_KERNELS: `all`, or names with commas between. */
export function askedKernels(): readonly WantedKernel[] {
  const asked = process.env['VMN_KERNELS'] ?? SHORT_FORM;
  return asked === 'all' ? WANTED_KERNELS : kernelsNamed(asked.split(','));
}

/** The kernels of these names, in the order of the table; throws on a name that is not in it. */
export function kernelsNamed(names: readonly string[]): readonly WantedKernel[] {
  const unknown = names.find((name) => !WANTED_KERNELS.some((kernel) => kernel.name === name));
  if (unknown !== undefined) {
    throw new Error(`no kernel ${unknown}; there are ${WANTED_KERNELS.map(({ name }) => name).join(', ')}`);
  }
  return names.length === 0 ? WANTED_KERNELS : WANTED_KERNELS.filter(({ name }) => names.includes(name));
}
