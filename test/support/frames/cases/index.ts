export * from './frame-case.ts';
export { fromVmCases } from './from-vm.ts';
export { toVmCases } from './to-vm.ts';
