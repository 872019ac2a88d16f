export * from './frame-case.ts';
export { fromVmCases } from './from-vm.ts';
export { superFrames } from './super-frames.ts';
export { toVmCases } from './to-vm.ts';
