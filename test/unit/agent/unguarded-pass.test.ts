import { beforeEach, describe, expect, test } from '@jest/globals';
import { identityOf } from '../../../src/agent/wiring/identity.ts';
import { VmnError } from '../../../src/lib/errors.ts';
import { manifests, ModelHost, resultOf } from './support/model-host.ts';

const ONE = manifests({ 'vm-a': {} });
const TWO = manifests({ 'vm-a': {}, 'vm-b': {} });

describe('a pass without the standing guard', () => {
  let host: ModelHost;
  beforeEach(() => {
    host = new ModelHost();
  });
  const policyOf = (vm: string): Uint8Array | null => {
    const link = host.kernel.byName(identityOf(vm).tap);
    return host.kernel.attached(link?.ifindex ?? 0).from?.program.slot.policy ?? null;
  };
  const breakNft = (): void => {
    host.nft.listTable = () => Promise.reject(new VmnError('VMN_NFT_MISSING', { attempted: 'run nft' }));
  };

  test('nothing new is allowed, and no tap comes up', async () => {
    breakNft();
    const result = await host.pass(ONE);
    expect(result.problems.map(({ error }) => error.code)).toEqual(['VMN_NFT_MISSING']);
    expect(resultOf(result, 'vm-a')).toMatchObject({
      verified: false,
      error: { code: 'VMN_NFT_FAILED' },
      policy: null,
    });
    expect(host.kernel.byName(identityOf('vm-a').tap)?.up).toBe(false);
    expect(policyOf('vm-a')).toBeNull();
  });

  test('what is in force and unchanged stays but counts as enforced no more, what changes is denied', async () => {
    await host.pass(TWO);
    breakNft();
    const result = await host.pass(
      manifests({ 'vm-a': {}, 'vm-b': { consumerEndpoint: { address: '203.0.113.10', port: 2 } } }),
    );
    expect(resultOf(result, 'vm-a')).toMatchObject({ verified: false, error: { code: 'VMN_NFT_FAILED' } });
    expect(policyOf('vm-a')).not.toBeNull();
    expect(resultOf(result, 'vm-b').error?.code).toBe('VMN_NFT_FAILED');
    expect(policyOf('vm-b')).toBeNull();
  });
});
