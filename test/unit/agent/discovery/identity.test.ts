import { describe, expect, test } from '@jest/globals';
import { vmNameSchema } from '../../../../src/api/v1alpha1/vm-name.ts';
import { identityOf, type VmIdentity } from '../../../../src/agent/discovery/identity.ts';
import { podOf } from '../../../../src/agent/discovery/kubernetes.ts';
import { printable } from '../../../../src/agent/discovery/printable.ts';

const UUID = '6a0cbd52-1a0d-4d35-9d4b-6c1f0a1f3c11';
const PROCESS = { pid: 7, startTicks: '70' };
const of = (name: string | null, uuid: string | null = null, inPod = false): VmIdentity =>
  identityOf({ name, uuid, inPod }, PROCESS);

describe('a VM', () => {
  test('is known by its uuid, else by its name, else by its process', () => {
    expect(of('rental-1', UUID)).toEqual({
      id: UUID,
      name: 'rental-1',
      uuid: UUID,
      namespace: null,
      oddName: null,
    });
    expect(of('rental-1')).toMatchObject({ id: 'rental-1', name: 'rental-1', uuid: null });
    expect(of(null, UUID)).toMatchObject({ id: UUID, name: UUID });
    expect(of(null)).toMatchObject({ id: 'process-7-70', name: 'process-7-70' });
    expect(of('')).toMatchObject({ id: 'process-7-70' });
  });

  test.each([
    'a\nb',
    'lv test',
    'x'.repeat(10_000),
    '-',
    '../x',
    'ünï',
    '\0',
    'a/b',
    'name-',
    '🌍',
    'process-8-80',
  ])('of the name %j has another one, that fits and that says why', (name) => {
    const { id, name: safe, oddName } = of(name);
    expect(vmNameSchema.safeParse(safe).success).toBe(true);
    expect(id).toBe(safe);
    expect(safe).not.toBe(name);
    expect(safe).toMatch(/--[0-9a-f]{12}$/);
    expect(oddName).toMatch(/^[ -~]{1,200}$/);
    // Another odd name that looks the same is another VM.
    expect(of(`${name}?`).name).not.toBe(safe);
  });

  test('of KubeVirt has the namespace of its name, in a pod only', () => {
    expect(of('tenant-a_rental-1', null, true)).toMatchObject({
      id: 'tenant-a_rental-1',
      name: 'rental-1',
      namespace: 'tenant-a',
    });
    expect(of('tenant-a_rental-1', UUID, true)).toMatchObject({ id: UUID, namespace: 'tenant-a' });
    expect(of('tenant-a_rental-1')).toMatchObject({ id: 'tenant-a_rental-1', namespace: null });
    for (const name of ['rental-1', '_rental-1', 'Tenant_rental', 'a.b_rental', `${'x'.repeat(64)}_vm`]) {
      expect(of(name, null, true).namespace).toBeNull();
    }
    expect(of('tenant-a_', UUID, true)).toMatchObject({ name: UUID, namespace: 'tenant-a' });
  });
});

test.each([
  [
    '0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f3c9d3e_8a55_4a4e_9d0a_1b2c3d4e5f60.slice/cri-containerd-x.scope\n',
    true,
  ],
  ['8:pids:/kubepods/besteffort/pod0f3c9d3e-8a55-4a4e-9d0a-1b2c3d4e5f60/abc\n', true],
  ['0::/../../kubepods/pod0f3c9d3e-8a55-4a4e-9d0a-1b2c3d4e5f60/abc', true],
  ['0::/kubepods\n1:x:/pod0f3c9d3e-8a55-4a4e-9d0a-1b2c3d4e5f60', false],
  ['0::/user.slice/pod0f3c9d3e-8a55-4a4e-9d0a-1b2c3d4e5f60', false],
  ['0::/kubepods/podx', false],
  ['', false],
])('a pod by the control group %j', (cgroups, expected) => {
  expect(podOf(cgroups)).toBe(expected ? '0f3c9d3e-8a55-4a4e-9d0a-1b2c3d4e5f60' : null);
});

test('text of others is one line of printable ASCII, cut', () => {
  expect(printable('plain', 10)).toBe('plain');
  expect(printable('a\nb\x1b[31m\0é', 20)).toBe('a?b?[31m??');
  expect(printable('x'.repeat(1e6), 10)).toBe('xxxxxxx...');
  expect(printable('x'.repeat(10), 10)).toBe('x'.repeat(10));
});
