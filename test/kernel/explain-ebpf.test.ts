import { expect } from '@jest/globals';
import { EbpfEngine, MARK_ANSWER } from '../../src/cli/explain/engine/ebpf-engine.ts';
import { reasonName } from '../../src/filter/drop-reason.ts';
import { addon, ADDON_PATH } from '../../src/native/addon.ts';
import { file, root } from '../support/requirement.ts';
import { requires } from '../support/skip.ts';
import {
  arp,
  ethernet,
  GATEWAY_MAC,
  GUEST_MAC,
  handshake,
  ipv4,
  pcap,
  udp,
  wireGuard,
} from '../unit/cli/frame-builder.ts';
import { policy } from '../unit/cli/explain/policy.ts';
import { rowsOf } from '../unit/cli/explain/rows.ts';
import { invoke } from '../unit/cli/invoke.ts';
import { manifest } from '../unit/cli/manifest-text.ts';
import { scratch } from '../unit/cli/scratch.ts';
import { vmnetctl } from '../unit/cli/vmnetctl.ts';

const { describe, test } = requires(root, file(ADDON_PATH, 'make build'));
const NOBODY = 65_534;
const files = scratch();

const GUEST = ['--guest-mac', GUEST_MAC, '--guest-address', '100.64.0.5'];
const explain = (text: string, frames: readonly Uint8Array[], ...options: string[]) =>
  invoke([
    'explain',
    ...['--policy', files.write('p.yaml', text), '-o', 'json'],
    ...['--pcap', files.write('tap.pcap', pcap(frames.map((bytes, at) => ({ bytes, seconds: 100 + at }))))],
    ...[...GUEST, ...options],
  ]);

const toVm = (payload: number[]): Uint8Array =>
  ethernet(payload, { source: GATEWAY_MAC, destination: GUEST_MAC });
const response = toVm(ipv4(udp(wireGuard(2, 92), 51900, 41000), { from: '203.0.113.10', to: '100.64.0.5' }));
const elsewhere = handshake({ to: '8.8.8.8' });

/** The filter's own answer, as a tap shows it on its way to the guest. */
function answer(): Uint8Array {
  const frame = arp({
    operation: 2,
    senderMac: GATEWAY_MAC,
    senderAddress: '169.254.1.1',
    targetAddress: '100.64.0.5',
  });
  frame.set(toVm([]).subarray(0, 12));
  frame.set(toVm([]).subarray(0, 6), 32);
  return frame;
}

describe('the eBPF engine of explain', () => {
  const judge = (
    engine: EbpfEngine,
    bytes: Uint8Array,
    change: { nowNs?: bigint; ownAnswer?: boolean } = {},
  ) =>
    engine.judge({
      direction: change.ownAnswer ? 'to-vm' : 'from-vm',
      bytes,
      nowNs: 0n,
      nonce: 0n,
      ownAnswer: false,
      ...change,
    });

  test('does what the programs do: pass, drop, answer', () => {
    const engine = new EbpfEngine();
    try {
      expect(judge(engine, handshake())).toMatchObject({ verdict: 'drop', reasonCode: 16 });
      engine.use(policy());
      expect(judge(engine, handshake())).toMatchObject({ verdict: 'allow', reasonCode: 0, audited: false });
      expect(judge(engine, elsewhere)).toMatchObject({ verdict: 'drop', reasonCode: 40 });
      expect(judge(engine, arp())).toMatchObject({ verdict: 'reply', reasonCode: 2 });
      expect(judge(engine, answer(), { ownAnswer: true })).toMatchObject({ verdict: 'allow', reasonCode: 2 });
      engine.use(null);
      expect(judge(engine, handshake())).toMatchObject({ verdict: 'drop', reasonCode: 16 });
    } finally {
      engine.close();
      engine.close();
    }
  });

  test('grace goes by the clock of the capture, back and forth', () => {
    const engine = new EbpfEngine();
    try {
      engine.use(policy({ previous: { address: '8.8.8.8', port: 51900, untilNs: 50n } }));
      const reasons = [0n, 49n, 50n, 9000n].map((nowNs) =>
        reasonName(judge(engine, elsewhere, { nowNs })?.reasonCode ?? -1),
      );
      expect(reasons).toEqual([
        'AllowedPreviousEndpoint',
        'AllowedPreviousEndpoint',
        'PreviousEndpointExpired',
        'PreviousEndpointExpired',
      ]);
    } finally {
      engine.close();
    }
  });

  test('knows its own answers by the mark that the programs use', () => {
    expect(addon().abiLayout()['VMN_MARK_ANSWER']).toBe(MARK_ANSWER);
  });
});

