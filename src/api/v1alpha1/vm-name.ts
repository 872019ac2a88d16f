import { formedText } from './formed-text.ts';

/** Name of a VM as its launcher knows it: QEMU `-name guest=`, libvirt domain, KubeVirt VMI, VZ VM. */
export const vmNameSchema = formedText({
  pattern: /^[A-Za-z0-9]([-A-Za-z0-9_.:+@]{0,251}[A-Za-z0-9])?$/,
  maxLength: 253,
  form: 'must be a VM name: letters, digits and "-_.:+@", at most 253 characters',
  remedy: 'Write the name as the launcher knows it, for example rental-7f3a.',
}).meta({ description: 'Name of a VM.', examples: ['rental-7f3a'] });
