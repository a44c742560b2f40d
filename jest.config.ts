import type { Config } from 'jest';

const config: Config = {
  testEnvironment: 'node',
  roots: ['<rootDir>/spec'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/spec/interop/', '<rootDir>/spec/bench/'],
  extensionsToTreatAsEsm: ['.ts'],
  // A core for each worker: the specs are many and short.
  maxWorkers: '100%',
  // Ends what hangs; no spec asserts how long anything takes, and a busy machine may take long.
  testTimeout: 120_000,
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
};

export default config;
