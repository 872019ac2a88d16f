import type { Values } from './helm.ts';

/** The values of the agents, each other than by default. */
export const TURNED_AGENT: Values = {
  managedInterfaces: ['vnet*', 'tap*'],
  pool: '100.65.0.0/20',
  otherNetworkNamespaces: false,
  logLevel: 'debug',
  healthHost: '',
  healthPort: 9999,
  resources: {},
  priorityClassName: '',
  nodeSelector: { rents: 'vms' },
  tolerations: [],
  podAnnotations: { 'example.com/scrape': 'true' },
  podLabels: { 'app.kubernetes.io/component': 'other', team: 'blue' },
};
