/** The examples before the API server, as the README tells to apply them; who owns which field is kept. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { EXAMPLE_FILES, EXAMPLES_FOLDER } from '../support/api-cases/example-files.ts';
import { networkWith } from '../support/api-cases/network-cases.ts';
import { anyCluster, needsControlPlane, type Lease } from '../support/control-plane/index.ts';
import { requires } from '../support/skip.ts';

const NAMESPACES = ['tenant-a', 'tenant-b', 'tenant-c'];

const { describe: describeCluster } = requires(needsControlPlane('kubectl'));

let lease: Lease;
let namespace: string;

describeCluster('examples', () => {
  beforeAll(async () => {
    lease = await anyCluster();
    await lease.cluster.installCrds();
    for (const name of NAMESPACES) await lease.cluster.ensureNamespace(name);
    namespace = await lease.cluster.inNamespace('owners');
  }, 120_000);
  afterAll(() => lease.release());

  test.each(EXAMPLE_FILES)(
    '[K8-1] %s is accepted by server-side apply, with strict validation',
    async (file) => {
      const how = ['--server-side', '--field-manager=rental-desk', '--validate=strict', '--dry-run=server'];
      const said = await lease.cluster.mustKubectl(['apply', ...how, '-f', join(EXAMPLES_FOLDER, file)]);
      expect(said).toContain('serverside-applied (server dry run)');
    },
  );

  const applied = (manager: string, spec: Record<string, unknown>, ...more: string[]) => {
    const object = { ...networkWith({}), metadata: { name: 'shared', namespace }, spec };
    const how = ['--server-side', `--field-manager=${manager}`, '-f', '-', ...more];
    return lease.cluster.kubectl(['apply', ...how], { input: JSON.stringify(object) });
  };
  const names = async (): Promise<string> => {
    const path = '-ojsonpath={.spec.selector.names[*]}';
    return lease.cluster.mustKubectl(['-n', namespace, 'get', 'vmnetwork', 'shared', path]);
  };

  test('two writers who want different things: the second gets a conflict that names the first', async () => {
    const endpoint = (port: number) => ({ address: '203.0.113.10', port });
    const first = { consumerEndpoint: endpoint(51900), selector: { names: ['a'] } };
    expect(await applied('rental-desk', first)).toMatchObject({ code: 0 });
    const second = await applied('night-shift', { ...first, consumerEndpoint: endpoint(51999) });
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(/conflict with "rental-desk".*\.spec\.consumerEndpoint\.port/s);

    // Lists are sets: each keeps the entries of its own.
    const more = { consumerEndpoint: endpoint(51900), selector: { names: ['b'] } };
    expect(await applied('night-shift', more)).toMatchObject({ code: 0 });
    expect(await names()).toBe('a b');
    expect(await applied('night-shift', { ...more, selector: { names: [] } })).toMatchObject({ code: 0 });
    expect(await names()).toBe('a');
  });
});
