import type { Cidr, WireGuardKey } from '../../../../src/api/v1alpha1/index.ts';
import type { NetworkFacts, VmFacts } from '../../../../src/cli/peer-config/peer-config.ts';

export const CONSUMER_KEY = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=' as WireGuardKey;
export const VM_KEY = 'qEz+ioYxomxawZLvXHgdr0jGc5t+GjiAV7KyIY2UWos=';

export const cidrs = (...texts: string[]): Cidr[] => texts as Cidr[];

export function networkFacts(change: Partial<NetworkFacts['wireGuard']> = {}): NetworkFacts {
  return {
    namespace: 'tenant-a',
    name: 'rental-7f3a',
    endpoint: { address: '203.0.113.10', port: 51900 },
    wireGuard: {
      peerPublicKey: CONSUMER_KEY,
      addresses: cidrs('10.99.0.2/32'),
      allowedIPs: cidrs('0.0.0.0/0'),
      mtu: 1420,
      ...change,
    },
  };
}

export function vmFacts(change: Partial<VmFacts> = {}): VmFacts {
  return { vm: 'rental-7f3a', attachment: null, publicKey: VM_KEY, ...change };
}
