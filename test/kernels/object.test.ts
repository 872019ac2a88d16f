import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { built, DIRECT_OBJECT, PROBE_OBJECT } from '../../scripts/kernel-matrix/initramfs.ts';

// Linux 5.13 to 5.15 refuse a program that names a function of the kernel that they lack, also where it is never called.
// No such kernel is packaged, so none is booted; this is what can be said without one.

/** Functions of the kernel that an object asks for. */
function kernelFunctions(object: string): string[] {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  const options = { encoding: 'utf8', env: { ...process.env, PATH: path } } as const;
  const types = execFileSync('bpftool', ['btf', 'dump', 'file', built(object)], options);
  return [...types.matchAll(/FUNC '(\S+)' .*linkage=extern/g)].map((match) => match[1] ?? '');
}

describe('the objects of the filter', () => {
  test('[EB-1] the one for kernels before 6.2 asks for no function of the kernel', () => {
    expect(kernelFunctions(PROBE_OBJECT)).toEqual([]);
  });

  test('the other one does, so this would be seen', () => {
    expect(kernelFunctions(DIRECT_OBJECT)).toEqual(['bpf_cast_to_kern_ctx']);
  });
});
