/** Objects for the tests of guardrails: valid, small, and of no meaning. */
import { API_VERSION } from '../../../src/api/v1alpha1/index.ts';

type Spec = Readonly<Record<string, unknown>>;

/** A VMNetwork with the fields that it must have, and these. */
export const network = (name: string, spec: Spec = {}): object => ({
  apiVersion: API_VERSION,
  kind: 'VMNetwork',
  metadata: { name },
  spec: {
    consumerEndpoint: { address: '203.0.113.10', port: 51900 },
    selector: { names: [name] },
    ...spec,
  },
});

export const networkClass = (name: string, spec: Spec = {}): object => ({
  apiVersion: API_VERSION,
  kind: 'VMNetworkClass',
  metadata: { name },
  spec,
});

export const attachment = (name: string, nodeName: string, spec: Spec = {}): object => ({
  apiVersion: API_VERSION,
  kind: 'VMNetworkAttachment',
  metadata: { name, finalizers: ['vmnetwork.io/closed'] },
  spec: {
    nodeName,
    vm: { id: name, name },
    interface: { mac: '02:76:1f:00:a2:4c' },
    policy: { network: name, consumerEndpoint: { address: '203.0.113.10', port: 51900 } },
    hash: '0'.repeat(64),
    ...spec,
  },
});

export const vmNode = (name: string, metadata: object = {}): object => ({
  apiVersion: API_VERSION,
  kind: 'VMNetworkNode',
  metadata: { name, ...metadata },
  spec: {},
});

export const lease = (name: string, metadata: object = {}): object => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, ...metadata },
  spec: { holderIdentity: 'agent', leaseDurationSeconds: 40 },
});