describe('explain --engine all', () => {
  for (const mode of ['Filtered', 'Conntrack', 'Sampled']) {
    test(`mode ${mode}: all say the same of every frame, and draw the same`, async () => {
      const frames = [handshake(), response, elsewhere, arp(), answer(), handshake({ from: '100.64.0.6' })];
      const many = new Array(50).fill(frames).flat() as Uint8Array[];
      const more =
        mode === 'Sampled' ? '  mode: Sampled\n  sampling: {ratePerMillion: 400000}\n' : `  mode: ${mode}\n`;
      const { code, stdout, stderr } = await explain(manifest({ more }), many, '--engine', 'all');
      expect(rowsOf(stdout)).toHaveLength(3 * many.length);
      expect(stderr).not.toContain('differ');
      expect(code).toBe(0);
      const reasons = new Set(rowsOf(stdout).map(({ reason }) => reason));
      if (mode === 'Conntrack') expect(reasons).toContain('AllowedFlow');
      // 50 draws at 0.4: none, or all, of the frames to elsewhere being drawn has a chance of less than 1e-10.
      if (mode === 'Sampled')
        expect(reasons).toEqual(new Set([...reasons, 'AllowedUnsampled', 'DestinationAddress']));
    });
  }

  test('an audit, and a previous endpoint', async () => {
    const lenient =
      '---\napiVersion: vmnetwork.io/v1alpha1\nkind: VMNetworkClass\nmetadata: {name: default}\nspec: {allowAudit: true}\n';
    const audit = manifest({ more: '  enforcement: Audit\n' }) + lenient;
    const audited = await explain(audit, [elsewhere, handshake({ from: '100.64.0.6' })], '--engine', 'all');
    expect(rowsOf(audited.stdout).map((row) => `${row.verdict} ${row.reason} ${row.audited}`)).toEqual([
      ...new Array<string>(3).fill('allow DestinationAddress true'),
      ...new Array<string>(3).fill('drop SourceAddress false'),
    ]);
    const grace = manifest({ more: '  endpointGraceSeconds: 1\n' });
    const previous = ['--previous-endpoint', '8.8.8.8:51900', '--engine', 'all'];
    const { code, stdout } = await explain(grace, [elsewhere, elsewhere], ...previous);
    expect([code, rowsOf(stdout).map(({ reason }) => reason)]).toEqual([
      0,
      [
        ...new Array<string>(3).fill('AllowedPreviousEndpoint'),
        ...new Array<string>(3).fill('PreviousEndpointExpired'),
      ],
    ]);
  });

  test('frames that the kernel takes for no test: the others judge, and it is said', async () => {
    const long = ethernet(new Array<number>(60_000).fill(0), { etherType: 0x88cc });
    const frames = [Uint8Array.of(1, 2, 3), new Uint8Array(), long, handshake()];
    const { code, stdout, stderr } = await explain(manifest(), frames, '--engine', 'all');
    const rows = rowsOf(stdout);
    expect(rows.filter(({ engine }) => engine === 'ebpf').map(({ verdict }) => verdict)).toEqual([
      'unknown',
      'unknown',
      'unknown',
      'allow',
    ]);
    expect(rows.filter(({ engine }) => engine === 'c').map(({ reason }) => reason)).toEqual([
      'FrameTooShort',
      'FrameTooShort',
      'EtherType',
      'Allowed',
    ]);
    expect(stderr).toBe('vmnetctl: 3 frames could not be shown to every engine\n');
    expect(code).toBe(0);
  });

  test('limits are left out, and that is said', async () => {
    const limited = manifest({ more: '  limits: {packetsPerSecond: 1}\n' });
    const { stdout, stderr } = await explain(
      limited,
      new Array<Uint8Array>(9).fill(handshake()),
      '--engine',
      'ebpf',
    );
    expect(new Set(rowsOf(stdout).map(({ reason }) => reason))).toEqual(new Set(['Allowed']));
    expect(stderr).toContain('limits are left out: the eBPF engine goes by the clock of this machine');
  });

  test('a user who is not root is told what to do instead, and c and ts do it', async () => {
    const words = ['explain', '--policy', '-', '--frame', Buffer.from(handshake()).toString('hex'), ...GUEST];
    const user = { uid: NOBODY, input: manifest() };
    for (const engine of ['ebpf', 'all']) {
      const outcome = await vmnetctl([...words, '--engine', engine], user);
      expect(outcome).toMatchObject({ code: 3, stdout: '' });
      expect(outcome.stderr).toContain('[VMN_CAPABILITY]');
      expect(outcome.stderr).toContain('--engine c,ts');
    }
    const instead = await vmnetctl([...words, '--engine', 'c,ts'], user);
    expect(instead).toMatchObject({ code: 0 });
  });
});
