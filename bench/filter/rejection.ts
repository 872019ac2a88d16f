/**
 * P3: what it costs the host to turn a packet down. Ours ends it on the tap's tcx hook; with nftables it is received, routed
 * and brought to the forward hook first. The whole way is measured on both sides, from the arrival of the frame on.
 */
import { Lab } from '../../test/support/lab/index.ts';
import { executable } from '../../test/support/requirement.ts';
import { compare, skip } from '../compare.ts';
import { framesAccountedFor, inject, type Effort, type InjectSample } from '../measure/program.ts';
import type { Naming, Row, Target } from '../row.ts';
import { endForwarding, forwardingNamespace, packetsEnded, TAP, UPLINK } from './rejection-world.ts';
import { allowed, dropped } from './subjects.ts';

const TARGET: Target = { gate: 2.2, aim: 3.5 };

const common = { group: 'filter', number: 'P3', what: 'turning a packet down', unit: 'x' } as const;
const REJECT: Naming = { ...common, id: 'P3-reject', against: 'nftables forward reject' };
/** Without an ICMP error. No gate: most of what that costs is bringing the frame in, on both sides. */
const DROP: Naming = { ...common, id: 'P3-drop', against: 'nftables forward drop' };
const FORWARD: Naming = {
  id: 'mode-forward',
  group: 'modes',
  number: '',
  what: 'an allowed packet, forwarded, with the filter',
  against: 'forwarded without it',
  unit: 'ns',
};

type Samples = ReadonlyMap<string, readonly InjectSample[]>;

export async function measureRejection(effort: Effort, commit: string): Promise<Row[]> {
  const nft = executable('nft');
  if (!nft.met) return [skip(REJECT, nft.reason, TARGET, commit), skip(DROP, nft.reason, null, commit)];
  const lab = await Lab.create('bench');
  try {
    const samples = await measureWays(lab, effort);
    const times = (name: string): number[] => (samples.get(name) ?? []).map(({ ns }) => ns);
    const frames = framesAccountedFor(samples.get('filter') ?? []);
    const pairs = (ours: string, other: string) => ({ ours: times(ours), other: times(other), frames });
    return [
      compare(REJECT, pairs('filter', 'reject'), TARGET, commit),
      compare(DROP, pairs('filter', 'drop'), null, commit),
      compare(FORWARD, pairs('allowed', 'open'), null, commit),
    ];
  } finally {
    await lab.close();
  }
}

/**
 * The same frame, in turn, in five namespaces: ended by our filter, by each verdict of nftables, by nobody; and, as one that
 * is allowed, through our filter. Every frame is counted where it ends: by the filter, by nftables, on the way out.
 */
async function measureWays(lab: Lab, effort: Effort): Promise<Samples> {
  const named = async (name: string) => ({ name, namespace: await forwardingNamespace(lab, name) });
  const filter = await named('filter');
  const drop = await named('drop');
  const reject = await named('reject');
  const open = await named('open');
  const through = await named('allowed');
  await endForwarding(drop.namespace, 'drop');
  await endForwarding(reject.namespace, 'reject');

  const { frame } = dropped('from-vm');
  const subjects = [
    { way: filter, what: dropped('from-vm') },
    { way: drop, what: { frame } },
    { way: reject, what: { frame } },
    { way: open, what: { frame } },
    { way: through, what: allowed('from-vm') },
  ].map(({ way: { name, namespace }, what }) => {
    return { ...what, name, device: TAP, sink: UPLINK, netns: namespace.path };
  });
  const samples = await inject(subjects, effort);

  const of = (name: string): readonly InjectSample[] => samples.get(name) ?? [];
  const sunk = ({ sunk: count }: InjectSample): number => count ?? 0;
  const notSunk = (sample: InjectSample): number => sample.frames - sunk(sample);
  framesAccountedFor(of('filter'));
  framesAccountedFor(of('filter'), notSunk);
  framesAccountedFor(of('allowed'));
  framesAccountedFor(of('allowed'), sunk);
  // Nothing but the filter or the rule keeps this frame from the uplink.
  const total = framesAccountedFor(of('open'), sunk);
  for (const { name, namespace } of [drop, reject]) {
    framesAccountedFor(of(name), notSunk);
    const ended = await packetsEnded(namespace);
    if (ended !== total) throw new Error(`nftables ended ${ended} of ${total} frames by ${name}`);
  }
  return samples;
}
