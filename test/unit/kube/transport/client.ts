import { systemClock, type Clock } from '../../../../src/lib/clock.ts';
import { Connection, type ConnectionOptions } from '../../../../src/kube/transport/connection.ts';
import { FileCredentials } from '../../../../src/kube/transport/file-credentials.ts';
import { RestClient, type RestClientOptions } from '../../../../src/kube/transport/rest-client.ts';
import type { KubeObject, ResourceType } from '../../../../src/kube/resource.ts';

export interface Lamp extends KubeObject {
  spec?: { bright: boolean };
}

export const LAMPS: ResourceType = {
  group: 'example.org',
  version: 'v1',
  plural: 'lamps',
  kind: 'Lamp',
  namespaced: true,
};

export const LAMPS_PATH = '/apis/example.org/v1/lamps';

export function lamp(name: string, version: number, more: object = {}): Lamp {
  return {
    apiVersion: 'example.org/v1',
    kind: 'Lamp',
    metadata: { name, namespace: 'a', uid: `uid-${name}`, resourceVersion: String(version), ...more },
  };
}

export function clientOf(
  url: string,
  options: Partial<ConnectionOptions> & Partial<RestClientOptions> = {},
): RestClient {
  const clock: Clock = options.clock ?? systemClock;
  const connection = new Connection({
    server: new URL(url),
    credentials: new FileCredentials({ clock: systemClock }),
    userAgent: 'test/1',
    requestTimeoutMs: 10_000,
    maxConnections: 4,
    maxBodyBytes: 1 << 20,
    ...options,
    clock,
  });
  return new RestClient({ random: () => 1, ...options, connection, clock });
}
