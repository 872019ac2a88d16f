import { expect, test } from '@jest/globals';
import { parseManifest } from '../../../src/api/manifest.ts';
import type { VmNetwork } from '../../../src/api/v1alpha1/vm-network.ts';
import { runningVm } from '../../../src/cli/run/running-vm.ts';

function networks(...selectors: [name: string, vms: string[]][]): VmNetwork[] {
  const text = selectors.map(
    ([name, vms]) => `apiVersion: vmnetwork.io/v1alpha1
kind: VMNetwork
metadata: {name: ${name}, namespace: tenant-a}
spec: {consumerEndpoint: {address: 203.0.113.10, port: 51900}, selector: {names: [${vms.join(', ')}]}}
`,
  );
  const { objects, problems } = parseManifest(text.join('---\n'), 'test');
  expect(problems).toEqual([]);
  return objects.flatMap((entry) => (entry.kind === 'VMNetwork' ? [entry.object] : []));
}

const one = networks(['n1', ['a']]);
const two = networks(['n1', ['a', 'b']], ['n2', ['c']]);
const chosen = (...input: Parameters<typeof runningVm>): [string, string] => {
  const { vm, network } = runningVm(...input);
  return [vm, network.metadata.name];
};

test('the only VM of the only network', () => {
  expect(chosen(one, {}, ['qemu'])).toEqual(['a', 'n1']);
});

test('the name that QEMU is given, or --vm, picks the network, too', () => {
  expect(chosen(two, {}, ['qemu', '-name', 'guest=c'])).toEqual(['c', 'n2']);
  expect(chosen(two, { vm: 'b' }, ['qemu'])).toEqual(['b', 'n1']);
  expect(chosen(two, { vm: 'b' }, ['qemu', '-name', 'b'])).toEqual(['b', 'n1']);
  expect(chosen(two, { network: 'n2' }, ['qemu'])).toEqual(['c', 'n2']);
  expect(chosen(two, { network: 'tenant-a/n2' }, ['qemu'])).toEqual(['c', 'n2']);
});

test.each<[string, VmNetwork[], object, string[], string]>([
  ['two names that differ', one, { vm: 'a' }, ['qemu', '-name', 'b'], 'Leave one of the two out'],
  ['a VM that no network selects', one, { vm: 'z' }, ['qemu'], 'Give one of them with --vm: a.'],
  ['several networks', two, {}, ['qemu'], '--network: tenant-a/n1, tenant-a/n2'],
  ['several VMs', two, { network: 'n1' }, ['qemu'], '--vm: a, b'],
  ['a network that is not there', two, { network: 'n9' }, ['qemu'], '--network'],
  [
    'a network that does not select the VM',
    two,
    { network: 'n2', vm: 'a' },
    ['qemu'],
    '--network: tenant-a/n1',
  ],
])('refuses %s', (_, from, choice, command, remedy) => {
  expect(() => runningVm(from, choice, command)).toThrow(expect.objectContaining({ code: 'VMN_USAGE' }));
  try {
    runningVm(from, choice, command);
  } catch (error) {
    expect((error as { remedy: string }).remedy).toContain(remedy);
  }
});
