/** Rules that tie fields of one object together, and rules about what may change: each with what just keeps within it. */
import type { Changes } from './change.ts';
import type { Kind } from './full-objects.ts';

export interface RulePair {
  readonly title: string;
  readonly kind: Kind;
  /** Changes of the full object of that kind. */
  readonly refused: Changes;
  readonly says: RegExp;
  readonly accepted: Changes;
}

const NO_ENDPOINT = { 'spec.consumerEndpoint': undefined, 'spec.sampling': undefined };
const DIRECT = { ...NO_ENDPOINT, 'spec.mode': 'Direct', 'spec.violation.action': undefined };
const NO_POLICY_ENDPOINT = {
  'spec.policy.consumerEndpoint': undefined,
  'spec.policy.previousEndpoint': undefined,
  'spec.policy.sampling': undefined,
};
const limit = (kind: string, field: string) => `spec.limits.${kind}.${field}`;

export const CROSS_FIELD_RULES: readonly RulePair[] = [
  ...['Filtered', 'Conntrack', 'Sampled', undefined].map((mode): RulePair => ({
    title: `mode ${mode ?? 'by default'} without an endpoint`,
    kind: 'VMNetwork',
    refused: { ...NO_ENDPOINT, 'spec.mode': mode },
    says: /spec\.consumerEndpoint: .*is required in modes .* Add consumerEndpoint with an address and a port/,
    accepted: DIRECT,
  })),
  ...['Filtered', 'Conntrack', 'Direct'].map((mode): RulePair => ({
    title: `sampling with mode ${mode}`,
    kind: 'VMNetwork',
    refused: { 'spec.mode': mode, 'spec.violation.action': undefined },
    says: /spec\.sampling: .*only valid with mode Sampled\. Remove sampling, or set mode: Sampled/,
    accepted: { 'spec.mode': mode, 'spec.violation.action': undefined, 'spec.sampling': undefined },
  })),
  ...[{}, { nodeName: 'node-3' }, { names: [], uuids: [], matchLabels: {} }].map((selector): RulePair => ({
    title: `a selector that selects nothing: ${JSON.stringify(selector)}`,
    kind: 'VMNetwork',
    refused: { 'spec.selector': selector },
    says: /spec\.selector: .*at least one of names, uuids and matchLabels\. Add for example names/,
    accepted: { 'spec.selector': { ...selector, matchLabels: { team: '' } } },
  })),
  {
    title: 'Audit with mode Direct',
    kind: 'VMNetwork',
    refused: { ...DIRECT, 'spec.enforcement': 'Audit' },
    says: /spec\.enforcement: .*must not be Audit with mode Direct.* Remove enforcement/,
    accepted: { 'spec.enforcement': 'Audit' },
  },
  {
    title: 'a violation action with mode Direct',
    kind: 'VMNetwork',
    refused: { ...DIRECT, 'spec.violation.action': 'Drop' },
    says: /spec\.violation\.action: .*no meaning with mode Direct.* Remove violation\.action/,
    accepted: DIRECT,
  },
  ...[[], undefined].map((addresses): RulePair => ({
    title: `a tunnel ${addresses === undefined ? 'that names no addresses' : 'with an empty list of addresses'}`,
    kind: 'VMNetwork',
    refused: { 'spec.wireGuard.addresses': addresses },
    says: /spec\.wireGuard\.addresses: .*must not be empty with wireGuard\.peerPublicKey.* Add the VM's address inside the tunnel/,
    accepted: { 'spec.wireGuard.addresses': addresses, 'spec.wireGuard.peerPublicKey': undefined },
  })),
  ...['egressBitsPerSecond', 'packetsPerSecond'].map((field): RulePair => ({
    title: `a default of ${field} above the maximum`,
    kind: 'VMNetworkClass',
    refused: { [limit('default', field)]: 11, [limit('maximum', field)]: 10 },
    says: new RegExp(
      `spec\\.limits\\.default\\.${field}: .*at most maximum\\.${field}\\. Lower default\\.${field}`,
    ),
    accepted: { [limit('default', field)]: 10, [limit('maximum', field)]: 10 },
  })),
  ...['Filtered', 'Conntrack', 'Sampled'].map((mode): RulePair => ({
    title: `a policy of mode ${mode} without an endpoint`,
    kind: 'VMNetworkAttachment',
    refused: { ...NO_POLICY_ENDPOINT, 'spec.policy.mode': mode },
    says: /spec\.policy\.consumerEndpoint: .*is required in modes .* Add consumerEndpoint/,
    accepted: { ...NO_POLICY_ENDPOINT, 'spec.policy.mode': 'Direct' },
  })),
  {
    title: 'a policy with a previous endpoint and no endpoint',
    kind: 'VMNetworkAttachment',
    refused: {
      'spec.policy.mode': 'Direct',
      'spec.policy.sampling': undefined,
      'spec.policy.consumerEndpoint': undefined,
    },
    says: /spec\.policy\.previousEndpoint: .*no meaning without consumerEndpoint\. Remove previousEndpoint/,
    accepted: { 'spec.policy.mode': 'Direct', 'spec.policy.sampling': undefined },
  },
  {
    title: 'a policy with sampling and another mode',
    kind: 'VMNetworkAttachment',
    refused: { 'spec.policy.mode': 'Conntrack' },
    says: /spec\.policy\.sampling: .*only valid with mode Sampled\. Remove sampling/,
    accepted: { 'spec.policy.mode': 'Conntrack', 'spec.policy.sampling': undefined },
  },
];

const FOR_EVER = /must not change: .* Delete the attachment; the controller makes another/;
const NEXT = { 'spec.policyGeneration': 8 };

/** Of an attachment that is there, as the full object says. */
export const TRANSITION_RULES: readonly RulePair[] = [
  { refused: { 'spec.nodeName': 'node-4' }, says: FOR_EVER },
  { refused: { 'spec.vm.name': 'other' }, says: FOR_EVER },
  { refused: { 'spec.vm.uuid': undefined }, says: FOR_EVER },
  { refused: { 'spec.vm.id': 'other' }, says: FOR_EVER },
  { refused: { 'spec.interface.mac': '02:76:1f:00:a2:4d' }, says: FOR_EVER },
  {
    refused: { 'spec.policy.network': 'other', ...NEXT },
    says: /spec\.policy\.network: .*must not change: an attachment belongs to one VMNetwork for ever/,
  },
  {
    refused: { 'spec.policyGeneration': 6 },
    says: /spec\.policyGeneration: .*must not go back\. Read the attachment again and add one/,
  },
  {
    refused: { 'spec.policy.desiredState': 'Quarantined' },
    says: /spec\.policyGeneration: .*must move with each change of policy\. Add one/,
    accepted: { 'spec.policy.desiredState': 'Quarantined', ...NEXT },
  },
  {
    refused: { 'spec.policy.previousEndpoint': undefined },
    says: /spec\.policyGeneration: .*must move with each change of policy\. Add one/,
    accepted: { 'spec.policy.previousEndpoint': undefined, ...NEXT },
  },
].map(({ refused, says, accepted = NEXT }) => ({
  title: Object.entries(refused)
    .map(([path, value]) => `${path} to ${value ?? 'nothing'}`)
    .join(', '),
  kind: 'VMNetworkAttachment',
  refused,
  says,
  accepted,
}));
