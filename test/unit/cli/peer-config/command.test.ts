import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { executable } from '../../../support/requirement.ts';
import { requires } from '../../../support/skip.ts';
import { type AgentServer, attachment, network, serveAgent, status } from '../agent-server.ts';
import { invoke } from '../invoke.ts';
import { manifest } from '../manifest-text.ts';
import { scratch } from '../scratch.ts';
import { CONSUMER_KEY, VM_KEY } from './facts.ts';

const files = scratch();
let server: AgentServer | null = null;

afterEach(async () => {
  await server?.close();
  server = null;
});

const WIRE_GUARD = `  wireGuard:
    peerPublicKey: ${CONSUMER_KEY}
    addresses: [10.99.0.2/32]
`;

/** Runs it against an agent that says `guest` of its one VM, beside its manifest. */
async function asking(guest: unknown, words: readonly string[], more = WIRE_GUARD) {
  files.write('rental.yaml', manifest({ more }));
  const said = status({ attachments: [{ ...attachment(), guest } as never] });
  const answer = { ...said, agent: { ...said.agent, manifests: files.folder } };
  server = await serveAgent((_, response) => response.end(JSON.stringify(answer)));
  return await invoke(['peer-config', ...words, '--run-dir', server.runDir]);
}

describe('vmnetctl peer-config, of a host', () => {
  test('-o json has the same facts under stable names', async () => {
    const { code, stdout, stderr } = await asking({ publicKey: VM_KEY }, ['rental-7f3a', '-o', 'json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      network: { namespace: 'tenant-a', name: 'rental-7f3a' },
      endpoint: { address: '203.0.113.10', port: 51900 },
      interface: {
        publicKey: CONSUMER_KEY,
        listenPort: 51900,
        addresses: [],
        reachableByVms: ['0.0.0.0/0'],
        mtu: 1420,
      },
      presharedKeySecretRef: null,
      peers: [{ vm: 'rental-7f3a', attachment: null, publicKey: VM_KEY, allowedIPs: ['10.99.0.2/32'] }],
      problems: [],
    });
  });

  test.each([[['tenant-a/rental-7f3a']], [['rental-7f3a', '-n', 'tenant-a']]])('%j', async (words) => {
    const { code, stdout } = await asking({ publicKey: VM_KEY }, words);
    expect(code).toBe(0);
    expect(stdout).toContain(`PublicKey = ${VM_KEY}\nAllowedIPs = 10.99.0.2/32\n`);
  });

  test('-o qr is a code', async () => {
    const { code, stdout } = await asking({ publicKey: VM_KEY }, ['rental-7f3a', '-o', 'qr']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[ █▀▄\n]{1000,}$/u);
  });

  test.each([[undefined], [null]])('guest: %p says what to do', async (guest) => {
    const { code, stdout, stderr } = await asking(guest, ['rental-7f3a']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^vmnetctl: VMNetwork tenant-a\/rental-7f3a: none of its VMs has a public key yet \(VM rental-7f3a\)\n {2}A VM gets its key when /,
    );
  });

  test('a key that is none is the fault of the agent, not a line of the file', async () => {
    const { code, stdout, stderr } = await asking({ publicKey: 'x\nPostUp = id' }, ['rental-7f3a']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toContain('publicKey: must be a WireGuard key');
  });

  test('a name that is none, and one that is a VM', async () => {
    const unknown = await asking({ publicKey: VM_KEY }, ['nonsense']);
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toContain('Give one of tenant-a/rental-7f3a.');
    await server?.close();
    const answer = {
      ...status({ attachments: [attachment({ vm: 'vm-7' })] }),
      networks: [network(), network({ namespace: 'tenant-b' })],
    };
    server = await serveAgent((_, response) => response.end(JSON.stringify(answer)));
    const ask = (name: string) => invoke(['peer-config', name, '--run-dir', server!.runDir]);
    expect((await ask('vm-7')).stderr).toContain('VM vm-7 belongs to VMNetwork tenant-a/rental-7f3a');
    expect(await ask('rental-7f3a')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('tenant-a/rental-7f3a, tenant-b/rental-7f3a') as unknown,
    });
  });

  test('a manifest that went, and an agent whose networks come from a cluster', async () => {
    const answer = { ...status(), networks: [network({ file: 'gone.yaml' })] };
    const inCluster = { ...answer, agent: { ...answer.agent, manifests: null } };
    let said: unknown = { ...answer, agent: { ...answer.agent, manifests: files.folder } };
    server = await serveAgent((_, response) => response.end(JSON.stringify(said)));
    const ask = () => invoke(['peer-config', 'rental-7f3a', '--run-dir', server!.runDir]);
    expect(await ask()).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(join(files.folder, 'gone.yaml')) as unknown,
    });
    said = inCluster;
    expect(await ask()).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('--kubeconfig FILE') as unknown,
    });
  });
});

describe('the command line', () => {
  test.each([
    [['a/b/c'], '"a/b/c" is no name of a VMNetwork'],
    [['a/'], '"a/" is no name of a VMNetwork'],
    [['a/b', '-n', 'c'], 'a/b is not in namespace c'],
    [['a', '--context', 'x'], '--context has no meaning without --kubeconfig'],
    [['a', '-o', 'yaml'], 'wg-quick, json, qr'],
  ])('%j', async (words, message) => {
    const outcome = await invoke(['peer-config', ...words]);
    expect(outcome).toMatchObject({ code: 2, stdout: '' });
    expect(outcome.stderr).toContain(message);
  });

  test('a kubeconfig that is not there', async () => {
    expect(await invoke(['peer-config', 'a', '--kubeconfig', '/nonexistent'])).toEqual({
      code: 3,
      stdout: '',
      stderr:
        'vmnetctl: /nonexistent: cannot be read (ENOENT)\n' +
        '  Check the path, its permissions, and `kubectl config view` with the same file.\n',
    });
  });
});

requires(executable('wg-quick')).test('wg-quick takes the file once the private key is in it', async () => {
  const { stdout } = await asking({ publicKey: VM_KEY }, ['rental-7f3a']);
  const file = files.write('wg0.conf', stdout.replace('YOUR_OWN_PRIVATE_KEY', VM_KEY));
  const stripped = execFileSync('wg-quick', ['strip', file], { encoding: 'utf8', stdio: 'pipe' });
  const meant = stripped.split('\n').filter((line) => /^[^#]/.test(line));
  expect(meant).toEqual([
    '[Interface]',
    `PrivateKey = ${VM_KEY}`,
    'ListenPort = 51900',
    '[Peer]',
    `PublicKey = ${VM_KEY}`,
    'AllowedIPs = 10.99.0.2/32',
  ]);
});
